//! Reads a file as lines of named cells: the columns may be in any order, and a file that was cut off is noticed.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::unpack;
use crate::dataset::{ParseError, ParseInput};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The lines of one file.
pub(super) struct PointLines {
    reader: Reader<Watched>,
    ends: Rc<Cell<Ends>>,
    file: String,
    /// The place of each wanted column.
    places: Vec<usize>,
    /// The cells of the header, in lower case.
    names: Vec<String>,
    /// The number of the current line; the header is line 1.
    line: u64,
    record: ByteRecord,
    /// They come from Parquet, which has no quotes.
    is_parquet: bool,
    /// The most bytes that the unpacked file may have.
    most_bytes: u64,
}

/// What is known about the bytes that were read.
#[derive(Clone, Copy, Default)]
struct Ends {
    bytes: u64,
    last: u8,
}

/// Counts the bytes that are read, and keeps the last one.
struct Watched {
    inner: Box<dyn Read>,
    ends: Rc<Cell<Ends>>,
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        let mut ends = self.ends.get();
        ends.bytes += read as u64;
        ends.last = into[..read].last().copied().unwrap_or(ends.last);
        self.ends.set(ends);
        Ok(read)
    }
}

impl PointLines {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// The file cannot be read, or is empty.
    pub(super) fn open(input: &ParseInput<'_>) -> Result<Self, ParseError> {
        let file = input.path.display().to_string();
        let inner =
            unpack::open(input.path).map_err(|source| ParseError::Io { file: file.clone(), source })?;
        let ends = Rc::new(Cell::new(Ends::default()));
        let inner: Box<dyn Read> = Box::new(inner.take(input.limits.unpacked_bytes.saturating_add(1)));
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(256 << 10)
            .from_reader(Watched { inner, ends: ends.clone() });
        let record = ByteRecord::new();
        let (places, names) = (Vec::new(), Vec::new());
        let most_bytes = input.limits.unpacked_bytes;
        let is_parquet = input.name.ends_with(".parquet");
        let mut lines = Self { reader, ends, file, places, names, line: 0, record, is_parquet, most_bytes };
        if !lines.read()? {
            return Err(lines.unreadable("it is empty: not even a header"));
        }
        let name = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes.strip_prefix(BOM).unwrap_or(bytes)).trim().to_ascii_lowercase()
        };
        lines.names = lines.record.iter().map(name).collect();
        Ok(lines)
    }

    /// Finds the columns that are wanted; gives those that nobody wants.
    ///
    /// # Errors
    /// The header lacks a wanted column, or names it twice.
    pub(super) fn want(&mut self, wanted: &[&'static str]) -> Result<Vec<String>, ParseError> {
        for wanted in wanted {
            let mut found = self.names.iter().enumerate().filter(|(_, name)| name == wanted);
            match (found.next(), found.next()) {
                (Some((at, _)), None) => self.places.push(at),
                (None, _) => return Err(self.unreadable(&format!("its header names no column {wanted}"))),
                _ => return Err(self.unreadable(&format!("its header names the column {wanted} twice"))),
            }
        }
        Ok(self.names.iter().filter(|name| !wanted.contains(&name.as_str())).cloned().collect())
    }

    /// Reads the next line; returns false at the end of the file.
    ///
    /// # Errors
    /// The file is damaged or was cut off. Then nothing of it counts, because its last day would be incomplete.
    pub(super) fn advance(&mut self) -> Result<bool, ParseError> {
        let is_read = self.read()?;
        if !is_read && self.ends.get().last != b'\n' {
            return Err(self.unreadable("it breaks off: its last line has no end (a newline)"));
        }
        Ok(is_read)
    }

    fn read(&mut self) -> Result<bool, ParseError> {
        self.line += 1;
        let is_read = self.reader.read_byte_record(&mut self.record).map_err(|error| {
            self.unreadable(&format!("it is damaged, or breaks off, after line {}: {error}", self.line - 1))
        })?;
        // A file that is cut off at the limit would look as if it ended there.
        if self.ends.get().bytes > self.most_bytes {
            let most = self.most_bytes;
            return Err(
                self.unreadable(&format!("unpacked it is larger than {most} bytes: split it by days"))
            );
        }
        // A missing end of a quotation would put all lines up to the next quotation mark, or to the end, into one cell.
        if is_read && self.record.as_slice().contains(&b'\n') {
            let line = self.line;
            let cause = if self.is_parquet { "" } else { ": is a closing quote missing?" };
            return Err(self.unreadable(&format!("a cell in line {line} has more than one line{cause}")));
        }
        Ok(is_read)
    }

    /// The number of the current line, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The offset of its first byte in the unpacked file.
    pub(super) fn offset_bytes(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::byte)
    }

    /// The number of unpacked bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.ends.get().bytes
    }

    /// A description of the fault if the line does not have as many cells as the header; otherwise `None`.
    pub(super) fn misfit(&self) -> Option<String> {
        let (found, wanted) = (self.record.len(), self.names.len());
        (found != wanted).then(|| format!("it has {found} columns, and the header has {wanted}"))
    }

    /// The cell of a wanted column without surrounding blanks; `None`: it is not valid text.
    pub(super) fn cell(&self, wanted: usize) -> Option<&str> {
        let bytes = self.record.get(*self.places.get(wanted)?)?;
        let text = std::str::from_utf8(bytes).ok()?;
        (!text.contains('\0')).then_some(text.trim())
    }

    /// The line as text.
    pub(super) fn text(&self) -> String {
        self.record.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(",")
    }

    fn unreadable(&self, reason: &str) -> ParseError {
        ParseError::Unreadable { file: self.file.clone(), reason: reason.to_owned() }
    }
}
