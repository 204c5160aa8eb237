//! Decodes rows in PostgreSQL's binary format (`copy … to stdout (format binary)`) into Arrow batches.

mod cells;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use self::cells::CellBuilder;
use super::columns::{PgColumn, schema};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The number of rows in a batch.
const BATCH_ROWS: usize = 65_536;
/// The most bytes in a batch: the offsets in a column of texts have 32 bits.
const BATCH_BYTES: usize = 256 << 20;

/// The reasons why bytes cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("column {column}: {problem}")]
    Value { column: String, problem: &'static str },
    #[error("the server's answer breaks off or is not what was asked for")]
    Malformed,
}

/// Takes the messages of a copy and makes batches of their rows.
pub struct Decoder {
    batch_rows: usize,
    /// If set, rows with a value that cannot be decoded are left out; otherwise such a value is an error.
    skips: Option<Skips>,
    columns: Vec<PgColumn>,
    schema: SchemaRef,
    builders: Vec<CellBuilder>,
    held: Held,
    batches: Vec<RecordBatch>,
    /// The beginning of a row that has not arrived completely.
    pending: Vec<u8>,
    is_begun: bool,
    is_ended: bool,
    pub bytes: u64,
}

/// Counts the rows that are left out.
#[derive(Default)]
struct Skips {
    /// For each row of the current batch, whether it stays.
    stays: Vec<bool>,
    rows: u64,
}

#[derive(Clone, Copy, Default)]
struct Held {
    rows: usize,
    bytes: usize,
}

/// What is found at the beginning of some bytes.
enum Found {
    /// A whole row, and the offset of what follows it.
    Row(usize),
    End,
    /// An incomplete row: more bytes are needed.
    Part,
}

impl Decoder {
    /// A decoder for rows of these columns.
    pub fn new(columns: &[PgColumn]) -> Self {
        Self {
            batch_rows: BATCH_ROWS,
            skips: None,
            schema: schema(columns),
            builders: columns.iter().map(|column| CellBuilder::new(column.wire())).collect(),
            columns: columns.to_vec(),
            held: Held::default(),
            batches: Vec::new(),
            pending: Vec::new(),
            is_begun: false,
            is_ended: false,
            bytes: 0,
        }
    }

    /// A decoder that makes batches of `batch_rows` rows, and leaves out rows with a value that cannot be decoded.
    pub fn skipping(columns: &[PgColumn], batch_rows: usize) -> Self {
        Self { batch_rows, skips: Some(Skips::default()), ..Self::new(columns) }
    }

    /// Takes the batches that are complete.
    pub fn whole(&mut self) -> Vec<RecordBatch> {
        std::mem::take(&mut self.batches)
    }

    /// The number of rows that were left out.
    pub fn skipped(&self) -> u64 {
        self.skips.as_ref().map_or(0, |skips| skips.rows)
    }

    /// Decodes the next bytes.
    ///
    /// # Errors
    /// A value has no counterpart in Arrow, or the bytes are not rows of these columns.
    pub fn take(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        self.bytes += message.len() as u64;
        let pending = std::mem::take(&mut self.pending);
        // Most messages are one whole row, so they need no copy.
        let joined = (!pending.is_empty()).then(|| [pending.as_slice(), message].concat());
        let mut rest = joined.as_deref().unwrap_or(message);
        if !self.is_begun {
            let Some(begun) = begin(rest)? else {
                self.pending = rest.to_vec();
                return Ok(());
            };
            self.is_begun = true;
            rest = &rest[begun..];
        }
        while !rest.is_empty() && !self.is_ended {
            match self.row(rest)? {
                Found::Row(next) => rest = &rest[next..],
                Found::End => self.is_ended = true,
                Found::Part => {
                    self.pending = rest.to_vec();
                    break;
                }
            }
        }
        Ok(())
    }

    /// The batches that were not taken yet, after all bytes have arrived.
    ///
    /// # Errors
    /// The end of the copy has not arrived.
    pub fn finish(mut self) -> Result<Vec<RecordBatch>, DecodeError> {
        self.end()?;
        Ok(self.batches)
    }

    /// Completes the last batch after all bytes have arrived.
    ///
    /// # Errors
    /// The end of the copy has not arrived.
    pub fn end(&mut self) -> Result<(), DecodeError> {
        if !self.is_ended {
            return Err(DecodeError::Malformed);
        }
        self.flush();
        Ok(())
    }

