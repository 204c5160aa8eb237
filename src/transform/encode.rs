//! Encodes Arrow batches as text for `copy … from stdin`; [`keys`] finds the partition of each row by its key.

mod keys;

use std::fmt::Write as _;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray,
    LargeBinaryArray, LargeStringArray, StringArray, StringViewArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::record_batch::RecordBatch;
use data_encoding::HEXLOWER;

pub use keys::{KeyPlaces, key_hash, key_hashes};

/// A column whose type has no counterpart in PostgreSQL's text format.
#[derive(Debug, thiserror::Error)]
#[error("column {column} is of a kind that cannot be written ({kind}): make it a text")]
pub struct EncodeError {
    pub column: String,
    pub kind: String,
}

/// Rows as text for COPY.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    pub text: String,
    pub rows: u64,
}

/// Appends some columns of a batch to a text for COPY. `places` are the columns' places in the batch.
pub fn encode(batch: &RecordBatch, places: &[usize], out: &mut Encoded) -> Result<(), EncodeError> {
    let columns = places.iter().map(|place| written(batch, *place)).collect::<Result<Vec<_>, _>>()?;
    for row in 0..batch.num_rows() {
        for (number, column) in columns.iter().enumerate() {
            if number > 0 {
                out.text.push('\t');
            }
            column.write(row, &mut out.text);
        }
        out.text.push('\n');
    }
    out.rows += batch.num_rows() as u64;
    Ok(())
}

/// A value in COPY's text, for messages.
pub fn shown(batch: &RecordBatch, column: usize, row: usize) -> String {
    let mut text = String::new();
    match written(batch, column) {
        Ok(column) if column.array.is_null(row) => text.push_str("NULL"),
        Ok(column) => {
            text.push('`');
            column.write(row, &mut text);
            text.push('`');
        }
        Err(error) => text = error.to_string(),
    }
    text
}

/// A column and how its values are written.
struct WritableColumn {
    array: ArrayRef,
    kind: WrittenAs,
}

#[derive(Clone, Copy)]
enum WrittenAs {
    Nothing,
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Float64,
    Decimal(i8),
    Date,
    Time,
    Timestamp { is_utc: bool },
    Text,
    LargeText,
    TextView,
    Bytes,
    LargeBytes,
    FixedBytes,
}

