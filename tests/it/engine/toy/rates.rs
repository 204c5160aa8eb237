//! The dataset of docs/adding-a-dataset.md: a sheet of rates (`code,title,amount`), replaced whole. The file keeps its
//! name, and its newest content counts.

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use merganser::dataset::CellSource::{Element, RecordId};
use merganser::dataset::records::{RecordPlace, RecordsWriter};
use merganser::dataset::{
    Column, ColumnType, Dataset, FailedRecord, FileName, ParseError, ParseInput, Parsed, Promotion,
    PublishedColumns, PublishedForm, PublishedTable, Reach, RowBatch, Scripts, Sink, Table,
};

pub const RATES: Dataset = Dataset {
    name: "rates",
    about: "A sheet of rates",
    record: "rate",
    format: "CSV",
    private: None,
    folder: "rates/",
    target: "",
    tables: &[Table {
        name: "rates",
        element: "",
        unique: &[],
        columns: &[
            Column::new("code", ColumnType::Text, RecordId),
            Column::new("title", ColumnType::Text, Element("title")),
            Column::new("amount", ColumnType::Numeric, Element("amount")),
        ],
    }],
    file_name,
    near_name: |_| None,
    asked: None,
    walked: None,
    parse,
    promotion: Promotion::Replace { key: "code" },
    enrichment: None,
    links: None,
    reference: None,
    variables: |_| Vec::new(),
    feed_days: None,
    guards: &[],
    scripts: Scripts {
        stage: include_str!("1_stage.duckdb.sql"),
        check: None,
        export: include_str!("3_export.duckdb.sql"),
        tables: include_str!("4_tables.pg.sql"),
        staging: None,
        known: None,
        keys: include_str!("5_keys.pg.sql"),
        complete: None,
        guards: None,
        newest: None,
    },
    derived: &[],
    dictionary: &[],
    map: None,
    served: None,
    published: &[PublishedTable {
        name: "rates.csv",
        reach: Reach::Public,
        table: "rates",
        columns: PublishedColumns::Named,
        split: None,
    }],
    forms: &[PublishedForm::Csv],
    notice: None,
    has_sheets: false,
    counts_as_posted: false,
    has_demo: false,
    inputs: &[],
};

/// `rates.csv`, or `rates-2026-11-01.csv`, which counts by its day.
fn file_name(name: &str) -> Option<FileName> {
    let day = name.strip_prefix("rates")?.strip_suffix(".csv")?;
    let run_date = if day.is_empty() { None } else { Some(day.strip_prefix('-')?.parse().ok()?) };
    Some(FileName { run_date, order_key: day.to_owned() })
}

/// One line is one record; a line without three cells, or without a number, is a failed record.
fn parse(input: &ParseInput<'_>, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
    let file = input.path.display().to_string();
    let text =
        fs::read_to_string(input.path).map_err(|source| ParseError::Io { file: file.clone(), source })?;
    let Some(lines) = text.strip_prefix("code,title,amount\n") else {
        return Err(ParseError::Unreadable {
            file,
            reason: "its first line is not code,title,amount".into(),
        });
    };
    let mut parsed = Parsed { complete: true, document_bytes: text.len() as u64, ..Parsed::default() };
    let mut records = RecordsWriter::default();
    let (mut numbers, mut cells) = (Vec::new(), Vec::new());
    for (line, ordinal) in lines.lines().zip(1..) {
        parsed.records_seen += 1;
        let place = RecordPlace::new(input.file_no, ordinal, 0);
        let parts: Vec<_> = line.split(',').collect();
        match parts[..] {
            [code, title, amount] if amount.parse::<f64>().is_ok() => {
                records.live(place, code);
                numbers.push(place.record_no);
                cells.push([code, title, amount]);
            }
            _ => {
                parsed.records_failed += 1;
                let record_id = parts.first().filter(|code| !code.is_empty()).map(|code| (*code).to_owned());
                let reason = "not a code, a title and a number".to_owned();
                sink.failed(FailedRecord { record_id, ordinal, reason, ..FailedRecord::default() })?;
            }
        }
    }
    let column =
        |at: usize| -> ArrayRef { Arc::new(StringArray::from_iter_values(cells.iter().map(|c| c[at]))) };
    let columns: [(&str, ArrayRef); 4] = [
        ("record_no", Arc::new(Int64Array::from(numbers))),
        ("code", column(0)),
        ("title", column(1)),
        ("amount", column(2)),
    ];
    let rows = RecordBatch::try_from_iter(columns).expect("every column has a cell of each record");
    sink.rows(RowBatch { table: "rates", rows })?;
    sink.rows(records.finish())?;
    Ok(parsed)
}
