//! The ZIP around a document: exactly one XML file, as large as the archive says, with the right checksum. Any other
//! archive is unreadable as a whole.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::value;
use crate::dataset::{Limits, ParseError};

/// Opens the archive and passes its document to `read`, which must read it to its end: only then are size and checksum
/// verified. `read` also gets the document's size in bytes. Names in the archive are compared, never used as paths.
///
/// Fails with [`ParseError::Io`] when the disk fails and with [`ParseError::Unreadable`] when the
/// archive is not what it should be.
pub(super) fn with_document<T>(
    path: &Path,
    limits: &Limits,
    read: impl FnOnce(Document<'_>, u64) -> Result<T, ParseError>,
) -> Result<T, ParseError> {
    let disk_error = |source| ParseError::Io { file: shown(path), source };
    let file = File::open(path).map_err(disk_error)?;
    let archive_bytes = file.metadata().map_err(disk_error)?.len();
    // Each file that the list names takes memory before it can be refused.
    let left = Rc::new(Cell::new(limits.list_bytes));
    let bounded = Bounded { file: BufReader::new(file), left: left.clone() };
    let mut archive = ZipArchive::new(bounded)
        .map_err(|error| zip_error(path, "is not a ZIP archive that can be read", error))?;
    left.set(u64::MAX);
    let index = only_document(&archive).map_err(|reason| unreadable(path, reason))?;
    let entry =
        archive.by_index(index).map_err(|error| zip_error(path, "its XML file cannot be unpacked", error))?;
    use zip::CompressionMethod::{Deflate64, Deflated, Stored};
    if !matches!(entry.compression(), Stored | Deflated | Deflate64) {
        let method = entry.compression();
        return Err(unreadable(path, format!("its XML file is packed as {method}, which is not read here")));
    }
    let (declared, packed) = (entry.size(), entry.compressed_size());
    // Otherwise the archive's own claims would be its only limit.
    if packed > archive_bytes {
        let reason = format!("its XML file declares {packed} packed bytes in an archive of {archive_bytes}");
        return Err(unreadable(path, reason));
    }
    // A small document may have any compression ratio: reading it costs little.
    let most =
        limits.unpacked_ratio.saturating_mul(packed).max(limits.ratio_free_bytes).min(limits.unpacked_bytes);
    if declared > most {
        let reason = format!(
            "its XML file declares {declared} bytes unpacked from {packed}; at most {} bytes and {} for one \
             packed byte are accepted",
            limits.unpacked_bytes, limits.unpacked_ratio
        );
        return Err(unreadable(path, reason));
    }
    read(Document { entry: Box::new(entry), declared, unpacked: 0 }, declared)
}

/// The error for a document whose stream failed.
pub(super) fn stream_error(path: &Path, source: io::Error) -> ParseError {
    if source.raw_os_error().is_some() {
        return ParseError::Io { file: shown(path), source };
    }
    unreadable(path, format!("the archive is damaged: {source}"))
}

/// The error for an unusable file.
pub(super) fn unreadable(path: &Path, reason: impl Into<String>) -> ParseError {
    ParseError::Unreadable { file: shown(path), reason: reason.into() }
}

/// The document's bytes, checked against what the archive declares.
pub(super) struct Document<'a> {
    entry: Box<dyn Read + 'a>,
    declared: u64,
    unpacked: u64,
}

impl Read for Document<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.entry.read(into)?;
        self.unpacked += bytes as u64;
        // The declared size was checked against the limits, so it stands for all of them.
        if self.unpacked > self.declared {
            return Err(invalid(format!("its XML file is larger than the declared {} bytes", self.declared)));
        }
        if bytes == 0 && !into.is_empty() && self.unpacked < self.declared {
            let Self { declared, unpacked, .. } = self;
            return Err(invalid(format!("its XML file has {unpacked} bytes and declares {declared}")));
        }
        Ok(bytes)
    }
}

/// A file with a limit of bytes that may be read.
struct Bounded {
    file: BufReader<File>,
    left: Rc<Cell<u64>>,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(into)?;
        let left = self.left.get().checked_sub(bytes as u64);
        self.left
            .set(left.ok_or_else(|| invalid("its list of files is too long, or has no end".to_owned()))?);
        Ok(bytes)
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// The position of the one XML file.
fn only_document<R: Read + io::Seek>(archive: &ZipArchive<R>) -> Result<usize, String> {
    // The archive's list keeps only one of several entries with the same name, and we cannot know which.
    if archive.has_duplicate_names() {
        return Err("holds several files of the same name".to_owned());
    }
    let (mut documents, mut is_encrypted) = (Vec::new(), false);
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|error| error.to_string())?;
        let name = entry.name_raw();
        if entry.is_dir() || !name.to_ascii_lowercase().ends_with(b".xml") || is_of_the_packer(name) {
            continue;
        }
        is_encrypted |= entry.encrypted();
        documents.push((index, name.to_vec()));
    }
    match documents.as_slice() {
        [] => Err("holds no XML file".to_owned()),
        [_] if is_encrypted => Err("is encrypted".to_owned()),
        [(index, _)] => Ok(*index),
        several => {
            let names =
                several.iter().take(5).map(|(_, name)| printable(name)).collect::<Vec<_>>().join(", ");
            let more = if several.len() > 5 { ", …" } else { "" };
            Err(format!("holds more than one XML file: {names}{more}"))
        }
    }
}

/// Whether an entry only describes another one, as those that macOS adds.
fn is_of_the_packer(name: &[u8]) -> bool {
    let mut parts = name.split(|byte| matches!(byte, b'/' | b'\\'));
    let is_own = |part: &[u8]| part.starts_with(b"._");
    parts.next() == Some(b"__MACOSX")
        || name.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().is_some_and(is_own)
}

/// A name as it can be shown: it may hold anything.
fn printable(name: &[u8]) -> String {
    value::cut(&String::from_utf8_lossy(name).escape_debug().to_string(), 100)
}

fn zip_error(path: &Path, what: &str, error: ZipError) -> ParseError {
    match error {
        ZipError::Io(source) if source.raw_os_error().is_some() => {
            ParseError::Io { file: shown(path), source }
        }
        error => unreadable(path, format!("{what}: {error}")),
    }
}

/// The file's name without its directories.
fn shown(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
