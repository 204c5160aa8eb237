//! Finds the partition of each row by its key, and hashes keys.

use std::collections::HashMap;

use arrow::array::Array;
use arrow::record_batch::RecordBatch;

use super::{EncodeError, escape, written};

/// The partitions of a group by their keys.
pub struct KeyPlaces {
    /// Keyed by the text that COPY would have.
    places: HashMap<String, usize>,
    none: Option<usize>,
    /// Whether blanks at the end of a key are insignificant.
    is_padded: bool,
}

impl KeyPlaces {
    /// The places are the positions of the keys in this order.
    pub fn new<'k>(keys: impl IntoIterator<Item = Option<&'k str>>, is_padded: bool) -> Self {
        let (mut places, mut none) = (HashMap::new(), None);
        for (place, key) in keys.into_iter().enumerate() {
            match key {
                Some(key) => {
                    let mut text = String::new();
                    escape(key, &mut text);
                    places.insert(text, place);
                }
                None => none = Some(place),
            }
        }
        Self { places, none, is_padded }
    }

    /// The place of a partition by its key in COPY's text.
    fn place(&self, key: Option<&str>) -> Option<usize> {
        key.map_or(self.none, |key| self.places.get(key).copied())
    }

    /// For each row of a batch, the place of its partition, according to the key in column `column`; `None`: no partition has
    /// this key.
    pub fn places(&self, batch: &RecordBatch, column: usize) -> Result<Vec<Option<usize>>, EncodeError> {
        each_key(batch, column, self.is_padded, |key| self.place(key))
    }
}

/// Calls `of` with the key of each row in COPY's text, and collects the results.
fn each_key<T>(
    batch: &RecordBatch,
    column: usize,
    is_padded: bool,
    mut of: impl FnMut(Option<&str>) -> T,
) -> Result<Vec<T>, EncodeError> {
    let keys = written(batch, column)?;
    let mut text = String::new();
    let each = |row| {
        if keys.array.is_null(row) {
            return of(None);
        }
        text.clear();
        keys.write(row, &mut text);
        of(Some(if is_padded { text.trim_end_matches(' ') } else { text.as_str() }))
    };
    Ok((0..batch.num_rows()).map(each).collect())
}

/// A hash of 63 bits for a key. It must never change, because every machine and version of this program that reads the same
/// buckets must agree. A padded key is given without blanks at its end, as PostgreSQL casts it to text.
pub fn key_hash(key: Option<&str>) -> i64 {
    let Some(key) = key else { return hash_of(None) };
    let mut text = String::new();
    escape(key, &mut text);
    hash_of(Some(&text))
}

/// The hash of each row's key, which is in column `column`.
pub fn key_hashes(batch: &RecordBatch, column: usize, is_padded: bool) -> Result<Vec<i64>, EncodeError> {
    each_key(batch, column, is_padded, hash_of)
}

/// FNV-1a with its bits mixed: otherwise keys that differ only in the last letter would have neighbouring hashes. NULL is
/// hashed as a text that begins with a control character, so that it differs from a key `NULL`.
fn hash_of(written: Option<&str>) -> i64 {
    let bytes = written.unwrap_or("\u{1}NULL").as_bytes();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    ((mixed ^ mixed >> 33) >> 1) as i64
}
