//! Converts texts to the values of columns; the first bad one is the reason why its case fails.

use super::cells::{Case, Cell};
use super::plan::{Field, Plan, RECORD_ID, join};
use super::rescue::MAX_ID_BYTES;
use super::value::{self, TextFault};
use crate::dataset::ColumnType;

/// Stands for a byte that is not UTF-8 while a case is read. XML does not allow it, so that text
/// which has one is refused.
const NOT_UTF8: u8 = 0x01;

/// Why a case failed; its identity is in the [`Case`] if it could be read.
#[derive(Debug, Default)]
pub(super) struct Fault {
    pub table: Option<&'static str>,
    pub field: Option<String>,
    pub value: Option<String>,
    pub reason: String,
}

impl Fault {
    /// A fault of the case as a whole.
    pub fn of_case(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }
}

/// A case while it is read.
pub(super) struct Walk<'c, 'a> {
    pub plan: &'c Plan,
    pub case: &'c mut Case<'a>,
    pub is_marked: bool,
    pub is_delete: bool,
    pub has_id: bool,
    /// The first fault. Reading goes on after it: the identity or a delete may follow.
    pub fault: Option<Fault>,
}

/// The text of a field, or the reason why it is not accepted, together with the text.
pub(super) type TextResult<'a> = Result<Cell<'a>, (TextFault, String)>;

impl<'a> Walk<'_, 'a> {
    /// Puts a field's text into its cell as a value of the column's type.
    #[inline]
    pub fn store(&mut self, table: usize, row: usize, holder: &str, field: Field, text: TextResult<'a>) {
        let text = match text {
            Ok(text) => text,
            Err((fault, shown)) => {
                return self.fail(table, join(holder, field.element), &shown, fault);
            }
        };
        if field.kind == ColumnType::TextArray {
            return self.case.push_item(table, row, field.cell, text);
        }
        match typed(self.case, field.kind, text) {
            Ok(value) => *self.case.cell(table, row, field.cell) = value,
            Err(reason) => {
                *self.case.cell(table, row, field.cell) = Cell::Null;
                let shown = self.case.text(text).unwrap_or_default().to_owned();
                self.fail(table, join(holder, field.element), &shown, reason);
            }
        }
    }

    pub fn store_id(&mut self, text: TextResult<'a>) {
        match text {
            Ok(text) => {
                let id = value::trim(self.case.text(text).unwrap_or_default());
                if id.len() <= MAX_ID_BYTES {
                    self.case.record_id = id.to_owned();
                } else {
                    let (id, reason) = (id.to_owned(), format!("longer than {MAX_ID_BYTES} bytes"));
                    self.fail(0, RECORD_ID.to_owned(), &id, reason);
                }
            }
            Err((fault, shown)) => self.fail(0, RECORD_ID.to_owned(), &shown, fault),
        }
    }

    /// Records the fault if it is the first one.
    #[cold]
    fn fail(&mut self, table: usize, field: String, value: &str, reason: impl ToString) {
        if self.fault.is_some() {
            return;
        }
        let is_mark = self.is_marked && value.as_bytes().contains(&NOT_UTF8);
        let reason = if is_mark { TextFault::Utf8.to_string() } else { reason.to_string() };
        let mut value = value::cut(value, 500);
        if is_mark {
            value = value.replace(char::from(NOT_UTF8), "\u{FFFD}");
        }
        self.fault = Some(Fault {
            table: Some(self.plan.tables[table].name),
            field: Some(field),
            value: Some(value),
            reason,
        });
    }
}

/// The value that a text stands for in a column of this type.
#[inline]
fn typed<'a>(case: &Case<'a>, kind: ColumnType, text: Cell<'a>) -> Result<Cell<'a>, &'static str> {
    if kind == ColumnType::Text {
        return Ok(text);
    }
    let Some(whole) = case.text(text) else { return Ok(Cell::Null) };
    let trimmed = value::trim(whole);
    if trimmed.is_empty() {
        return Ok(Cell::Null);
    }
    match kind {
        ColumnType::Date => value::date(trimmed).map(Cell::Date).ok_or("not a date (YYYY-MM-DD)"),
        ColumnType::Timestamp => {
            value::timestamp(trimmed).map(Cell::Timestamp).ok_or("not a date-time (YYYY-MM-DDTHH:MM:SS)")
        }
        ColumnType::Int => trimmed.parse().map(Cell::Int).map_err(|_| "not a whole number of 32 bits"),
        ColumnType::BigInt => trimmed.parse().map(Cell::BigInt).map_err(|_| "not a whole number of 64 bits"),
        ColumnType::Boolean => value::boolean(trimmed).map(Cell::Boolean).ok_or("not true or false"),
        ColumnType::Numeric if value::is_numeric(trimmed) => Ok(match text {
            Cell::Text(text) => Cell::Text(value::trim(text)),
            Cell::Arena(start, _) => {
                let start = start + (trimmed.as_ptr() as usize - whole.as_ptr() as usize);
                Cell::Arena(start, start + trimmed.len())
            }
            other => other,
        }),
        ColumnType::Numeric => Err("not a number (digits and an optional fraction)"),
        ColumnType::Text | ColumnType::TextArray | ColumnType::Real => Err("not of a type that is read"),
    }
}

/// A copy with [`NOT_UTF8`] in the place of every byte that is not UTF-8.
pub(super) fn mark_bad_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut marked = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        marked.extend_from_slice(chunk.valid().as_bytes());
        marked.extend(chunk.invalid().iter().map(|_| NOT_UTF8));
    }
    marked
}
