//! The names of the extract's files, and the order in which the files are processed.

use jiff::civil::Date;

use crate::dataset::FileName;

/// Reads `LandlordTenant.Initial.FiledInYYYY.YYYY-MM-DD.zip` or `LandlordTenant.Incr.YYYY-MM-DD.zip`
/// (a bare name, no directories); `None` for any other name and for an invalid date. Files
/// count by run date, on one date the initial extracts before the incremental one (rule 4).
pub fn file_name(name: &str) -> Option<FileName> {
    let stem = name.strip_prefix("LandlordTenant.")?.strip_suffix(".zip")?;
    let (rank, date) = match stem.strip_prefix("Incr.") {
        Some(date) => (1, date),
        None => {
            let (year, date) = stem.strip_prefix("Initial.FiledIn")?.split_once('.')?;
            number(year, 4)?;
            (0, date)
        }
    };
    let run_date = date_of(date)?;
    Some(FileName { run_date: Some(run_date), order_key: format!("{run_date}/{rank}") })
}

/// Why a name that looks like one of the feed's is not accepted: a copy, a correction, another spelling. `None` for the
/// feed's own names and for unrelated ones.
pub fn near_name(name: &str) -> Option<&'static str> {
    let letters: String = name.chars().filter(char::is_ascii_alphabetic).collect();
    if file_name(name).is_some() || !letters.to_ascii_lowercase().contains("landlordtenant") {
        return None;
    }
    let stem = name.strip_suffix(".zip");
    let begins = |stem: &str| {
        (1..stem.len())
            .any(|end| stem.get(..end).is_some_and(|start| file_name(&format!("{start}.zip")).is_some()))
    };
    Some(match stem {
        None if name.to_ascii_lowercase().ends_with(".zip") => "it does not end in .zip, in small letters",
        None => "it does not end in .zip",
        Some(stem) if begins(stem) => "something follows its run date",
        Some(_) => {
            "it is neither LandlordTenant.Incr.YYYY-MM-DD.zip nor LandlordTenant.Initial.FiledInYYYY.YYYY-MM-DD.zip"
        }
    })
}

/// `YYYY-MM-DD` and nothing else; a real date of the years 1 to 9999.
pub(super) fn date_of(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4).filter(|year| *year > 0)?;
    let (month, day) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    Date::new(year, month as i8, day as i8).ok()
}

/// A number of exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<i16> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn both_kinds_are_read() {
        let initial = file_name("LandlordTenant.Initial.FiledIn2019.2026-11-14.zip").unwrap();
        assert_eq!(
            (initial.run_date, initial.order_key.as_str()),
            (Some(date(2026, 11, 14)), "2026-11-14/0")
        );
        let weekly = file_name("LandlordTenant.Incr.2024-02-29.zip").unwrap();
        assert_eq!((weekly.run_date, weekly.order_key.as_str()), (Some(date(2024, 2, 29)), "2024-02-29/1"));
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "",
            "LandlordTenant.Incr.2023-02-29.zip",
            "LandlordTenant.Incr.2023-2-9.zip",
            "LandlordTenant.Incr.0000-02-09.zip",
            "LandlordTenant.Incr.2023-02-09.zip.part",
            "LandlordTenant.Incr.2023-02-09-1.zip",
            "LandlordTenant.Incr.+023-02-09.zip",
            "landlordtenant.Incr.2023-02-09.zip",
            "a/LandlordTenant.Incr.2023-02-09.zip",
            "LandlordTenant.Initial.2023-02-09.zip",
            "LandlordTenant.Initial.FiledIn23.2023-02-09.zip",
            "LandlordTenant.Initial.FiledIn2023.2023-02-30.zip",
            "LandlordTenant.Initial.FiledIn2023.x.2023-02-03.zip",
        ] {
            assert_eq!(file_name(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_nearly_match_are_known() {
        for (name, why) in [
            ("LandlordTenant.Incr.2023-02-09.ZIP", "small letters"),
            ("LandlordTenant.Incr.2023-02-09.zip.part", "does not end in .zip"),
            ("LandlordTenantExtract.xml", "does not end in .zip"),
            ("LandlordTenant.Incr.2023-02-09 (1).zip", "follows its run date"),
            ("LandlordTenant.Initial.FiledIn2020.2023-02-09-corrected.zip", "follows its run date"),
            ("LandlordTenant.Level2.Incr.2023-02-09.zip", "neither"),
            ("landlord_tenant.incr.2023-02-09.zip", "neither"),
            ("LandlordTenant.Incr.2023-02-30.zip", "neither"),
            ("é LandlordTenant.zip", "neither"),
        ] {
            let near = near_name(name);
            assert!(near.is_some_and(|near| near.contains(why)), "{name}: {near:?}");
        }
        for name in
            ["LandlordTenant.Incr.2023-02-09.zip", "", "readme.txt", "Landlord.zip", "last-updated-date.txt"]
        {
            assert_eq!(near_name(name), None, "{name}");
        }
    }

    #[test]
    fn files_sort_by_run_date_then_kind() {
        let sorted = [
            "LandlordTenant.Incr.2025-12-31.zip",
            "LandlordTenant.Initial.FiledIn2018.2026-01-01.zip",
            "LandlordTenant.Incr.2026-01-01.zip",
            "LandlordTenant.Initial.FiledIn2016.2026-01-02.zip",
        ];
        let keys: Vec<_> = sorted.iter().map(|name| file_name(name).unwrap().order_key).collect();
        assert!(keys.is_sorted());
    }
}
