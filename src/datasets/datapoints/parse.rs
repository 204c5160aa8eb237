//! Parses a file of points or of places into rows, line by line.
//!
//! The record number of a row is that of its line. The record of a day has a number beyond those of all lines: it counts the
//! days of the file.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Builder, Int32Builder, Int64Builder, StringBuilder};
use arrow::record_batch::RecordBatch;
use jiff::civil::Date;

use super::lines::PointLines;
use super::place::{self, ZonedPlace};
use super::point::{self, DataPoint, PointFlaw};
use super::tables::{PLACES, POINTS};
use crate::dataset::records::{RecordPlace, RecordsWriter};
use crate::dataset::rows::days_since_1970;
use crate::dataset::{FailedRecord, ParseError, ParseInput, Parsed, RowBatch, Sink, SinkClosed, Unknown};

/// The number of lines between two reports of progress.
const SAY_EVERY: u64 = 20_000;
/// The most rows in a batch; points are small.
const BATCH_ROWS: usize = 20_000;
/// The ordinal of the first day; a file has fewer lines.
const FIRST_DAY: u64 = 1 << 31;

/// Reads a file; its name says of what it is, because a file of points may have any columns besides its own.
///
/// A retry of single lines reads the whole file, because a day is replaced by all of its lines; lines that were good before are
/// good again.
pub(super) fn parse(input: &ParseInput<'_>, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
    let lines = PointLines::open(input)?;
    match input.name == place::FILE {
        true => places(input, lines, sink),
        false => points(input, lines, sink),
    }
}

fn points(input: &ParseInput<'_>, mut lines: PointLines, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
    let mut parsed = begun(lines.want(&point::COLUMNS)?);
    let mut rows = PointRows::default();
    // For each day, its position among the days of the file and the offset of its first line.
    let mut days: BTreeMap<Date, (u64, u64)> = BTreeMap::new();
    while lines.advance()? {
        match fitting(&lines).and_then(|()| DataPoint::read(|at| lines.cell(at))) {
            Ok(point) => {
                let count = days.len() as u64;
                days.entry(point.date).or_insert((count, lines.offset_bytes()));
                let number = RecordPlace::new(input.file_no, lines.line(), lines.offset_bytes()).record_no;
                rows.add(number, &point);
                if rows.count >= BATCH_ROWS {
                    sink.rows(rows.finish())?;
                }
            }
            Err(flaw) => fail(input, &lines, POINTS.name, flaw, &mut parsed, sink)?,
        }
        if lines.line().is_multiple_of(SAY_EVERY) {
            sink.progress(lines.line(), lines.bytes(), 0);
        }
    }
    if lines.line() >= FIRST_DAY {
        let file = input.path.display().to_string();
        return Err(ParseError::Unreadable {
            file,
            reason: "it has too many lines: split it by days".into(),
        });
    }
    sink.rows(rows.finish())?;
    let mut records = RecordsWriter::default();
    for (date, (position, offset_bytes)) in &days {
        let place = RecordPlace::new(input.file_no, FIRST_DAY + position, *offset_bytes);
        records.live(place, &date.to_string());
    }
    sink.rows(records.finish())?;
    parsed.records_seen = days.len() as u64 + parsed.records_failed;
    parsed.document_bytes = lines.bytes();
    Ok(parsed)
}

fn places(input: &ParseInput<'_>, mut lines: PointLines, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
    let mut parsed = begun(lines.want(&place::COLUMNS)?);
    let (mut known, mut numbers, mut rows) = (HashSet::new(), Int64Builder::new(), Vec::new());
    while lines.advance()? {
        let read = fitting(&lines).and_then(|()| ZonedPlace::read(|at| lines.cell(at)));
        let read = read.and_then(|place| match known.insert(place.postcode.clone()) {
            true => Ok(place),
            false => Err(PointFlaw {
                field: "postcode",
                value: place.postcode,
                reason: "the postcode is there twice: the first line counts".into(),
            }),
        });
        match read {
            Ok(place) => {
                numbers.append_value(RecordPlace::new(input.file_no, lines.line(), 0).record_no);
                rows.push(place);
            }
            Err(flaw) => fail(input, &lines, PLACES.name, flaw, &mut parsed, sink)?,
        }
    }
    let column = |cell: fn(&ZonedPlace) -> &str| -> ArrayRef {
        Arc::new(arrow::array::StringArray::from_iter_values(rows.iter().map(cell)))
    };
    let columns: [(&str, ArrayRef); 5] = [
        ("record_no", Arc::new(numbers.finish())),
        ("postcode", column(|place| &place.postcode)),
        ("lat", column(|place| &place.lat)),
        ("lon", column(|place| &place.lon)),
        ("zone", column(|place| &place.zone)),
    ];
    parsed.records_seen = rows.len() as u64 + parsed.records_failed;
    parsed.document_bytes = lines.bytes();
    if rows.is_empty() {
        let file = input.path.display().to_string();
        return Err(ParseError::Unreadable { file, reason: "it names no place".into() });
    }
    let rows = RecordBatch::try_from_iter(columns).expect("every column has a cell of each place");
    sink.rows(RowBatch { table: PLACES.name, rows })?;
    Ok(parsed)
}

