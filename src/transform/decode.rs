//! Decodes rows in PostgreSQL's binary format (`copy … to stdout (format binary)`) into Arrow batches.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanArray, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::columns::{PgColumn, UTC, Wire, schema};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The number of rows in a batch.
const BATCH_ROWS: usize = 65_536;
/// The most bytes in a batch: the offsets in a column of texts have 32 bits.
const BATCH_BYTES: usize = 256 << 20;
/// The days, and the microseconds, between 1970-01-01 and 2000-01-01, where PostgreSQL begins to count.
const DAYS_2000: i32 = 10_957;
const MICROS_2000: i64 = 946_684_800_000_000;

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

/// Builds the cells of a column.
enum CellBuilder {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, i8),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Bytes(BinaryBuilder),
    Text(StringBuilder),
    RowId(Int64Builder),
}

const WIDTH: &str = "its value is of another width than its type";

fn number<const N: usize>(value: &[u8]) -> Result<[u8; N], &'static str> {
    value.try_into().map_err(|_| WIDTH)
}

impl CellBuilder {
    fn new(wire: Wire) -> Self {
        match wire {
            Wire::Bool => Self::Bool(BooleanBuilder::new()),
            Wire::Int16 => Self::Int16(Int16Builder::new()),
            Wire::Int32 => Self::Int32(Int32Builder::new()),
            Wire::Int64 => Self::Int64(Int64Builder::new()),
            Wire::Float32 => Self::Float32(Float32Builder::new()),
            Wire::Float64 => Self::Float64(Float64Builder::new()),
            Wire::Decimal(digits, scale) => {
                let builder = Decimal128Builder::new().with_precision_and_scale(digits, scale);
                Self::Decimal(builder.expect("a precision that fits, and a scale within it"), scale)
            }
            Wire::Date => Self::Date(Date32Builder::new()),
            Wire::Time => Self::Time(Time64MicrosecondBuilder::new()),
            Wire::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new()),
            Wire::TimestampUtc => Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone(UTC)),
            Wire::Bytes => Self::Bytes(BinaryBuilder::new()),
            Wire::RowId => Self::RowId(Int64Builder::new()),
            Wire::Text | Wire::AsText => Self::Text(StringBuilder::new()),
        }
    }

    fn add(&mut self, value: Option<&[u8]>) -> Result<(), &'static str> {
        match self {
            Self::Bool(cells) => {
                cells.append_option(value.map(|v| number::<1>(v).map(|[byte]| byte != 0)).transpose()?);
            }
            Self::Int16(cells) => {
                cells.append_option(value.map(|v| number(v).map(i16::from_be_bytes)).transpose()?);
            }
            Self::Int32(cells) => {
                cells.append_option(value.map(|v| number(v).map(i32::from_be_bytes)).transpose()?);
            }
            Self::Int64(cells) => {
                cells.append_option(value.map(|v| number(v).map(i64::from_be_bytes)).transpose()?);
            }
            Self::Float32(cells) => {
                cells.append_option(value.map(|v| number(v).map(f32::from_be_bytes)).transpose()?);
            }
            Self::Float64(cells) => {
                cells.append_option(value.map(|v| number(v).map(f64::from_be_bytes)).transpose()?);
            }
            Self::Decimal(cells, scale) => {
                cells.append_option(value.map(|v| decimal(v, *scale)).transpose()?);
            }
            Self::Date(cells) => cells.append_option(value.map(date).transpose()?),
            Self::Time(cells) => {
                cells.append_option(value.map(|v| number(v).map(i64::from_be_bytes)).transpose()?);
            }
            Self::Timestamp(cells) => cells.append_option(value.map(timestamp).transpose()?),
            Self::Bytes(cells) => cells.append_option(value),
            Self::RowId(cells) => cells.append_option(value.map(row_id).transpose()?),
            Self::Text(cells) => {
                let text =
                    value.map(|v| std::str::from_utf8(v).map_err(|_| "it holds a text that is not UTF-8"));
                cells.append_option(text.transpose()?);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(cells) => Arc::new(cells.finish()),
            Self::Int16(cells) => Arc::new(cells.finish()),
            Self::Int32(cells) => Arc::new(cells.finish()),
            Self::Int64(cells) => Arc::new(cells.finish()),
            Self::Float32(cells) => Arc::new(cells.finish()),
            Self::Float64(cells) => Arc::new(cells.finish()),
            Self::Decimal(cells, _) => Arc::new(cells.finish()),
            Self::Date(cells) => Arc::new(cells.finish()),
            Self::Time(cells) => Arc::new(cells.finish()),
            Self::Timestamp(cells) => Arc::new(cells.finish()),
            Self::Bytes(cells) => Arc::new(cells.finish()),
            Self::RowId(cells) => Arc::new(cells.finish()),
            Self::Text(cells) => Arc::new(cells.finish()),
        }
    }
}

