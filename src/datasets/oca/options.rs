//! The options of the court extract alone.

use crate::dataset::Options;

const LEVEL: &str = "level";

/// As they are typed.
#[derive(clap::Args, Clone, Debug)]
pub struct OcaOptions {
    /// Access level of the feed: 2 has street addresses, 1 has not
    #[arg(long, env = "MODE", default_value = "1", value_name = "1|2")]
    pub level: String,
}

impl OcaOptions {
    /// What they mean.
    ///
    /// # Errors
    /// What is wrong, for the person who typed it.
    pub fn read(&self) -> Result<Options, String> {
        let text = self.level.trim().to_ascii_lowercase();
        match text.trim_start_matches("level").trim_matches([' ', '-', '_', '=']) {
            "1" => Ok(of_level(1)),
            "2" => Ok(of_level(2)),
            _ => Err(format!("the level (--level, MODE) is 1 or 2, not `{}`", self.level)),
        }
    }
}

/// The options with this access level: 2 keeps street lines, 1 drops them.
pub fn of_level(level: u8) -> Options {
    Options::from_iter([(LEVEL.to_owned(), level.into())])
}

/// The access level; 1, which keeps less, if the options do not say.
pub(super) fn level(options: &Options) -> u8 {
    if options.get(LEVEL).and_then(serde_json::Value::as_u64) == Some(2) { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_people_write_them() {
        let read = |text: &str| OcaOptions { level: text.into() }.read().map(|options| level(&options));
        for (text, expected) in [("1", 1), ("2", 2), ("level2", 2), ("Level 1", 1), ("level-2", 2)] {
            assert_eq!(read(text).ok(), Some(expected), "{text}");
        }
        assert!(read("3").is_err() && read("").is_err());
        assert_eq!(level(&Options::new()), 1);
    }
}
