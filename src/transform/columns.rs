//! Columns of PostgreSQL, as Arrow and DuckDB have them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Times with a zone are in this one.
pub const UTC: &str = "UTC";
/// The key of a field's metadata under which PostgreSQL's name of its type stands.
pub const PG_TYPE: &str = "pg_type";
/// As many digits fit into 128 bits.
const DECIMAL_DIGITS: i32 = 38;

/// A column of a table, as the catalogue tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgColumn {
    pub name: String,
    /// The type below a domain, without its modifier: `numeric`, `text`.
    pub base: String,
    /// The type as it is written: `numeric(10,2)`, `character varying(5)`.
    pub written: String,
    /// What stands in brackets behind the type, as the catalogue has it; -1: nothing.
    pub modifier: i32,
    pub not_null: bool,
    /// It has a value by itself, or may have none but its own.
    pub has_default: bool,
    pub is_generated: bool,
}

/// How a value goes over the connection, and what it is in Arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Bool,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    /// Digits in all, and behind the point.
    Decimal(u8, i8),
    Date,
    Time,
    Timestamp,
    TimestampUtc,
    Bytes,
    /// As it is.
    Text,
    /// The server makes a text of it: there is nothing of its kind elsewhere, or not with all its digits.
    AsText,
    /// Where a row lies: its page, and its place there in the lowest 16 bits.
    RowId,
}

/// The name that a column of `ctid` has for its type: no type of PostgreSQL's is called so.
const ROW_ID: &str = "ctid";

impl PgColumn {
    /// A number that goes with each row, and that the table has not as a column.
    pub fn beside(name: &str) -> Self {
        Self {
            name: name.into(),
            base: "bigint".into(),
            written: "bigint".into(),
            modifier: -1,
            not_null: true,
            has_default: false,
            is_generated: false,
        }
    }

    /// Where a row lies.
    pub fn row_id(name: &str) -> Self {
        Self { base: ROW_ID.into(), ..Self::beside(name) }
    }

    /// How this column is read.
    pub fn wire(&self) -> Wire {
        match self.base.as_str() {
            "boolean" => Wire::Bool,
            "smallint" => Wire::Int16,
            "integer" => Wire::Int32,
            "bigint" => Wire::Int64,
            "real" => Wire::Float32,
            "double precision" => Wire::Float64,
            "numeric" => self.decimal(),
            "date" => Wire::Date,
            "time without time zone" => Wire::Time,
            "timestamp without time zone" => Wire::Timestamp,
            "timestamp with time zone" => Wire::TimestampUtc,
            "bytea" => Wire::Bytes,
            ROW_ID => Wire::RowId,
            "text" | "character varying" | "character" => Wire::Text,
            _ => Wire::AsText,
        }
    }

    /// A numeric without a precision may have more digits than any other type: it comes as a text.
    fn decimal(&self) -> Wire {
        let (digits, scale) = ((self.modifier - 4) >> 16 & 0xffff, (self.modifier - 4) & 0x7ff);
        match self.modifier >= 4 && digits <= DECIMAL_DIGITS && scale <= digits {
            true => Wire::Decimal(digits as u8, scale as i8),
            false => Wire::AsText,
        }
    }

    /// Blanks at the end of a value mean nothing.
    pub fn is_padded(&self) -> bool {
        self.base == "character"
    }

    /// The type without its modifier, to cast a text to.
    pub fn cast(&self) -> &str {
        match self.base.as_str() {
            // `character` alone would be one of a single letter.
            "character" => "bpchar",
            base => base,
        }
    }
}

impl Wire {
    fn arrow(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 | Self::RowId => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal(digits, scale) => DataType::Decimal128(digits, scale),
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            Self::Bytes => DataType::Binary,
            Self::Text | Self::AsText => DataType::Utf8,
        }
    }
}

/// The columns as a schema of Arrow; each field's metadata says what PostgreSQL calls the type (`pg_type`), so that a numeric
/// that comes as a text is known as one.
pub fn schema(columns: &[PgColumn]) -> SchemaRef {
    let field = |column: &PgColumn| {
        let metadata = [(PG_TYPE.to_owned(), column.written.clone())].into();
        Field::new(&column.name, column.wire().arrow(), true).with_metadata(metadata)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// What DuckDB calls a type that [`schema`] gives.
pub fn duck_type(kind: &DataType) -> String {
    match kind {
        DataType::Boolean => "boolean".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "integer".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(digits, scale) => format!("decimal({digits}, {scale})"),
        DataType::Date32 => "date".into(),
        DataType::Time64(_) => "time".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Timestamp(_, Some(_)) => "timestamptz".into(),
        DataType::Binary => "blob".into(),
        _ => "varchar".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_keeps_all_its_digits() {
        let numeric = |modifier| PgColumn {
            name: "n".into(),
            base: "numeric".into(),
            written: "numeric".into(),
            modifier,
            not_null: false,
            has_default: false,
            is_generated: false,
        };
        let modifier = |digits: i32, scale: i32| ((digits << 16) | scale) + 4;
        assert_eq!(numeric(modifier(10, 2)).wire(), Wire::Decimal(10, 2));
        assert_eq!(numeric(modifier(38, 38)).wire(), Wire::Decimal(38, 38));
        assert_eq!(numeric(modifier(39, 2)).wire(), Wire::AsText);
        assert_eq!(numeric(-1).wire(), Wire::AsText);
    }
}
