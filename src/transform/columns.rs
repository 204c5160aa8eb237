//! Columns of PostgreSQL and their types in Arrow and DuckDB.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The time zone of all times with a zone.
pub const UTC: &str = "UTC";
/// The key in a field's metadata for PostgreSQL's name of the type.
pub const PG_TYPE: &str = "pg_type";
/// The number of decimal digits that fit into 128 bits.
const DECIMAL_DIGITS: i32 = 38;

/// A column of a table, as the catalogue describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgColumn {
    pub name: String,
    /// The type without its modifier, and the base type instead of a domain: `numeric`, `text`.
    pub base: String,
    /// The type in full: `numeric(10,2)`, `character varying(5)`.
    pub written: String,
    /// The type modifier from the catalogue; -1: none.
    pub modifier: i32,
    pub not_null: bool,
    /// The column has a default or is an identity column.
    pub has_default: bool,
    /// The column is computed, or an identity column that accepts no value.
    pub is_generated: bool,
}

/// How a value is transferred over the connection, and hence its type in Arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Bool,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    /// The number of digits, and how many of them follow the point.
    Decimal(u8, i8),
    Date,
    Time,
    Timestamp,
    TimestampUtc,
    Bytes,
    /// A text, transferred unchanged.
    Text,
    /// The server converts the value to text, because no other type holds it, or holds all its digits.
    AsText,
    /// The position of a row: the page, and in the lowest 16 bits its place on the page.
    RowId,
}

/// The type name that marks a column of `ctid`; PostgreSQL has no type of this name.
const ROW_ID: &str = "ctid";

impl PgColumn {
    /// A number that is read with each row and is not a column of the table.
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

    /// The position of a row, as a column.
    pub fn row_id(name: &str) -> Self {
        Self { base: ROW_ID.into(), ..Self::beside(name) }
    }

    /// How this column is transferred.
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

    /// A numeric without a precision may have more digits than any other type, so it is transferred as text.
    fn decimal(&self) -> Wire {
        let (digits, scale) = ((self.modifier - 4) >> 16 & 0xffff, (self.modifier - 4) & 0x7ff);
        match self.modifier >= 4 && digits <= DECIMAL_DIGITS && scale <= digits {
            true => Wire::Decimal(digits as u8, scale as i8),
            false => Wire::AsText,
        }
    }

    /// Whether blanks at the end of a value are insignificant.
    pub fn is_padded(&self) -> bool {
        self.base == "character"
    }

    /// The type without its modifier, for a cast from text.
    pub fn cast(&self) -> &str {
        match self.base.as_str() {
            // `character` alone would mean a single letter.
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

/// The columns as an Arrow schema. The metadata of each field holds PostgreSQL's name of the type (`pg_type`), so that a
/// numeric which is transferred as text can be recognised.
pub fn schema(columns: &[PgColumn]) -> SchemaRef {
    let field = |column: &PgColumn| {
        let metadata = [(PG_TYPE.to_owned(), column.written.clone())].into();
        Field::new(&column.name, column.wire().arrow(), true).with_metadata(metadata)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// DuckDB's name for a type that [`schema`] uses.
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
