//! `merganser sample`: made-up data to try things with.

use super::demo;
use super::terminal::say;
use crate::cli::SampleArgs;
use crate::error::{Cause, Exit, Failure};
use crate::words;

/// Writes files like those of the source; serves them, if that is asked for.
pub async fn run(args: SampleArgs) -> Result<Exit, Failure> {
    let of = args.of.clone();
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
    demo::serve_sample(&of).await?;
    Ok(Exit::Done)
}
