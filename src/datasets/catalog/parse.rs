//! Reads one sheet: its columns by name, its rows numbered as in the sheet, each cell by the rule of its column.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use jiff::civil::Date;

use super::grid::{Grid, GridRow, OpenQuote};
use super::near::{beginning, nearest};
use super::options::own_hosts;
use super::rows::SheetWriter;
use super::rules;
use super::sheets::{SHEETS, Sheet, SheetField};
use crate::dataset::records::RecordPlace;
use crate::dataset::{FailedRecord, ParseError, ParseInput, Parsed, Sink, Unknown};

/// The largest sheet in bytes: nobody keeps a larger one by hand.
const SHEET_BYTES: u64 = 64 << 20;
/// The most columns of a sheet.
const COLUMNS: usize = 500;
/// Rows between two progress reports.
const SAY_EVERY: u64 = 1_000;
/// How many characters of a failed record's value are kept.
const VALUE: usize = 500;
/// How many characters of an example from an unknown column are kept.
const EXAMPLE: usize = 60;

/// Parses a sheet, which is identified by its name.
pub(super) fn parse(input: &ParseInput<'_>, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
    let unreadable = |reason: String| ParseError::Unreadable { file: input.name.to_owned(), reason };
    let sheet = SHEETS.iter().find(|sheet| sheet.file == input.name);
    let sheet = sheet.ok_or_else(|| unreadable("there is no sheet of this name".into()))?;
    let bytes = read(input)?;
    let text = decode(&bytes).map_err(unreadable)?;
    let mut grid = Grid::new(text);
    let open = |OpenQuote(row)| unreadable(format!("a quote in row {row} is never closed"));
    let first = grid.next_row().map_err(open)?;
    let header = first.filter(|row| !row.is_blank());
    let header = header.ok_or_else(|| unreadable("it is empty: not even a header is there".into()))?;
    let header = SheetHeader::read(sheet, &header).map_err(unreadable)?;
    let mut parsed = Parsed { complete: true, document_bytes: bytes.len() as u64, ..Parsed::default() };
    let own_hosts = own_hosts(input.options);
    let mut writer = SheetWriter::new(sheet, input.batch_records);
    while let Some(row) = grid.next_row().map_err(open)? {
        if row.is_blank() {
            continue;
        }
        parsed.records_seen += 1;
        if parsed.records_seen.is_multiple_of(SAY_EVERY) {
            sink.progress(parsed.records_seen, row.offset_bytes, parsed.document_bytes);
        }
        header.count_further(&row, &mut parsed.unknown);
        let faults = match header.cells(&row) {
            Ok(cells) => match judge(sheet, &cells, &own_hosts) {
                Ok(days) => {
                    let place = RecordPlace::new(input.file_no, row.number, row.offset_bytes);
                    writer.add(place, &identity(sheet, &cells), &cells, &days, sink)?;
                    continue;
                }
                Err(faults) => {
                    (Some(identity(sheet, &cells)).filter(|id| id.len() <= IDENTITY_BYTES), faults)
                }
            },
            Err(fault) => (None, vec![fault]),
        };
        parsed.records_failed += 1;
        let (record_id, faults) = faults;
        for fault in faults {
            sink.failed(failed(input, sheet, &row, record_id.clone(), fault))?;
        }
    }
    writer.flush(sink)?;
    Ok(parsed)
}

/// The longest identity in bytes: the ledger has an index of them, and nothing refers to a longer one.
const IDENTITY_BYTES: usize = 2_500;

/// The fault of a row, in a column or as a whole.
struct RowFault {
    field: Option<&'static str>,
    value: Option<String>,
    reason: String,
    suggestion: Option<String>,
}

fn failed(
    input: &ParseInput<'_>,
    sheet: &Sheet,
    row: &GridRow<'_>,
    record_id: Option<String>,
    fault: RowFault,
) -> FailedRecord {
    FailedRecord {
        record_id,
        ordinal: row.number,
        offset_bytes: row.offset_bytes,
        table: Some(sheet.table.name),
        field: fault.field.map(str::to_owned),
        value: fault.value.map(|value| value.chars().take(VALUE).collect()),
        reason: fault.reason,
        suggestion: fault.suggestion.map(|meant| meant.chars().take(VALUE).collect()),
        fragment: input.limits.fragment(row.text),
    }
}

fn read(input: &ParseInput<'_>) -> Result<Vec<u8>, ParseError> {
    let failed = |source| ParseError::Io { file: input.name.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(input.path).map_err(failed)?.take(SHEET_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > SHEET_BYTES {
        let reason = format!("a sheet has {} MiB at most", SHEET_BYTES >> 20);
        return Err(ParseError::Unreadable { file: input.name.to_owned(), reason });
    }
    Ok(bytes)
}

/// The text of a sheet, without a byte order mark.
fn decode(bytes: &[u8]) -> Result<&str, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("it is UTF-16: save it as CSV in UTF-8".into());
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Err("it is a workbook, and not a CSV of one sheet: save it as CSV in UTF-8".into());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!(
            "it is not UTF-8 (byte {:#04x} in line {line}), perhaps Windows-1252: save it as CSV in UTF-8",
            bytes[at]
        )
    })?;
    if text.contains('\0') {
        return Err("it holds bytes of zero, which are no text".into());
    }
    match text.trim_start().starts_with('<') {
        true => Err("it is a page of the web and not a sheet: is a login needed there?".into()),
        false => Ok(text),
    }
}

