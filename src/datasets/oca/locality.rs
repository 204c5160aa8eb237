//! Boroughs and the state: the location of an address according to its city, state and postal code.

mod names;

use strsim::osa_distance;

use self::names::{NEIGHBOURHOODS, NEW_YORK, QUEENS_PLACES, STATES};

/// A borough of New York City, by its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Borough {
    Manhattan = 1,
    Bronx,
    Brooklyn,
    Queens,
    StatenIsland,
}

use Borough::{Bronx, Brooklyn, Manhattan, Queens, StatenIsland};

impl Borough {
    /// Its name in capitals.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Manhattan => "MANHATTAN",
            Bronx => "BRONX",
            Brooklyn => "BROOKLYN",
            Queens => "QUEENS",
            StatenIsland => "STATEN ISLAND",
        }
    }

    /// The first digit of its lot numbers.
    pub(super) fn digit(self) -> char {
        char::from(b'0' + self as u8)
    }

    /// The borough of a county of the state, by the Census' three digits.
    pub(super) fn of_county(code: &str) -> Option<Self> {
        match code {
            "061" => Some(Manhattan),
            "005" => Some(Bronx),
            "047" => Some(Brooklyn),
            "081" => Some(Queens),
            "085" => Some(StatenIsland),
            _ => None,
        }
    }

    /// The borough that a city's name clearly means; `None` for `NEW YORK`, which is used for all five.
    pub(super) fn of_city(city: &str) -> Option<Self> {
        let city = city.strip_prefix("THE ").unwrap_or(city);
        match city {
            "MANHATTAN" | "HARLEM" | "EAST HARLEM" | "WASHINGTON HEIGHTS" | "MARBLE HILL"
            | "ROOSEVELT ISLAND" | "NEW YORK COUNTY" => Some(Manhattan),
            "BRONX" | "BX" | "BRONX COUNTY" | "RIVERDALE" | "CITY ISLAND" => Some(Bronx),
            "BROOKLYN" | "KINGS" | "BK" | "BKLYN" | "BKLN" | "KINGS COUNTY" | "CONEY ISLAND" => {
                Some(Brooklyn)
            }
            "STATEN ISLAND" | "SI" | "S I" | "RICHMOND" | "RICHMOND COUNTY" => Some(StatenIsland),
            _ if QUEENS_PLACES.contains(&city) => Some(Queens),
            _ => None,
        }
    }
}

/// The name that a mistyped city has, by the directory's rule (`3_places.duckdb.sql`): one letter of a name of at least
/// five is wrong, or two of a long one or of a borough's; and no other borough's name is as near.
fn near(city: &str) -> Option<&'static str> {
    let boroughs = ["MANHATTAN", "BRONX", "BROOKLYN", "STATEN ISLAND", "NEW YORK"];
    let distances = boroughs.iter().chain(QUEENS_PLACES).map(|name| (osa_distance(name, city), *name));
    let is_near = |(distance, name): &(usize, &str)| match name.len() {
        _ if matches!(*name, "BROOKLYN" | "MANHATTAN" | "NEW YORK") => *distance <= 2,
        10.. => *distance <= 2,
        5.. => *distance <= 1,
        _ => false,
    };
    let near: Vec<_> = distances.filter(is_near).collect();
    let least = near.iter().map(|(distance, _)| *distance).min()?;
    let mut nearest = near.into_iter().filter(|(distance, _)| *distance == least).map(|(_, name)| name);
    let first = nearest.next()?;
    nearest.all(|name| Borough::of_city(name) == Borough::of_city(first)).then_some(first)
}

/// City, state and postal code of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Town {
    /// In capitals; letters, digits and single blanks.
    pub(super) city: Option<String>,
    /// Five digits.
    pub(super) zip: Option<String>,
    is_other_state: bool,
}

/// Why an address is in none of the boroughs that it could be looked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotInTown {
    /// Neither the city's name nor the postal code is the city's.
    Outside,
    /// The two name different boroughs.
    Contradiction,
}

impl Town {
    /// Reads the three fields.
    pub(super) fn read(city: Option<&str>, state: Option<&str>, postal_code: Option<&str>) -> Self {
        let state = state.map(clean).unwrap_or_default();
        let is_other_state = !matches!(state.as_str(), "" | "NY" | "N Y" | "NEW YORK");
        let digits: String = postal_code.unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        let zip = matches!(digits.len(), 5 | 9).then(|| digits[..5].to_owned());
        let city = city.map(clean).filter(|city| !city.is_empty());
        Self { city, zip, is_other_state }
    }

