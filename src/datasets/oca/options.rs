//! The options of the court extract alone.

use serde_json::Value;

use crate::dataset::Options;

const LEVEL: &str = "level";
const GEOCODE: &str = "geocode";
const GEOCODE_SECONDS: &str = "geocode_seconds";
const GEOSEARCH_URL: &str = "geosearch_url";
const CENSUS_URL: &str = "census_url";
const GEOCODE_REQUIRED: &str = "geocode_required";
/// Nobody says where an address is.
const NONE: &str = "none";
/// Who can.
pub(super) const GEOCODERS: [&str; 3] = ["pad", "geosearch", "census"];
/// Seconds that geocoders may be asked in a run.
const SECONDS: u64 = 600;

/// As they are typed.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Options of oca")]
pub struct OcaOptions {
    /// Access level of the feed: 2 has street addresses, 1 does not
    #[arg(long, env = "MODE", default_value = "1", value_name = "1|2")]
    pub level: String,
    /// Percentage of a batch's city addresses that must get a building lot; fewer stop the promotion
    #[arg(long, env = "MERGANSER_GEOCODE_REQUIRED", value_name = "P%")]
    pub geocode_required: Option<String>,
    #[command(flatten)]
    pub geocode: GeocodeOptions,
}

/// How addresses get coordinates, as it is typed.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Geocoding")]
pub struct GeocodeOptions {
    /// Which geocoders to ask, in this order: pad, geosearch, census; or none [default: pad if the store has
    /// a reference]
    #[arg(long, env = "MERGANSER_GEOCODE", value_name = "WAYS", value_delimiter = ',')]
    pub geocode: Vec<String>,
    /// Seconds one run may spend asking outside geocoders
    #[arg(long, env = "MERGANSER_GEOCODE_SECONDS", value_name = "SECONDS", default_value_t = SECONDS,
          value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub geocode_seconds: u64,
    /// Address of a GeoSearch other than New York City's
    #[arg(long, env = "MERGANSER_GEOSEARCH_URL", value_name = "URL")]
    pub geosearch_url: Option<String>,
    /// Address of a geocoder other than the Census Bureau's
    #[arg(long, env = "MERGANSER_CENSUS_URL", value_name = "URL")]
    pub census_url: Option<String>,
}

/// What the reference is made of, as it is typed.
#[derive(clap::Args, Clone, Debug)]
pub struct OcaReference {
    /// The Property Address Directory: its zip, or a folder with bobaadr.txt and bobabbl.txt
    #[arg(long, value_name = "ZIP|DIR|URL")]
    pub pad: String,
    /// PLUTO, as the planning department or the open-data portal has it
    #[arg(long, value_name = "CSV|ZIP|URL")]
    pub pluto: String,
    /// Census tracts, as the open-data portal has them, for oca_addresses_with_ct; needs PostGIS [default: those already loaded]
    #[arg(long, value_name = "CSV|ZIP|URL")]
    pub tracts: Option<String>,
}

impl OcaReference {
    /// The inputs by name.
    pub fn inputs(&self) -> Vec<(&'static str, String)> {
        let needed = [("pad", self.pad.clone()), ("pluto", self.pluto.clone())];
        needed.into_iter().chain(self.tracts.clone().map(|tracts| ("tracts", tracts))).collect()
    }
}

impl OcaOptions {
    /// What they mean.
    ///
    /// # Errors
    /// What is wrong, for the person who typed it.
    pub fn read(&self) -> Result<Options, String> {
        let text = self.level.trim().to_ascii_lowercase();
        let mut options = match text.trim_start_matches("level").trim_matches([' ', '-', '_', '=']) {
            "1" => of_level(1),
            "2" => of_level(2),
            _ => return Err(format!("the level (--level, MODE) is 1 or 2, not `{}`", self.level)),
        };
        options.extend(self.geocode.read()?);
        if let Some(text) = &self.geocode_required {
            let percent = text.trim().trim_end_matches('%').trim().parse::<f64>();
            let percent = percent.ok().filter(|percent| (0.0..=100.0).contains(percent));
            let percent = percent
                .ok_or_else(|| format!("--geocode-required is per cent from 0 to 100, not `{text}`"))?;
            options.insert(GEOCODE_REQUIRED.to_owned(), percent.into());
        }
        Ok(options)
    }
}

