//! What `merganser sample catalog` can be asked for.

use std::path::PathBuf;

use super::SheetsSample;

/// The arguments, as they are typed.
#[derive(clap::Args, Clone, Debug)]
pub struct SheetsArgs {
    /// Projects in the sheets
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub projects: u32,
    /// Errors that are planted, each in a row of its own; planted.csv says where
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub errors: u32,
    /// The same seed makes the same sheets
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Folder for the sheets
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

impl SheetsArgs {
    /// What the sample shall hold.
    pub fn options(self) -> SheetsSample {
        SheetsSample { projects: self.projects, errors: self.errors, seed: self.seed, out: self.out }
    }
}
