//! The arguments of `merganser sample nass`.

use std::path::PathBuf;

use jiff::civil::Date;

use super::RecordsSample;

/// The arguments as they are typed.
#[derive(clap::Args, Clone, Debug)]
pub struct RecordsArgs {
    /// Records of all sectors together
    #[arg(long, value_name = "N")]
    pub records: u64,
    /// Folder for the files
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The same seed makes the same files
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// The first year
    #[arg(long, default_value_t = 2000, value_name = "YEAR")]
    pub from: i16,
    /// The last year
    #[arg(long, default_value_t = 2024, value_name = "YEAR")]
    pub to: i16,
    /// How often the records were revised: each time a fiftieth of them has another value and a newer load time
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u16).range(..=50))]
    pub revision: u16,
    /// The day in the names of the files [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub day: Option<Date>,
}

impl RecordsArgs {
    /// The options for a sample.
    pub fn options(self, today: Date) -> RecordsSample {
        RecordsSample {
            records: self.records,
            seed: self.seed,
            years: (self.from, self.to),
            revision: self.revision,
            day: self.day.unwrap_or(today),
            out: self.out,
        }
    }
}