/// An empty result that lists the unwanted columns.
fn begun(unknown: Vec<String>) -> Parsed {
    let unknown = unknown.into_iter().map(|name| (name, Unknown { count: 1, example: String::new() }));
    Parsed { complete: true, unknown: unknown.collect(), ..Parsed::default() }
}

/// A line with too few or too many cells may have its values in the wrong columns, so none of them is used.
fn fitting(lines: &PointLines) -> Result<(), PointFlaw> {
    match lines.misfit() {
        Some(reason) => Err(PointFlaw { reason, ..PointFlaw::default() }),
        None => Ok(()),
    }
}

fn fail(
    input: &ParseInput<'_>,
    lines: &PointLines,
    table: &'static str,
    flaw: PointFlaw,
    parsed: &mut Parsed,
    sink: &mut dyn Sink,
) -> Result<(), SinkClosed> {
    parsed.records_failed += 1;
    let known = !flaw.field.is_empty();
    sink.failed(FailedRecord {
        record_id: (table == POINTS.name).then(|| line_of_day(lines)).flatten(),
        ordinal: lines.line(),
        offset_bytes: lines.offset_bytes(),
        table: Some(table),
        field: known.then(|| flaw.field.to_owned()),
        value: known.then_some(flaw.value),
        reason: flaw.reason,
        suggestion: None,
        fragment: input.limits.fragment(&lines.text()),
    })
}

/// What a line is known by if its day can be read: the day, which another file may replace, and its number.
fn line_of_day(lines: &PointLines) -> Option<String> {
    let is_misfit = lines.misfit().is_some();
    let day = lines.cell(0).filter(|_| !is_misfit).and_then(point::day)?;
    Some(format!("{day} line {}", lines.line()))
}

/// Collects points for a batch.
#[derive(Default)]
struct PointRows {
    record_no: Int64Builder,
    date: Date32Builder,
    hour: Int32Builder,
    id_activity: Int64Builder,
    postcode: StringBuilder,
    hits: Int32Builder,
    delta: Int32Builder,
    sbi: StringBuilder,
    count: usize,
}

impl PointRows {
    fn add(&mut self, record_no: i64, point: &DataPoint) {
        self.record_no.append_value(record_no);
        self.date.append_value(days_since_1970(point.date));
        self.hour.append_value(point.hour);
        self.id_activity.append_value(point.id_activity);
        self.postcode.append_value(&point.postcode);
        self.hits.append_value(point.hits);
        self.delta.append_option(point.delta);
        self.sbi.append_value(&point.sbi);
        self.count += 1;
    }

    /// Returns the collected points as a batch.
    fn finish(&mut self) -> RowBatch {
        self.count = 0;
        let columns: [(&str, ArrayRef); 8] = [
            ("record_no", Arc::new(self.record_no.finish())),
            ("date", Arc::new(self.date.finish())),
            ("hour", Arc::new(self.hour.finish())),
            ("id_activity", Arc::new(self.id_activity.finish())),
            ("postcode", Arc::new(self.postcode.finish())),
            ("hits", Arc::new(self.hits.finish())),
            ("delta", Arc::new(self.delta.finish())),
            ("sbi", Arc::new(self.sbi.finish())),
        ];
        let rows = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, name == "delta")),
        );
        RowBatch { table: POINTS.name, rows: rows.expect("every column has a cell of each point") }
    }
}