    /// Is it in another state, as far as state and postal code say?
    pub(super) fn is_outside_the_state(&self) -> bool {
        self.is_other_state || self.zip.as_deref().is_some_and(|zip| !is_of_the_state(zip))
    }

    /// The boroughs in which an address can be, in the order of trying.
    ///
    /// # Errors
    /// [`NotInTown`]: in none. A postal code outside the city counts even beside a name of the city. A postal code inside
    /// does not count beside a name that is not the city's, unless that is nearly one of the city's and so mistyped.
    pub(super) fn boroughs(&self) -> Result<Vec<Borough>, NotInTown> {
        let typed = without_state(self.city.as_deref().unwrap_or_default());
        let is_known =
            NEIGHBOURHOODS.contains(&typed) || Borough::of_city(typed).is_some() || NEW_YORK.contains(&typed);
        let near = Some(typed).filter(|typed| !is_known && !typed.is_empty()).and_then(near);
        let city = near.unwrap_or(typed);
        let named = Borough::of_city(city);
        let is_new_york = NEW_YORK.contains(&city);
        let of_zip = self.zip.as_deref().map(of_zip);
        match (named, of_zip) {
            _ if self.is_outside_the_state() => Err(NotInTown::Outside),
            (_, Some([])) => Err(NotInTown::Outside),
            (_, None) if near.is_some() => Err(NotInTown::Outside),
            (Some(named), Some(of_zip)) if !of_zip.contains(&named) => Err(NotInTown::Contradiction),
            (Some(named), _) => Ok(vec![named]),
            (None, Some(of_zip)) if is_new_york || city.is_empty() || NEIGHBOURHOODS.contains(&city) => {
                Ok(of_zip.to_vec())
            }
            // By convention Manhattan.
            (None, None) if is_new_york => Ok(vec![Manhattan]),
            (None, _) => Err(NotInTown::Outside),
        }
    }

    /// Could the city's name be that of another place, so that only the postal code indicates the city?
    pub(super) fn hangs_on_the_zip(&self) -> bool {
        self.city
            .as_deref()
            .is_some_and(|city| Borough::of_city(city).is_none() && !city.starts_with("NEW YORK"))
    }

    /// May the city have this name too?
    pub(super) fn is_called(&self, other: &str) -> bool {
        let other = clean(other);
        let Some(city) = self.city.as_deref() else { return true };
        let borough = |city: &str| match city {
            "NEW YORK" => Some(Manhattan),
            _ => Borough::of_city(city),
        };
        let plain = |city: &str| city.replace("SAINT ", "ST ").replace("MOUNT ", "MT ").replace(' ', "");
        plain(city) == plain(&other)
            || borough(city).is_some_and(|borough_| borough(&other) == Some(borough_))
    }
}

/// A city's name without the state behind it; `East New York` is one.
fn without_state(city: &str) -> &str {
    if city == "EAST NEW YORK" || NEW_YORK.contains(&city) {
        return city;
    }
    match STATES.iter().find_map(|state| city.strip_suffix(state)) {
        Some(shorter) => without_state(shorter),
        None => city,
    }
}

