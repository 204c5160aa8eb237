//! What `merganser sample oca` can be asked for.

use std::path::PathBuf;

use jiff::civil::Date;

use super::{SampleOptions, SampleReference};

/// The arguments, as they are typed.
#[derive(clap::Args, Clone, Debug)]
pub struct ExtractArgs {
    /// Cases, deletes not counted
    #[arg(long, value_name = "N")]
    pub cases: u64,
    /// Folder for the file
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The same seed makes the same file
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Run date of the extract [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub run_date: Option<Date>,
    /// An initial extract: every case filed in this year [default: an incremental one]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=2200))]
    pub initial: Option<i16>,
    /// 2 has street addresses, 1 has not
    #[arg(long, default_value_t = 1, value_name = "1|2", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub level: u8,
    /// Deleted cases at the end
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub deletes: u64,
    /// Cases that are broken in one field
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub malformed: u64,
    /// Folder for an address directory, tax lots and census tracts that the addresses are in, and for truth.csv, what is true
    /// of each [takes --level 2]
    #[arg(long, value_name = "DIR")]
    pub reference: Option<PathBuf>,
    /// Lots of that directory, about; 4,000 to 1,000,000
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    pub lots: u64,
}

impl ExtractArgs {
    /// What the sample shall hold, and the city that its addresses are in.
    pub fn options(self, today: Date) -> (SampleOptions, Option<SampleReference>) {
        let reference = self.reference.map(|dir| SampleReference { dir, lots: self.lots });
        let options = SampleOptions {
            cases: self.cases,
            out: self.out,
            seed: self.seed,
            run_date: self.run_date.unwrap_or(today),
            initial: self.initial,
            level: self.level,
            deletes: self.deletes,
            malformed: self.malformed,
        };
        (options, reference)
    }
}
