//! Parses an answer of the service or a bulk file, line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use csv::{ByteRecord, ReaderBuilder};
use sha2::{Digest, Sha256};

use super::columns::{COLUMNS, NATURAL_KEY, SECTOR, YEAR};
use super::facts::{CV, FACTS, VALUE, field, fields};
use super::rows::{Fact, FactsWriter};
use super::sought::{ValueSearch, text_of};
use super::unpack::Unpacking;
use super::value::{self, Figure};
use crate::dataset::records::RecordPlace;
use crate::dataset::slice::{Slice, SliceTest};
use crate::dataset::{CellSource, FailedRecord, ParseError, ParseInput, Parsed, Sink, Unknown};
use crate::words::hex;

/// The number of records between two reports of progress.
const SAY_EVERY: u64 = 5_000;
/// The characters that are kept of a failed value.
const VALUE_CHARS: usize = 500;
/// What looks like a year. A country's code has four digits, too.
const YEARS: std::ops::RangeInclusive<i32> = 1800..=2200;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Parses a file, which may be packed, may use commas with quotes or tabs without, and may begin with a byte order mark.
pub(super) fn parse(input: &ParseInput<'_>, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
    let file = input.path.display().to_string();
    let io = |source| ParseError::Io { file: file.clone(), source };
    let mut packed = BufReader::with_capacity(256 << 10, File::open(input.path).map_err(io)?);
    let is_packed = packed.fill_buf().map_err(io)?.starts_with(&GZIP);
    let mut plain: Box<dyn BufRead> = match is_packed {
        true => Box::new(Unpacking::begin(packed).map_err(io)?),
        false => Box::new(packed),
    };
    let unreadable = |reason: &str| ParseError::Unreadable { file: file.clone(), reason: reason.to_owned() };
    let start = plain.fill_buf().map_err(|_| unreadable("it is damaged"))?;
    let bom = if start.starts_with(BOM) { BOM.len() } else { 0 };
    plain.consume(bom);
    let first = plain.fill_buf().map_err(|_| unreadable("it is damaged"))?;
    super::feed::begins(first).map_err(|what| unreadable(&format!("it {what}")))?;
    let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_bulk = line.contains(&b'\t');
    let mut reader = ReaderBuilder::new()
        .delimiter(if is_bulk { b'\t' } else { b',' })
        .quoting(!is_bulk)
        .flexible(true)
        .has_headers(false)
        .from_reader(plain.take(input.limits.unpacked_bytes));
    let mut record = ByteRecord::new();
    match reader.read_byte_record(&mut record) {
        Ok(true) => {}
        _ => return Err(unreadable("it has no header line")),
    }
    let (header, unknown) = Header::of(&record).map_err(|reason| unreadable(&reason))?;
    let wanted = wanted(input.slice, &header, is_bulk);
    let mut parser = Parser {
        input,
        search: if is_bulk { ValueSearch::of(&wanted) } else { ValueSearch::default() },
        wanted,
        header,
        key: NATURAL_KEY.iter().filter_map(|name| place(name)).collect(),
        value: place(VALUE).unwrap_or_default(),
        cv: place(CV).unwrap_or_default(),
        holds_more: is_bulk || input.holds_more,
        lines: 0,
        writer: FactsWriter::new(input),
        parsed: Parsed { complete: true, unknown, ..Parsed::default() },
    };
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            // Packed data was cut off or is damaged: the records before are good.
            Err(_) => {
                parser.parsed.complete = false;
                break;
            }
        }
        parser.record(&record, sink)?;
        if parser.lines.is_multiple_of(SAY_EVERY) {
            sink.progress(parser.parsed.records_seen, reader.position().byte(), 0);
        }
    }
    parser.writer.flush(sink)?;
    parser.parsed.document_bytes = reader.position().byte();
    parser.parsed.unseen = parser.search.unseen();
    Ok(parser.parsed)
}

/// The place of each field in a line.
struct Header {
    columns: usize,
    /// In the order of `fields`.
    places: Vec<usize>,
}

impl Header {
    /// # Errors
    /// The missing fields.
    fn of(record: &ByteRecord) -> Result<(Self, std::collections::BTreeMap<String, Unknown>), String> {
        let mut unknown = std::collections::BTreeMap::new();
        let mut found: Vec<Option<&str>> = Vec::new();
        for cell in record {
            let name = String::from_utf8_lossy(cell);
            let known = field(&name).filter(|known| !found.contains(&Some(known)));
            if known.is_none() {
                unknown.insert(name.trim().to_owned(), Unknown { count: 1, example: String::new() });
            }
            found.push(known);
        }
        let place = |name: &'static str| found.iter().position(|known| *known == Some(name)).ok_or(name);
        let places: Result<Vec<_>, _> = fields().map(place).collect();
        match places {
            Ok(places) => Ok((Self { columns: record.len(), places }, unknown)),
            Err(name) => Err(format!("its first line names no column {name}: it is not a table of facts")),
        }
    }
}