fn written(batch: &RecordBatch, place: usize) -> Result<WritableColumn, EncodeError> {
    let mut array = batch.column(place).clone();
    let error = |kind: &DataType| EncodeError {
        column: batch.schema().field(place).name().clone(),
        kind: kind.to_string(),
    };
    // Types that only store the same value differently are cast to a type that is handled below.
    let simple = match array.data_type() {
        DataType::Dictionary(_, value) => Some((**value).clone()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => None,
        DataType::Timestamp(_, zone) => Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
        DataType::Time32(_) | DataType::Time64(TimeUnit::Nanosecond) => {
            Some(DataType::Time64(TimeUnit::Microsecond))
        }
        DataType::Date64 => Some(DataType::Date32),
        DataType::Decimal32(digits, scale) | DataType::Decimal64(digits, scale) => {
            Some(DataType::Decimal128(*digits, *scale))
        }
        DataType::Float16 => Some(DataType::Float32),
        _ => None,
    };
    if let Some(simple) = simple {
        array = cast(&array, &simple).map_err(|_| error(array.data_type()))?;
    }
    let kind = match array.data_type() {
        DataType::Null => WrittenAs::Nothing,
        DataType::Boolean => WrittenAs::Bool,
        DataType::Int8 => WrittenAs::Int8,
        DataType::Int16 => WrittenAs::Int16,
        DataType::Int32 => WrittenAs::Int32,
        DataType::Int64 => WrittenAs::Int64,
        DataType::UInt8 => WrittenAs::UInt8,
        DataType::UInt16 => WrittenAs::UInt16,
        DataType::UInt32 => WrittenAs::UInt32,
        DataType::UInt64 => WrittenAs::UInt64,
        DataType::Float32 => WrittenAs::Float32,
        DataType::Float64 => WrittenAs::Float64,
        DataType::Decimal128(_, scale) => WrittenAs::Decimal(*scale),
        DataType::Date32 => WrittenAs::Date,
        DataType::Time64(TimeUnit::Microsecond) => WrittenAs::Time,
        DataType::Timestamp(_, zone) => WrittenAs::Timestamp { is_utc: zone.is_some() },
        DataType::Utf8 => WrittenAs::Text,
        DataType::LargeUtf8 => WrittenAs::LargeText,
        DataType::Utf8View => WrittenAs::TextView,
        DataType::Binary => WrittenAs::Bytes,
        DataType::LargeBinary => WrittenAs::LargeBytes,
        DataType::FixedSizeBinary(_) => WrittenAs::FixedBytes,
        other => return Err(error(other)),
    };
    Ok(WritableColumn { array, kind })
}

impl WritableColumn {
    fn write(&self, row: usize, out: &mut String) {
        let array = &self.array;
        if array.is_null(row) || matches!(self.kind, WrittenAs::Nothing) {
            out.push_str("\\N");
            return;
        }
        // Writing to a String cannot fail.
        let _ = match self.kind {
            WrittenAs::Nothing => Ok(()),
            WrittenAs::Bool => write!(out, "{}", of::<BooleanArray>(array).value(row)),
            WrittenAs::Int8 => write!(out, "{}", array.as_primitive::<Int8Type>().value(row)),
            WrittenAs::Int16 => write!(out, "{}", array.as_primitive::<Int16Type>().value(row)),
            WrittenAs::Int32 => write!(out, "{}", array.as_primitive::<Int32Type>().value(row)),
            WrittenAs::Int64 => write!(out, "{}", array.as_primitive::<Int64Type>().value(row)),
            WrittenAs::UInt8 => write!(out, "{}", array.as_primitive::<UInt8Type>().value(row)),
            WrittenAs::UInt16 => write!(out, "{}", array.as_primitive::<UInt16Type>().value(row)),
            WrittenAs::UInt32 => write!(out, "{}", array.as_primitive::<UInt32Type>().value(row)),
            WrittenAs::UInt64 => write!(out, "{}", array.as_primitive::<UInt64Type>().value(row)),
            WrittenAs::Float32 => write!(out, "{}", array.as_primitive::<Float32Type>().value(row)),
            WrittenAs::Float64 => write!(out, "{}", array.as_primitive::<Float64Type>().value(row)),
            WrittenAs::Decimal(scale) => decimal(of::<Decimal128Array>(array).value(row), scale, out),
            WrittenAs::Date => {
                day(i64::from(of::<Date32Array>(array).value(row)), i64::from(i32::MAX), "", out)
            }
            WrittenAs::Time => time(of::<Time64MicrosecondArray>(array).value(row), out),
            WrittenAs::Timestamp { is_utc } => {
                timestamp(of::<TimestampMicrosecondArray>(array).value(row), is_utc, out)
            }
            WrittenAs::Text => escaped(of::<StringArray>(array).value(row), out),
            WrittenAs::LargeText => escaped(of::<LargeStringArray>(array).value(row), out),
            WrittenAs::TextView => escaped(of::<StringViewArray>(array).value(row), out),
            WrittenAs::Bytes => bytes(of::<BinaryArray>(array).value(row), out),
            WrittenAs::LargeBytes => bytes(of::<LargeBinaryArray>(array).value(row), out),
            WrittenAs::FixedBytes => bytes(of::<FixedSizeBinaryArray>(array).value(row), out),
        };
    }
}

fn of<A: Array + 'static>(array: &ArrayRef) -> &A {
    array.as_any().downcast_ref().expect("the kind is told by the array's type")
}

fn escaped(text: &str, out: &mut String) -> std::fmt::Result {
    escape(text, out);
    Ok(())
}

