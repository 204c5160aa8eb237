//! Records in memory, stored by column, with each distinct text of a column stored once.

use std::collections::HashMap;

use super::query::StatQuery;
use crate::datasets::nass::columns::{COLUMNS, Fields};

/// A set of records. It takes 156 bytes for each, besides the distinct texts.
#[derive(Clone, Debug)]
pub struct StatRecords {
    columns: Vec<TextColumn>,
}

#[derive(Clone, Debug, Default)]
struct TextColumn {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
    of_rows: Vec<u32>,
}

impl TextColumn {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).expect("fewer texts than records, and fewer of those");
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }
}

impl Default for StatRecords {
    fn default() -> Self {
        Self { columns: vec![TextColumn::default(); COLUMNS.len()] }
    }
}

impl StatRecords {
    /// Adds a record at the end.
    pub fn push(&mut self, fields: &Fields<'_>) {
        for (column, field) in self.columns.iter_mut().zip(fields) {
            let number = column.number(field);
            column.of_rows.push(number);
        }
    }

    /// Changes a field of a record.
    ///
    /// # Panics
    /// If there is no such record or column.
    pub fn set(&mut self, row: usize, column: usize, text: &str) {
        let column = &mut self.columns[column];
        column.of_rows[row] = column.number(text);
    }

    /// Removes a record; later ones move up.
    ///
    /// # Panics
    /// If there is no such record.
    pub fn remove(&mut self, row: usize) {
        for column in &mut self.columns {
            column.of_rows.remove(row);
        }
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.columns[0].of_rows.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A field of a record.
    ///
    /// # Panics
    /// If there is no such record or column.
    pub fn field(&self, row: usize, column: usize) -> &str {
        let column = &self.columns[column];
        &column.texts[column.of_rows[row] as usize]
    }

    /// All fields of a record.
    ///
    /// # Panics
    /// If there is no such record.
    pub fn fields(&self, row: usize) -> Fields<'_> {
        std::array::from_fn(|column| self.field(row, column))
    }

    /// The rows that fulfil a query, in order.
    pub fn rows(&self, query: &StatQuery) -> Vec<u32> {
        let all = 0..u32::try_from(self.len()).expect("a row has a number of 32 bits");
        let mut rows: Option<Vec<u32>> = None;
        for condition in &query.conditions {
            let column = &self.columns[condition.column];
            let passes: Vec<_> = column.texts.iter().map(|text| condition.passes(text)).collect();
            let is_in = |row: &u32| passes[column.of_rows[*row as usize] as usize];
            match &mut rows {
                Some(rows) => rows.retain(is_in),
                None => rows = Some(all.clone().filter(is_in).collect()),
            }
        }
        rows.unwrap_or_else(|| all.collect())
    }

    /// The distinct texts of a column that some record has, sorted, without the empty one.
    pub fn texts(&self, column: usize) -> Vec<&str> {
        let column = &self.columns[column];
        let mut is_used = vec![false; column.texts.len()];
        for number in &column.of_rows {
            is_used[*number as usize] = true;
        }
        let used = column.texts.iter().zip(is_used).filter(|(text, is_used)| *is_used && !text.is_empty());
        let mut texts: Vec<_> = used.map(|(text, _)| text.as_ref()).collect();
        texts.sort_unstable();
        texts
    }
}