struct Parser<'a> {
    input: &'a ParseInput<'a>,
    header: Header,
    /// The places of columns in a line, with tests of what stands there: lines that do not pass are skipped.
    wanted: Vec<(usize, &'a SliceTest)>,
    search: ValueSearch,
    /// The places of the key among the fields.
    key: Vec<usize>,
    value: usize,
    cv: usize,
    /// The file holds more records than are wanted.
    holds_more: bool,
    lines: u64,
    writer: FactsWriter,
    parsed: Parsed,
}

/// What decides whether a line of a file is skipped. All of a bulk file is of one sector, so a line of another one is an
/// error, not one that is skipped.
fn wanted<'a>(slice: Option<&'a Slice>, header: &Header, is_bulk: bool) -> Vec<(usize, &'a SliceTest)> {
    let tests = slice.into_iter().flat_map(|slice| &slice.tests);
    let tests = tests.filter(|test| !is_bulk || test.column != COLUMNS[SECTOR]);
    tests.filter_map(|test| Some((*header.places.get(place(&test.column)?)?, test))).collect()
}

/// What is wrong with a record.
struct FactFlaw {
    field: Option<&'static str>,
    value: Option<String>,
    reason: String,
}

impl Parser<'_> {
    fn record(&mut self, record: &ByteRecord, sink: &mut dyn Sink) -> Result<(), ParseError> {
        self.lines += 1;
        self.search.see(record);
        if self.holds_more && !self.is_wanted(record) {
            return Ok(());
        }
        self.parsed.records_seen += 1;
        let ordinal = self.lines;
        let offset_bytes = record.position().map_or(0, csv::Position::byte);
        let place = RecordPlace::new(self.input.file_no, ordinal, offset_bytes);
        let flaw = match self.texts(record) {
            Err(flaw) => (flaw, None),
            Ok(texts) => match self.cells(&texts) {
                Ok((cells, record_id)) => return Ok(self.writer.add(place, &record_id, &cells, sink)?),
                // A key that cannot be read may mean any row. A key that was not asked for means none.
                Err(flaw) if is_key_readable(&texts) || self.broken(&texts).is_some() => {
                    (flaw, Some(self.record_id(&texts)))
                }
                Err(flaw) => (flaw, None),
            },
        };
        self.parsed.records_failed += 1;
        let (flaw, record_id) = flaw;
        let fragment = fragment(record, self.input.limits.fragment_bytes);
        sink.failed(FailedRecord {
            record_id,
            ordinal,
            offset_bytes,
            table: self.input.tables.first().map(|table| table.name),
            field: flaw.field.map(str::to_owned),
            value: flaw.value,
            reason: flaw.reason,
            suggestion: None,
            fragment,
        })?;
        Ok(())
    }

    /// Whether a line is wanted, if the file holds more. A line that cannot be judged is.
    fn is_wanted(&self, record: &ByteRecord) -> bool {
        match record.len() == self.header.columns {
            true => self.wanted.iter().all(|(at, test)| {
                let cell = record.get(*at).and_then(text);
                cell.is_none_or(|cell| test.passes(cell) || !is_readable(&test.column, cell))
            }),
            false => !self.is_of_other_years(record),
        }
    }

    /// Is it certain that a line with too few or too many columns is of no year that is wanted? Its year stands as far from its
    /// place as there are too few or too many before it. Nothing else there looks like a year.
    fn is_of_other_years(&self, record: &ByteRecord) -> bool {
        let years = || self.wanted.iter().filter(|(_, test)| test.column == COLUMNS[YEAR]);
        let Some((at, _)) = years().next() else { return false };
        let off = self.header.columns.abs_diff(record.len());
        let cells = match record.len() < self.header.columns {
            true => at.saturating_sub(off)..=*at,
            false => *at..=at + off,
        };
        let cells = cells.map(|at| text_of(record, at).trim());
        let mut found =
            cells.filter(|cell| value::year(cell).is_some_and(|year| YEARS.contains(&year))).peekable();
        found.peek().is_some() && found.all(|year| !years().all(|(_, test)| test.passes(year)))
    }

    /// The cells of a line, in the order of the fields.
    fn texts<'r>(&self, record: &'r ByteRecord) -> Result<Vec<&'r str>, FactFlaw> {
        let flaw = |field, reason: String| FactFlaw { field, value: None, reason };
        if record.len() != self.header.columns {
            let reason =
                format!("it has {} columns, and the header has {}", record.len(), self.header.columns);
            return Err(flaw(None, reason));
        }
        if record.as_slice().len() > self.input.limits.record_bytes {
            return Err(flaw(None, "it is too long".into()));
        }
        let cell = |(place, name): (&usize, &'static str)| {
            let cell = text(record.get(*place).unwrap_or_default());
            cell.ok_or_else(|| flaw(Some(name), "it is not text in UTF-8".into()))
        };
        self.header.places.iter().zip(fields()).map(cell).collect()
    }

    /// The test that says for certain that a record was not asked for, if there is one. A year that cannot be read may be any.
    fn broken(&self, texts: &[&str]) -> Option<&SliceTest> {
        let mut broken = self.input.slice?.broken(|column| of(texts, column));
        broken.find(|test| is_readable(&test.column, of(texts, &test.column)))
    }

    /// The cells for the columns of the table, and the record's key.
    fn cells<'r>(&self, texts: &[&'r str]) -> Result<(Vec<Fact<'r>>, String), FactFlaw> {
        if let Some(test) = self.broken(texts) {
            let field = fields().find(|name| *name == test.column);
            let value = Some(of(texts, &test.column).to_owned());
            return Err(FactFlaw { field, value, reason: format!("it was not asked for: {test}") });
        }
        let value = figure(texts[self.value], VALUE)?;
        let cv = figure(texts[self.cv], CV)?;
        let id = self.record_id(texts);
        let bad = |name: &'static str, what: &str| FactFlaw {
            field: Some(name),
            value: Some(of(texts, name).chars().take(VALUE_CHARS).collect()),
            reason: format!("it is not a {what}"),
        };
        let mut cells = Vec::with_capacity(FACTS.columns.len());
        let mut next = texts.iter();
        for column in FACTS.columns {
            let CellSource::Element(name) = column.source else {
                cells.push(match column.name {
                    "value_code" => code(&value),
                    "cv_code" => code(&cv),
                    "fips" => {
                        let made = |name| of(texts, name);
                        value::fips(made("state_fips_code"), made("county_code"), made("county_ansi"))
                            .map_or(Fact::None, Fact::Owned)
                    }
                    _ => Fact::Owned(id.clone()),
                });
                continue;
            };
            // The columns that are fields are in this order.
            let text = next.next().copied().unwrap_or_default();
            cells.push(match name {
                VALUE => number(&value),
                CV => number(&cv),
                "year" => Fact::Year(value::year(text).ok_or_else(|| bad("year", "year"))?),
                "week_ending" if text.trim().is_empty() => Fact::None,
                "week_ending" => Fact::Day(value::day(text).ok_or_else(|| bad("week_ending", "day"))?),
                "load_time" if text.trim().is_empty() => Fact::None,
                "load_time" => Fact::Time(value::time(text).ok_or_else(|| bad("load_time", "time"))?),
                _ => Fact::Text(text),
            });
        }
        Ok((cells, id))
    }

    /// The key of a record: 16 bytes of a hash of the identifying columns, as 32 hexadecimal digits.
    fn record_id(&self, texts: &[&str]) -> String {
        let mut hash = Sha256::new();
        for at in &self.key {
            hash.update(texts.get(*at).copied().unwrap_or_default().trim_end().as_bytes());
            hash.update([0x1f]);
        }
        hex(&hash.finalize()[..16])
    }
}