impl GeocodeOptions {
    /// What they mean; what is not typed is left out.
    ///
    /// # Errors
    /// What is wrong, for the person who typed it.
    pub fn read(&self) -> Result<Options, String> {
        let mut options = Options::new();
        let named: Vec<_> = self.geocode.iter().map(|way| way.trim().to_ascii_lowercase()).collect();
        for (at, way) in named.iter().enumerate() {
            if named[..at].contains(way) {
                return Err(format!("--geocode names {way} twice"));
            }
            if way != NONE && !GEOCODERS.contains(&way.as_str()) {
                return Err(format!("--geocode knows {} and none, not `{way}`", GEOCODERS.join(", ")));
            }
        }
        if named.len() > 1 && named.iter().any(|way| way == NONE) {
            return Err("--geocode none cannot be combined with others".into());
        }
        if !named.is_empty() {
            options.insert(GEOCODE.to_owned(), named.into());
        }
        if self.geocode_seconds != SECONDS {
            options.insert(GEOCODE_SECONDS.to_owned(), self.geocode_seconds.into());
        }
        for (name, url) in [(GEOSEARCH_URL, &self.geosearch_url), (CENSUS_URL, &self.census_url)] {
            if let Some(url) = url {
                options.insert(name.to_owned(), url.clone().into());
            }
        }
        Ok(options)
    }
}

/// The options with this access level: 2 keeps street lines, 1 drops them.
pub fn of_level(level: u8) -> Options {
    Options::from_iter([(LEVEL.to_owned(), level.into())])
}

/// The access level; 1, which keeps less, if the options do not say.
pub(super) fn level(options: &Options) -> u8 {
    if options.get(LEVEL).and_then(Value::as_u64) == Some(2) { 2 } else { 1 }
}

/// The ways of geocoding that are asked for by name; `None`: no word of it.
pub(super) fn geocoders(options: &Options) -> Option<Vec<&str>> {
    Some(options.get(GEOCODE)?.as_array()?.iter().filter_map(Value::as_str).collect())
}

/// Seconds that geocoders may be asked in a run.
pub(super) fn geocode_seconds(options: &Options) -> u64 {
    options.get(GEOCODE_SECONDS).and_then(Value::as_u64).unwrap_or(SECONDS)
}

/// The addresses of geocoders that have another than their own.
pub(super) fn geocoder_urls(options: &Options) -> Vec<(&'static str, String)> {
    let url = |name| options.get(name).and_then(Value::as_str).map(str::to_owned);
    let named = [("geosearch", url(GEOSEARCH_URL)), ("census", url(CENSUS_URL))];
    named.into_iter().filter_map(|(name, url)| Some((name, url?))).collect()
}

/// Per cent of the city's addresses that must get a lot; `None`: as many as do.
pub(super) fn geocode_required(options: &Options) -> Option<f64> {
    options.get(GEOCODE_REQUIRED).and_then(Value::as_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(level: &str) -> OcaOptions {
        OcaOptions {
            level: level.into(),
            geocode: GeocodeOptions { geocode_seconds: SECONDS, ..Default::default() },
            geocode_required: None,
        }
    }

    #[test]
    fn levels_are_read_as_people_write_them() {
        let read = |text: &str| typed(text).read().map(|options| level(&options));
        for (text, expected) in [("1", 1), ("2", 2), ("level2", 2), ("Level 1", 1), ("level-2", 2)] {
            assert_eq!(read(text).ok(), Some(expected), "{text}");
        }
        assert!(read("3").is_err() && read("").is_err());
        assert_eq!(level(&Options::new()), 1);
    }

    #[test]
    fn geocoders_are_named_once_and_none_stands_alone() {
        let read = |ways: &[&str]| {
            let mut options = typed("2");
            options.geocode.geocode = ways.iter().map(|way| (*way).to_owned()).collect();
            options.read()
        };
        assert_eq!(geocoders(&read(&[]).unwrap()), None);
        assert_eq!(geocoders(&read(&["PAD "]).unwrap()), Some(vec!["pad"]));
        assert_eq!(geocoders(&read(&["none"]).unwrap()), Some(vec!["none"]));
        for wrong in [&["pad", "pad"][..], &["none", "pad"], &["google"], &[""]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_required_is_per_cent() {
        let read = |text: &str| {
            let mut options = typed("2");
            options.geocode_required = Some(text.into());
            options.read().map(|options| geocode_required(&options))
        };
        assert_eq!(read("95%"), Ok(Some(95.0)));
        assert_eq!(read(" 99.5 % "), Ok(Some(99.5)));
        for wrong in ["", "101", "-1", "NaN", "many"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