/// Packs a page of 32 bits and a place of 16 bits into one number.
fn row_id(value: &[u8]) -> Result<i64, &'static str> {
    let [a, b, c, d, e, f] = number(value)?;
    Ok(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}

/// PostgreSQL's `infinity` is kept: DuckDB represents it by the largest and smallest numbers, too.
fn date(value: &[u8]) -> Result<i32, &'static str> {
    match i32::from_be_bytes(number(value)?) {
        i32::MAX => Ok(i32::MAX),
        i32::MIN => Ok(-i32::MAX),
        days => days.checked_add(DAYS_2000).ok_or("a date is too far away"),
    }
}

fn timestamp(value: &[u8]) -> Result<i64, &'static str> {
    match i64::from_be_bytes(number(value)?) {
        i64::MAX => Ok(i64::MAX),
        i64::MIN => Ok(-i64::MAX),
        micros => micros.checked_add(MICROS_2000).ok_or("a time is too far away"),
    }
}

/// Decodes groups of four digits. The first group counts multiples of 10,000 to the power of `weight`.
fn decimal(value: &[u8], scale: i8) -> Result<i128, &'static str> {
    const NONE: &str = "NaN or infinity, which a decimal number elsewhere cannot be";
    const LARGE: &str = "a number with more digits than its type has";
    let words: Vec<i16> = value.chunks_exact(2).map(|word| i16::from_be_bytes([word[0], word[1]])).collect();
    let [count, weight, sign, _, digits @ ..] = words.as_slice() else { return Err(WIDTH) };
    if usize::try_from(*count) != Ok(digits.len()) {
        return Err(WIDTH);
    }
    let mut sum: i128 = 0;
    for (index, digit) in digits.iter().enumerate() {
        let power = (i32::from(*weight) - index as i32) * 4 + i32::from(scale);
        let digit = i128::from(*digit);
        let part = match u32::try_from(power) {
            Ok(power) if power > 38 && digit != 0 => return Err(LARGE),
            Ok(power) if digit != 0 => digit.checked_mul(10_i128.pow(power)).ok_or(LARGE)?,
            Ok(_) => 0,
            // The last group may extend beyond the scale with zeros.
            Err(_) => digit / 10_i128.pow(power.unsigned_abs().min(38)),
        };
        sum = sum.checked_add(part).ok_or(LARGE)?;
    }
    match *sign as u16 {
        0x0000 => Ok(sum),
        0x4000 => Ok(-sum),
        _ => Err(NONE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(weight: i16, sign: u16, digits: &[i16]) -> Vec<u8> {
        let head = [digits.len() as i16, weight, sign as i16, 0];
        head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn a_numeric_is_exact() {
        assert_eq!(decimal(&numeric(0, 0, &[1, 2500]), 2), Ok(125));
        assert_eq!(decimal(&numeric(1, 0x4000, &[12, 3456]), 0), Ok(-123_456));
        assert_eq!(decimal(&numeric(-1, 0, &[100]), 4), Ok(100));
        assert_eq!(decimal(&numeric(0, 0, &[]), 4), Ok(0));
        assert_eq!(decimal(&numeric(1, 0, &[1]), 2), Ok(1_000_000));
        assert!(decimal(&numeric(0, 0xc000, &[]), 2).is_err());
        assert!(decimal(&[0, 1], 2).is_err());
    }

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
