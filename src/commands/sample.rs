//! `merganser sample`: made-up data to try things with.

use super::terminal::say;
use crate::cli::SampleArgs;
use crate::error::{Cause, Exit, Failure};
use crate::words;

/// Writes files like those of the source.
pub fn run(args: SampleArgs) -> Result<Exit, Failure> {
    let sample = args.of.write(jiff::Zoned::now().date()).map_err(Cause::from)?;
    for file in &sample.files {
        say(&format!("{}\n", file.display()));
    }
    let counted: Vec<_> = sample.counted.iter().map(|(what, number)| words::counted(*number, what)).collect();
    tracing::info!(
        text_bytes = sample.text_bytes,
        packed_bytes = sample.packed_bytes,
        "{}; {} of {}, {} packed",
        counted.join(", "),
        words::size(sample.text_bytes),
        sample.format,
        words::size(sample.packed_bytes)
    );
    Ok(Exit::Done)
}
