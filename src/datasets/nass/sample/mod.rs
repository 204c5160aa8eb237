//! Makes bulk files like those of Quick Stats, for demonstrations, tests and benchmarks.
//!
//! In: the number of records, a seed, years. Out: a packed file for each sector; each appears under its name when it is
//! complete.
//!
//! # Which records there are
//! Each sector, year, source and place has a share of the records according to its weight: a census year has some five times as
//! many as another, California more than Nevada, the first county of a state more than the last. The records of a place are a
//! selection from all pairs of a series and a domain or time. No pair is taken twice, so no two records have the same key. Most
//! pairs are the same in each place and year: first the headlines (such as yields of corn), then one statistic of one commodity
//! in all its domains, which a small limit cannot split any further.
//!
//! A revision changes the values and the load times of a fiftieth of the records, and adds and removes none.

mod args;
mod catalogue;
mod details;
mod maker;
mod places;
mod values;
mod year;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

use jiff::civil::Date;

pub use self::args::RecordsArgs;
use self::maker::Maker;
use super::bulk::{SECTORS, file_name, packer};

/// The options of a sample.
#[derive(Clone, Debug)]
pub struct RecordsSample {
    /// The number of records in all sectors together.
    pub records: u64,
    /// The same options give the same bytes.
    pub seed: u64,
    /// The first and the last year.
    pub years: (i16, i16),
    /// How often the records were revised.
    pub revision: u16,
    /// The day in the names of the files.
    pub day: Date,
    /// The folder for the files; it is created if it is missing.
    pub out: PathBuf,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectorFile {
    pub path: PathBuf,
    pub records: u64,
    /// The size of the file, and of its unpacked content.
    pub packed_bytes: u64,
    pub text_bytes: u64,
}

/// The reasons why no sample was written.
#[derive(Debug, thiserror::Error)]
pub enum RecordsSampleError {
    #[error("no such sample can be made: {0}")]
    Options(String),
    #[error("cannot write {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// Writes a file for each sector; existing ones are replaced. Takes two threads and some ten megabytes, whatever the number of
/// records.
///
/// # Errors
/// The options are not valid, or a file cannot be written; files of earlier sectors may have been written before.
pub fn write_records(options: &RecordsSample) -> Result<Vec<SectorFile>, RecordsSampleError> {
    let maker = Maker::new(options)?;
    let failed = |path: &Path, source| RecordsSampleError::Io { path: path.to_owned(), source };
    fs::create_dir_all(&options.out).map_err(|error| failed(&options.out, error))?;
    let mut files = Vec::new();
    for (sector, (_, name)) in SECTORS.iter().enumerate() {
        let path = options.out.join(file_name(name, options.day));
        files.push(write_sector(&maker, sector, &path).map_err(|error| failed(&path, error))?);
    }
    Ok(files)
}

/// The bytes of a chunk for the packing thread, and how many chunks may wait.
const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS: usize = 8;

fn write_sector(maker: &Maker<'_>, sector: usize, path: &Path) -> io::Result<SectorFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sample-").suffix(".part");
    // Temporary files are private to their owner, but a sample should be readable for other accounts, too.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let part = builder.tempfile_in(folder)?;
    let (sender, chunks) = sync_channel::<Vec<u8>>(CHUNKS);
    // The receiver is moved in, so that a failure here ends the other thread as well.
    let (records, text_bytes) = thread::scope(move |scope| -> io::Result<(u64, u64)> {
        let made = scope.spawn(move || maker.make(sector, &sender));
        let mut packer = packer(io::BufWriter::with_capacity(CHUNK_BYTES, part.as_file()));
        let mut text_bytes = 0;
        for chunk in chunks {
            packer.write_all(&chunk)?;
            text_bytes += chunk.len() as u64;
        }
        packer.finish()?.flush()?;
        part.persist(path).map_err(|error| error.error)?;
        Ok((made.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), text_bytes))
    })?;
    Ok(SectorFile { path: path.to_owned(), records, packed_bytes: fs::metadata(path)?.len(), text_bytes })
}

#[cfg(test)]
mod tests;
