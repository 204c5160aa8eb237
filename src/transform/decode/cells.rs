//! Decodes the values of a column into Arrow.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};

use super::super::columns::{UTC, Wire};

/// The days, and the microseconds, between 1970-01-01 and 2000-01-01, where PostgreSQL begins to count.
const DAYS_2000: i32 = 10_957;
const MICROS_2000: i64 = 946_684_800_000_000;
const WIDTH: &str = "its value is of another width than its type";

/// Builds the cells of a column.
pub(super) enum CellBuilder {
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

impl CellBuilder {
    pub(super) fn new(wire: Wire) -> Self {
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

    pub(super) fn add(&mut self, value: Option<&[u8]>) -> Result<(), &'static str> {
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

    pub(super) fn finish(&mut self) -> ArrayRef {
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

fn number<const N: usize>(value: &[u8]) -> Result<[u8; N], &'static str> {
    value.try_into().map_err(|_| WIDTH)
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
}
