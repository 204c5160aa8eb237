//! `merganser sample`: made-up data to try things with.

use super::terminal::say;
use crate::cli::SampleArgs;
use crate::datasets::oca::OCA;
use crate::datasets::oca::sample::{
    SampleOptions, SampleReference, write_sample, write_sample_with_reference,
};
use crate::error::{Cause, Exit, Failure};
use crate::words;

/// Writes a file like those of the feed.
pub fn run(args: SampleArgs) -> Result<Exit, Failure> {
    if args.dataset.name != OCA.name {
        return Err(Cause::usage(format!("there is no sample of {}", args.dataset.name)).into());
    }
    let options = SampleOptions {
        cases: args.cases,
        out: args.out,
        seed: args.seed,
        run_date: args.run_date.unwrap_or_else(|| jiff::Zoned::now().date()),
        initial: args.initial,
        level: args.level,
        deletes: args.deletes,
        malformed: args.malformed,
    };
    let sample = match args.reference {
        Some(dir) => {
            let reference = SampleReference { dir, lots: args.lots };
            let sample = write_sample_with_reference(&options, &reference).map_err(Cause::from)?;
            let dir = reference.dir.display();
            tracing::info!(
                "its addresses are in the directory in {dir}; what is true of them is in truth.csv there"
            );
            sample
        }
        None => write_sample(&options).map_err(Cause::from)?,
    };
    say(&format!("{}\n", sample.path.display()));
    tracing::info!(
        cases = sample.cases,
        deletes = sample.deletes,
        malformed = sample.malformed,
        xml_bytes = sample.xml_bytes,
        zip_bytes = sample.zip_bytes,
        "{} cases, {} deletes, {} malformed; {} of XML, {} zipped",
        words::count(sample.cases),
        words::count(sample.deletes),
        words::count(sample.malformed),
        words::size(sample.xml_bytes),
        words::size(sample.zip_bytes)
    );
    Ok(Exit::Done)
}