/// The positions of a sheet's columns.
struct SheetHeader {
    /// The cell of each field.
    places: Vec<usize>,
    /// Further columns.
    further: Vec<(usize, String)>,
    columns: usize,
}

impl SheetHeader {
    /// Reads the header.
    ///
    /// # Errors
    /// A missing column, with a similar one, or a duplicate column; in words.
    fn read(sheet: &Sheet, row: &GridRow<'_>) -> Result<Self, String> {
        let names: Vec<_> = row.cells.iter().map(|cell| cell.trim()).collect();
        if names.len() > COLUMNS {
            return Err(format!("it has {} columns, and a sheet has {COLUMNS} at most", names.len()));
        }
        for (separator, called) in [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")] {
            if names.len() == 1 && names[0].contains(separator) {
                return Err(format!("its columns are separated by {called}: save it as CSV with commas"));
            }
        }
        let (mut places, mut missing) = (Vec::new(), Vec::new());
        for field in sheet.fields {
            let mut found = (0..names.len()).filter(|at| names[*at] == field.name);
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => return Err(format!("the column {} is there twice", field.name)),
                (Some(place), None) => places.push(place),
                (None, _) => missing.push(field.name),
            }
        }
        let further = names.iter().enumerate().filter(|(at, _)| !places.contains(at));
        let further: Vec<_> = further.map(|(at, name)| (at, (*name).to_owned())).collect();
        if missing.is_empty() {
            return Ok(Self { places, further, columns: names.len() });
        }
        let said = missing.iter().map(|name| {
            let others = || further.iter().map(|(_, further)| further.as_str());
            let near = nearest(name, others()).or_else(|| beginning(name, others()));
            let near = near.map(|near| format!(" (`{near}` may be meant for it)"));
            format!("the column {name} is missing{}", near.unwrap_or_default())
        });
        Err(said.collect::<Vec<_>>().join("; "))
    }

    /// The cells of a row, in the order of the fields.
    fn cells<'a>(&self, row: &'a GridRow<'_>) -> Result<Vec<&'a str>, RowFault> {
        let whole = |reason: String| RowFault { field: None, value: None, reason, suggestion: None };
        if row.has_odd_quote {
            return Err(whole("there is text after the quote that closes a cell".into()));
        }
        let more = row.cells.iter().skip(self.columns).any(|cell| !cell.trim().is_empty());
        if row.cells.len() < self.columns || more {
            let reason = format!("{} cells in the place of {}", row.cells.len(), self.columns);
            return Err(whole(reason));
        }
        Ok(self.places.iter().map(|place| &*row.cells[*place]).collect())
    }

    /// Counts the values in unknown columns, which are left out.
    fn count_further(&self, row: &GridRow<'_>, unknown: &mut BTreeMap<String, Unknown>) {
        for (at, name) in &self.further {
            let Some(cell) = row.cells.get(*at).filter(|cell| !cell.trim().is_empty()) else { continue };
            let unknown = unknown.entry(name.clone()).or_default();
            unknown.count += 1;
            if unknown.example.is_empty() {
                unknown.example = cell.chars().take(EXAMPLE).collect();
            }
        }
    }
}

/// Sees that all cells are what they may be; gives the days among them, by field.
fn judge(
    sheet: &'static Sheet,
    cells: &[&str],
    own_hosts: &[&str],
) -> Result<Vec<Option<Date>>, Vec<RowFault>> {
    let mut faults = Vec::new();
    let mut days = Vec::new();
    for (field, cell) in sheet.fields.iter().zip(cells) {
        match rules::check(field, cell, own_hosts) {
            Ok(day) => days.push(day),
            Err(fault) => {
                let (value, reason, suggestion) = (Some((*cell).to_owned()), fault.reason, fault.suggestion);
                faults.push(RowFault { field: Some(field.name), value, reason, suggestion });
            }
        }
    }
    if let Some((field, cell)) = refers_to_itself(sheet, cells) {
        faults.push(RowFault {
            field: Some(field.name),
            value: Some(cell.to_owned()),
            reason: "it refers to itself".into(),
            suggestion: None,
        });
    }
    if faults.is_empty() { Ok(days) } else { Err(faults) }
}

/// A category that is its own parent, a project that depends on itself.
fn refers_to_itself<'a>(sheet: &'static Sheet, cells: &[&'a str]) -> Option<(&'static SheetField, &'a str)> {
    let own = cells.first()?;
    let mut others = sheet.fields.iter().zip(cells).skip(1);
    others
        .find(|(field, cell)| {
            ["parent", "depends_on"].contains(&field.name) && *cell == own && !cell.is_empty()
        })
        .map(|(field, cell)| (field, *cell))
}

/// The identity of a row: its sheet and its key, as far as it has one.
fn identity(sheet: &Sheet, cells: &[&str]) -> String {
    format!("{}:{}", sheet.name, cells[..sheet.keys].join(","))
}

#[cfg(test)]
mod tests;