/// Escapes a text for COPY.
pub fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\n', '\r', '\t']) {
        out.push_str(&rest[..at]);
        out.push('\\');
        out.push(match rest.as_bytes()[at] {
            b'\n' => 'n',
            b'\r' => 'r',
            b'\t' => 't',
            _ => '\\',
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

fn bytes(value: &[u8], out: &mut String) -> std::fmt::Result {
    out.push_str("\\\\x");
    HEXLOWER.encode_write(value, out)
}

fn decimal(value: i128, scale: i8, out: &mut String) -> std::fmt::Result {
    let scale = usize::try_from(scale).unwrap_or(0);
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    match part.is_empty() {
        true => write!(out, "{sign}{whole}"),
        false => write!(out, "{sign}{whole}.{part}"),
    }
}

/// Writes the date that is `days` after 1970-01-01, followed by `more`. `end` and `-end` stand for infinity.
fn day(days: i64, end: i64, more: &str, out: &mut String) -> std::fmt::Result {
    if days.abs() == end {
        return write!(out, "{}infinity", if days < 0 { "-" } else { "" });
    }
    let (year, month, date) = civil(days);
    match year > 0 {
        true => write!(out, "{year:04}-{month:02}-{date:02}{more}"),
        // There is no year 0: the year before 1 is 1 BC.
        false => write!(out, "{:04}-{month:02}-{date:02}{more} BC", 1 - year),
    }
}

/// Year, month and day in the Gregorian calendar, also before its introduction. Years begin in March here, so that the leap day
/// is the last day; 400 years have 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, date)
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

fn time(micros: i64, out: &mut String) -> std::fmt::Result {
    let (seconds, part) = (micros / SECOND, micros % SECOND);
    write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    if part > 0 {
        let digits = format!("{part:06}");
        write!(out, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

fn timestamp(micros: i64, is_utc: bool, out: &mut String) -> std::fmt::Result {
    if micros == i64::MAX || micros == -i64::MAX {
        return write!(out, "{}infinity", if micros < 0 { "-" } else { "" });
    }
    let mut more = String::from(" ");
    time(micros.rem_euclid(DAY), &mut more)?;
    if is_utc {
        more.push_str("+00");
    }
    day(micros.div_euclid(DAY), i64::MAX, &more, out)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn text(array: ArrayRef) -> String {
        let schema = Schema::new(vec![Field::new("c", array.data_type().clone(), true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![array]).unwrap();
        let mut out = Encoded::default();
        encode(&batch, &[0], &mut out).unwrap();
        out.text
    }

    #[test]
    fn values_are_written_as_postgresql_shows_them() {
        assert_eq!(
            text(Arc::new(StringArray::from(vec![Some("a\tb\\\n"), None, Some("")]))),
            "a\\tb\\\\\\n\n\\N\n\n"
        );
        let numbers = Decimal128Array::from(vec![5, -1234, 0]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(text(Arc::new(numbers)), "0.05\n-12.34\n0.00\n");
        let days = Date32Array::from(vec![0, -1, 11_016, -719_529, i32::MAX]);
        assert_eq!(text(Arc::new(days)), "1970-01-01\n1969-12-31\n2000-02-29\n0002-12-31 BC\ninfinity\n");
        let times = TimestampMicrosecondArray::from(vec![0, -1, 1_500_000]).with_timezone("UTC");
        let expected = "1970-01-01 00:00:00+00\n1969-12-31 23:59:59.999999+00\n1970-01-01 00:00:01.5+00\n";
        assert_eq!(text(Arc::new(times)), expected);
        assert_eq!(text(Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..]]))), "\\\\x00ff\n");
        assert_eq!(text(Arc::new(BooleanArray::from(vec![true]))), "true\n");
    }

    #[test]
    fn rows_are_counted_by_their_keys_byte_for_byte() {
        let schema = Schema::new(vec![Field::new("k", DataType::Utf8, true)]);
        let keys = StringArray::from(vec![Some("1"), Some(" 1"), None, Some(""), Some("1 "), Some("a\tb")]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(keys)]).unwrap();
        let known = [Some("1"), None, Some(""), Some("a\tb")];
        let places = KeyPlaces::new(known, false).places(&batch, 0).unwrap();
        assert_eq!(places, [Some(0), None, Some(1), Some(2), None, Some(3)]);
        assert_eq!(KeyPlaces::new(known, true).places(&batch, 0).unwrap()[4], Some(0));
        assert_eq!(KeyPlaces::new([Some("1")], false).places(&batch, 0).unwrap()[2], None);
    }
}