/// Capitals, digits and single blanks.
fn clean(text: &str) -> String {
    let text = text.replace(['\'', '’'], "").to_uppercase();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn is_of_the_state(zip: &str) -> bool {
    // Holtsville and Fishers Island have codes of their own.
    matches!(zip, "00501" | "00544" | "06390") || ("100".."150").contains(&&zip[..3])
}

/// The boroughs of a postal code; empty: it is not in the city.
pub(super) fn of_zip(zip: &str) -> &'static [Borough] {
    match zip {
        // Marble Hill is Manhattan's and has a code of the Bronx.
        "10463" => &[Bronx, Manhattan],
        "11004" | "11005" => &[Queens],
        _ => match &zip[..3] {
            "100" | "101" | "102" => &[Manhattan],
            "103" => &[StatenIsland],
            "104" => &[Bronx],
            "112" => &[Brooklyn],
            "111" | "113" | "114" | "116" => &[Queens],
            _ => &[],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boroughs(city: &str, zip: &str) -> Result<Vec<Borough>, NotInTown> {
        Town::read(Some(city), Some("NY"), Some(zip)).boroughs()
    }

    /// The directory and the services mean the same by a city's name.
    #[test]
    fn names_are_those_of_the_directory() {
        let text = include_str!("../../../sql/oca/geocode/2_reference.duckdb.sql");
        let (cities, rest) = text.split_once(") as known (city, borough, zone)").unwrap();
        let mut seen = 0;
        for known in cities.split("('").skip(1) {
            let Some((name, rest)) = known.split_once("', ") else { continue };
            let Some(code) = rest.chars().next().and_then(|digit| digit.to_digit(10)) else { continue };
            let borough = Borough::of_city(name).map(|borough| borough as u32);
            assert!(borough == Some(code) || NEW_YORK.contains(&name), "{name}: {borough:?}, {code}");
            seen += 1;
        }
        assert!(seen > 80, "only {seen} names");
        let (_, wide) = text.split_once("is_wide_city(name) as name in (").unwrap();
        let wide: Vec<_> = wide.split_once(')').unwrap().0.split('\'').skip(1).step_by(2).collect();
        // To the directory, the state alone is not a city's name.
        assert_eq!([&wide[..], &["NY"]].concat(), NEW_YORK);
        let (_, rest) = rest.split_once("unnest([").unwrap();
        let (list, _) = rest.split_once("])").unwrap();
        let names: Vec<_> = list.split('\'').skip(1).step_by(2).collect();
        assert_eq!(names, NEIGHBOURHOODS);
        assert_eq!(boroughs("Bushwick", "11237"), Ok(vec![Brooklyn]));
        assert_eq!(boroughs("Brooklyn NY", "11237"), Ok(vec![Brooklyn]));
        assert_eq!(boroughs("New York NY", "10001"), Ok(vec![Manhattan]));
        assert_eq!(boroughs("Bay Ridge", ""), Err(NotInTown::Outside));
        assert_eq!(boroughs("Hicksville", "10005"), Err(NotInTown::Outside));
    }

    #[test]
    fn city_and_postal_code_say_the_borough() {
        assert_eq!(boroughs("Brooklyn", ""), Ok(vec![Brooklyn]));
        assert_eq!(boroughs("", "10458-1234"), Ok(vec![Bronx]));
        assert_eq!(boroughs("St. Albans", "11412"), Ok(vec![Queens]));
        assert_eq!(boroughs("NEW YORK", "11201"), Ok(vec![Brooklyn]));
        assert_eq!(boroughs("New York", ""), Ok(vec![Manhattan]));
        assert_eq!(boroughs("Brokolyn", "11201"), Ok(vec![Brooklyn]), "mistyped");
        assert_eq!(boroughs("Marble Hill", "10463"), Ok(vec![Manhattan]));
        assert_eq!(boroughs("Bronx", "10463"), Ok(vec![Bronx]));
        assert_eq!(boroughs("New Yrok", "11201"), Ok(vec![Brooklyn]));
        assert_eq!(boroughs("Bronx", "11201"), Err(NotInTown::Contradiction));
        assert_eq!(boroughs("Brookln", "10005"), Err(NotInTown::Contradiction));
        for (city, zip) in [
            ("Yonkers", "10701"),
            ("Brooklyn", "14213"),
            ("Buffalo", ""),
            ("", "1"),
            ("", ""),
            ("Hicksville", "10005"),
            ("Brookln", ""),
        ] {
            assert_eq!(boroughs(city, zip), Err(NotInTown::Outside), "{city} {zip}");
        }
        let jersey = Town::read(Some("Brooklyn"), Some("NJ"), Some("11201"));
        assert_eq!(jersey.boroughs(), Err(NotInTown::Outside));
        assert!(jersey.is_outside_the_state());
        assert!(Town::read(None, None, Some("07030")).is_outside_the_state());
        assert!(!Town::read(None, Some("N.Y."), Some("14213")).is_outside_the_state());
    }

    #[test]
    fn a_place_may_be_called_by_its_borough() {
        let called = |city: &str, other: &str| Town::read(Some(city), None, None).is_called(other);
        assert!(
            called("Queens", "FLUSHING")
                && called("Manhattan", "NEW YORK")
                && called("Mt Vernon", "MOUNT VERNON")
        );
        assert!(!called("Kingwood", "HOUSTON") && !called("Brooklyn", "NEW YORK"));
    }
}
