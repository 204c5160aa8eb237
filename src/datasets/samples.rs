//! Made-up data of the datasets: what each can be asked for, and what was written.

use std::path::PathBuf;

use jiff::civil::Date;

use super::{catalog, commits, datapoints, nass, oca};

/// A dataset of which there is made-up data, with what it can be asked for.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum SampleOf {
    /// Housing-court cases: one file, as the court sends it
    Oca(oca::sample::ExtractArgs),
    /// Crop statistics: a bulk file a sector, as Quick Stats has them
    Nass(nass::sample::RecordsArgs),
    /// Hand-kept sheets of projects, with errors where they are asked for
    Catalog(catalog::sample::SheetsArgs),
    /// Daily counts by postcode: places, and a file a month
    Datapoints(datapoints::sample::PointsArgs),
    /// Commit histories: repositories of git with everything strange that there is, and a list of projects
    Commits(commits::sample::HistoriesArgs),
}

/// How much of each dataset its demo makes up.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct DemoSizes {
    /// oca: cases in the sample
    #[arg(long, default_value_t = 5_000, value_name = "N")]
    pub cases: u64,
    /// nass: records in the sample, 1,000 to 1,000,000
    #[arg(long, default_value_t = 60_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
    pub records: u64,
    /// serve: data points in the sample
    #[arg(long, default_value_t = 200_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub points: u64,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleWritten {
    pub files: Vec<PathBuf>,
    /// What is in them: the word for one of it, and how many.
    pub counted: Vec<(&'static str, u64)>,
    /// What the text in them is written in.
    pub format: &'static str,
    pub text_bytes: u64,
    pub packed_bytes: u64,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SampleFault {
    #[error(transparent)]
    Extract(#[from] oca::sample::SampleError),
    #[error(transparent)]
    Records(#[from] nass::sample::RecordsSampleError),
    #[error(transparent)]
    Sheets(#[from] catalog::sample::SheetsSampleError),
    #[error(transparent)]
    Points(#[from] datapoints::sample::PointsSampleError),
    #[error(transparent)]
    Histories(#[from] commits::sample::HistoriesFault),
}

impl SampleFault {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Histories(commits::sample::HistoriesFault::NoGit(_)) => {
                "install git, then run the same command again"
            }
            _ => {
                "see that the folder can be written and that the options fit together (merganser help sample)"
            }
        }
    }
}

impl SampleOf {
    /// Writes it; `today` stands for a day that was not asked for.
    ///
    /// # Errors
    /// What is wrong with the options, or why a file cannot be written.
    pub fn write(self, today: Date) -> Result<SampleWritten, SampleFault> {
        match self {
            Self::Oca(args) => {
                let (options, reference) = args.options(today);
                let file = match &reference {
                    Some(reference) => oca::sample::write_sample_with_reference(&options, reference)?,
                    None => oca::sample::write_sample(&options)?,
                };
                let counted =
                    [("case", file.cases), ("delete", file.deletes), ("malformed record", file.malformed)];
                Ok(SampleWritten {
                    files: std::iter::once(file.path)
                        .chain(reference.map(|it| it.dir.join("truth.csv")))
                        .collect(),
                    counted: counted.to_vec(),
                    format: "XML",
                    text_bytes: file.xml_bytes,
                    packed_bytes: file.zip_bytes,
                })
            }
            Self::Catalog(args) => {
                let written = catalog::sample::write_sheets(&args.options())?;
                Ok(SampleWritten {
                    files: written.files,
                    counted: vec![("row", written.rows), ("planted error", written.planted)],
                    format: "CSV",
                    text_bytes: written.bytes,
                    packed_bytes: written.bytes,
                })
            }
            Self::Datapoints(args) => {
                let written = datapoints::sample::write_points(&args)?;
                Ok(SampleWritten {
                    files: written.files,
                    counted: vec![("place", written.places), ("data point", written.rows)],
                    format: "CSV",
                    text_bytes: written.text_bytes,
                    packed_bytes: written.packed_bytes,
                })
            }
            Self::Nass(args) => {
                let files = nass::sample::write_records(&args.options(today))?;
                let sum = |of: fn(&nass::sample::SectorFile) -> u64| files.iter().map(of).sum();
                Ok(SampleWritten {
                    counted: vec![("record", sum(|file| file.records))],
                    format: "text",
                    text_bytes: sum(|file| file.text_bytes),
                    packed_bytes: sum(|file| file.packed_bytes),
                    files: files.into_iter().map(|file| file.path).collect(),
                })
            }
            Self::Commits(args) => {
                let made = commits::sample::write_histories(&args)?;
                Ok(SampleWritten {
                    files: vec![made.list],
                    counted: vec![("repository", made.repositories), ("commit", made.commits)],
                    format: "text",
                    text_bytes: made.text_bytes,
                    packed_bytes: made.packed_bytes,
                })
            }
        }
    }
}
