//! Options of the metrics.

use jiff::civil::Date;

use crate::dataset::Options;

/// Options of the dataset `metrics`.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Options of metrics")]
pub struct MetricsOptions {
    /// metrics: the last month that counts [default: the last whole month]
    #[arg(long, env = "MERGANSER_AS_OF", value_name = "YYYY-MM")]
    pub as_of: Option<String>,
}

const AS_OF: &str = "as_of";

impl MetricsOptions {
    /// The options as the ledger keeps them, with defaults for this day.
    ///
    /// # Errors
    /// An error message for the user.
    pub fn read(&self, today: Date) -> Result<Options, String> {
        let month = match &self.as_of {
            Some(text) => match month(text)? {
                month if month <= today => month,
                _ => return Err(format!("--as-of {text}: this month is in the future")),
            },
            None => today.first_of_month().yesterday().map_err(|error| error.to_string())?.first_of_month(),
        };
        Ok(Options::from_iter([(AS_OF.to_owned(), month.to_string().into())]))
    }
}

/// The first day of a typed month.
fn month(text: &str) -> Result<Date, String> {
    let is_shape = text.len() == 7 && text.as_bytes()[4] == b'-';
    let day = format!("{text}-01").parse::<Date>().ok().filter(|_| is_shape);
    day.ok_or_else(|| format!("--as-of {text}: not a month as YYYY-MM"))
}

/// The scripts' variables made from the options.
pub(super) fn variables(options: &Options) -> Vec<(&'static str, String)> {
    let as_of = options.get(AS_OF).and_then(serde_json::Value::as_str);
    vec![(AS_OF, as_of.unwrap_or("1970-01-01").to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_of(typed: Option<&str>, today: &str) -> Result<String, String> {
        let options = MetricsOptions { as_of: typed.map(str::to_owned) };
        options.read(today.parse().unwrap()).map(|options| variables(&options)[0].1.clone())
    }

    #[test]
    fn the_last_whole_month_counts_if_nobody_says_another() {
        assert_eq!(as_of(None, "2026-11-26").unwrap(), "2026-10-01");
        assert_eq!(as_of(None, "2026-01-31").unwrap(), "2025-12-01");
        assert_eq!(as_of(Some("2024-02"), "2026-11-26").unwrap(), "2024-02-01");
        for bad in ["2024", "2024-13", "2024-02-01", "Feb 2024", "2024/02"] {
            assert!(as_of(Some(bad), "2026-11-26").unwrap_err().contains("YYYY-MM"), "{bad}");
        }
    }
}
