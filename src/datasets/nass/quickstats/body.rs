//! Records in the formats of the API: CSV, JSON or XML, one piece at a time.

use std::fmt::Write as _;
use std::sync::Arc;

use super::records::StatRecords;
use crate::datasets::nass::bulk::add_blanks;
use crate::datasets::nass::columns::{COLUMNS, LOAD_TIME, VALUE, YEAR};

/// The format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatFormat {
    Csv,
    Json,
    Xml,
}

/// How the API has written some fields over the years.
#[derive(Clone, Copy, Debug)]
pub struct FieldManners {
    /// `year` is a number in JSON, as it has been since 2020; otherwise it is text.
    pub has_year_as_number: bool,
    /// `load_time` ends in `.000`, as it does now.
    pub has_milliseconds: bool,
}

/// An answer with records, in pieces.
#[derive(Clone, Debug)]
pub struct RowsBody {
    records: Arc<StatRecords>,
    rows: Vec<u32>,
    format: StatFormat,
    manners: FieldManners,
    next: usize,
    is_done: bool,
}

const PIECE_BYTES: usize = 1 << 16;

const XML_HEAD: &str = r#"<?xml version="1.0"?>
<!DOCTYPE perldata [
  <!ELEMENT scalar (#PCDATA)>
  <!ELEMENT arrayref (item*)>
  <!ATTLIST arrayref memory_address CDATA #IMPLIED>
  <!ELEMENT hashref (item*)>
  <!ATTLIST hashref memory_address CDATA #IMPLIED>
  <!ELEMENT item (#PCDATA|scalar|arrayref|hashref)*>
  <!ATTLIST item key CDATA #REQUIRED>
  <!ELEMENT perldata (scalar|arrayref|hashref)*>
]>
<perldata>
 <arrayref memory_address="0x7f0000000000">
"#;

impl RowsBody {
    pub(super) fn new(
        records: Arc<StatRecords>,
        rows: Vec<u32>,
        format: StatFormat,
        manners: FieldManners,
    ) -> Self {
        Self { records, rows, format, manners, next: 0, is_done: false }
    }

    fn head(&self, out: &mut Vec<u8>) {
        match self.format {
            StatFormat::Csv => {
                add_quoted(out, COLUMNS);
            }
            StatFormat::Json => out.extend_from_slice(br#"{"data":["#),
            StatFormat::Xml => out.extend_from_slice(XML_HEAD.as_bytes()),
        }
    }

    fn tail(&self, out: &mut Vec<u8>) {
        match self.format {
            StatFormat::Csv => {}
            StatFormat::Json => out.extend_from_slice(b"]}"),
            StatFormat::Xml => out.extend_from_slice(b" </arrayref>\n</perldata>\n"),
        }
    }

    fn add(&self, out: &mut Vec<u8>, row: usize, is_first: bool, number: usize) {
        let mut fields = self.records.fields(row);
        let load_time = format!("{}.000", fields[LOAD_TIME]);
        if self.manners.has_milliseconds && !fields[LOAD_TIME].is_empty() {
            fields[LOAD_TIME] = &load_time;
        }
        let mut value = Vec::new();
        add_blanks(&mut value, fields[VALUE]);
        value.extend_from_slice(fields[VALUE].as_bytes());
        let value = String::from_utf8(value).expect("blanks before a text");
        fields[VALUE] = &value;
        match self.format {
            StatFormat::Csv => add_quoted(out, fields),
            StatFormat::Json => {
                if !is_first {
                    out.push(b',');
                }
                self.add_object(out, &fields);
            }
            StatFormat::Xml => add_items(out, &fields, number),
        }
    }

    fn add_object(&self, out: &mut Vec<u8>, fields: &[&str]) {
        for (at, (name, field)) in COLUMNS.iter().zip(fields).enumerate() {
            out.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            if at == YEAR && self.manners.has_year_as_number {
                out.extend_from_slice(field.as_bytes());
            } else {
                serde_json::to_writer(&mut *out, field).expect("memory takes every text");
            }
        }
        out.push(b'}');
    }
}

impl Iterator for RowsBody {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.is_done {
            return None;
        }
        let mut out = Vec::with_capacity(PIECE_BYTES * 5 / 4);
        if self.next == 0 {
            self.head(&mut out);
        }
        while let Some(row) = self.rows.get(self.next) {
            if out.len() >= PIECE_BYTES {
                return Some(out);
            }
            self.add(&mut out, *row as usize, self.next == 0, self.next);
            self.next += 1;
        }
        self.tail(&mut out);
        self.is_done = true;
        Some(out)
    }
}

fn add_quoted(out: &mut Vec<u8>, fields: [&str; COLUMNS.len()]) {
    let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(out);
    writer.write_record(fields).and_then(|()| Ok(writer.flush()?)).expect("memory takes every text");
}

/// Adds the fields ordered by the bytes of their names.
fn add_items(out: &mut Vec<u8>, fields: &[&str], number: usize) {
    let mut items: Vec<_> = COLUMNS.iter().zip(fields).collect();
    items.sort_unstable();
    let mut text = format!(
        "  <item key=\"{number}\">\n   <hashref memory_address=\"{:#014x}\">\n",
        0x7f00_0000_1000_u64 + number as u64 * 24
    );
    for (name, field) in items {
        let field = field.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        writeln!(text, "    <item key=\"{name}\">{field}</item>").expect("memory takes every text");
    }
    text += "   </hashref>\n  </item>\n";
    out.extend_from_slice(text.as_bytes());
}