    fn row(&mut self, bytes: &[u8]) -> Result<Found, DecodeError> {
        let Some(fields) = bytes.first_chunk::<2>().map(|word| i16::from_be_bytes(*word)) else {
            return Ok(Found::Part);
        };
        if fields == -1 {
            return Ok(Found::End);
        }
        if usize::try_from(fields) != Ok(self.columns.len()) {
            return Err(DecodeError::Malformed);
        }
        let Some(end) = row_end(bytes, self.columns.len())? else { return Ok(Found::Part) };
        let mut at = 2;
        let mut stays = true;
        for (column, cells) in self.columns.iter().zip(&mut self.builders) {
            let length = length(bytes, at).ok_or(DecodeError::Malformed)?;
            at += 4;
            let value = usize::try_from(length).ok().map(|length| &bytes[at..at + length]);
            at += value.map_or(0, <[u8]>::len);
            match cells.add(value) {
                Ok(()) => {}
                // A NULL takes the place of the value, because all columns need the same number of cells.
                Err(_) if self.skips.is_some() => {
                    stays = false;
                    cells.add(None).expect("NULL is of every type");
                }
                Err(problem) => return Err(DecodeError::Value { column: column.name.clone(), problem }),
            }
        }
        if let Some(skips) = &mut self.skips {
            skips.stays.push(stays);
            skips.rows += u64::from(!stays);
        }
        self.held = Held { rows: self.held.rows + 1, bytes: self.held.bytes + end };
        if self.held.rows >= self.batch_rows || self.held.bytes >= BATCH_BYTES {
            self.flush();
        }
        Ok(Found::Row(end))
    }

    fn flush(&mut self) {
        if self.held.rows > 0 {
            let arrays = self.builders.iter_mut().map(CellBuilder::finish).collect();
            let batch = RecordBatch::try_new(self.schema.clone(), arrays);
            let mut batch = batch.expect("each column has a cell a row, of the type of the schema");
            if let Some(skips) = &mut self.skips {
                let stays = BooleanArray::from(std::mem::take(&mut skips.stays));
                batch = filter_record_batch(&batch, &stays).expect("each row has a word on whether it stays");
            }
            self.batches.push(batch);
            self.held = Held::default();
        }
    }
}

/// The offset of the first row; `None`: the header has not arrived completely.
fn begin(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
    let head = SIGNATURE.len() + 8;
    if bytes.len() < head {
        return Ok(None);
    }
    if !bytes.starts_with(SIGNATURE) {
        return Err(DecodeError::Malformed);
    }
    let extension = length(bytes, SIGNATURE.len() + 4).ok_or(DecodeError::Malformed)?;
    let extension = usize::try_from(extension).map_err(|_| DecodeError::Malformed)?;
    Ok((bytes.len() >= head + extension).then_some(head + extension))
}

/// The offset of the end of a row; `None`: the row has not arrived completely.
fn row_end(bytes: &[u8], fields: usize) -> Result<Option<usize>, DecodeError> {
    let mut at = 2;
    for _ in 0..fields {
        let Some(length) = length(bytes, at) else { return Ok(None) };
        at += 4;
        match length {
            -1 => {}
            length => at += usize::try_from(length).map_err(|_| DecodeError::Malformed)?,
        }
    }
    Ok((at <= bytes.len()).then_some(at))
}

fn length(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| i32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_may_come_in_any_pieces_and_must_end() {
        let column = |name: &str, base: &str| PgColumn {
            name: name.into(),
            base: base.into(),
            written: base.into(),
            modifier: -1,
            not_null: false,
            has_default: false,
            is_generated: false,
        };
        let columns = [column("a", "text"), column("b", "integer")];
        let mut bytes = [SIGNATURE, &[0; 8]].concat();
        for (text, number) in [(Some("x"), 1_i32), (None, 2), (Some("yz"), 3)] {
            bytes.extend(2_i16.to_be_bytes());
            bytes.extend(text.map_or(-1, |text| text.len() as i32).to_be_bytes());
            bytes.extend(text.unwrap_or_default().as_bytes());
            bytes.extend(4_i32.to_be_bytes());
            bytes.extend(number.to_be_bytes());
        }
        let cut = bytes.clone();
        bytes.extend((-1_i16).to_be_bytes());
        for size in [1, 2, 3, 7, 1000] {
            let mut decoder = Decoder::new(&columns);
            bytes.chunks(size).for_each(|chunk| decoder.take(chunk).unwrap());
            let batches = decoder.finish().unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3, "in pieces of {size}");
        }
        let mut decoder = Decoder::new(&columns);
        decoder.take(&cut).unwrap();
        assert!(decoder.finish().is_err());
        assert!(Decoder::new(&columns[..1]).take(&bytes).is_err());
        assert!(Decoder::new(&columns).take(&[0; 30]).is_err());
    }
}