fn figure(text: &str, name: &'static str) -> Result<Figure, FactFlaw> {
    value::figure(text).ok_or_else(|| FactFlaw {
        field: Some(name),
        value: Some(text.chars().take(VALUE_CHARS).collect()),
        reason: "it is neither a number nor a code".into(),
    })
}

fn code<'a>(figure: &Figure) -> Fact<'a> {
    match figure {
        Figure::Code(code) => Fact::Owned(code.clone()),
        _ => Fact::None,
    }
}

fn number<'a>(figure: &Figure) -> Fact<'a> {
    match figure {
        Figure::Number(number) => Fact::Owned(number.clone()),
        _ => Fact::None,
    }
}

/// The place of a field among the fields.
fn place(name: &str) -> Option<usize> {
    fields().position(|field| field == name)
}

/// The text of a cell; `None`: it is not text.
fn text(cell: &[u8]) -> Option<&str> {
    std::str::from_utf8(cell).ok().filter(|text| !text.contains('\0'))
}

/// Whether the cell of a field that identifies a record can be read.
fn is_readable(name: &str, cell: &str) -> bool {
    match name {
        "year" => value::year(cell).is_some(),
        "week_ending" => cell.trim().is_empty() || value::day(cell).is_some(),
        _ => true,
    }
}

fn is_key_readable(texts: &[&str]) -> bool {
    NATURAL_KEY.iter().all(|name| is_readable(name, of(texts, name)))
}

/// The cell of a field.
fn of<'a>(texts: &[&'a str], name: &str) -> &'a str {
    place(name).and_then(|at| texts.get(at).copied()).unwrap_or_default()
}

fn fragment(record: &ByteRecord, most: usize) -> Option<String> {
    if most == 0 {
        return None;
    }
    let cells: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
    let mut text = cells.join("\t");
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
    }
    Some(text)
}

#[cfg(test)]
mod tests;
