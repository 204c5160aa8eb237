//! Cleaning in SQL: DuckDB in this process holds the table `raw`, and a query of the job's author makes the clean rows.

use std::path::Path;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::CleaningError;
use crate::clients::duckdb::{DuckLimits, Staging};
use crate::sql;
use crate::transform::columns::duck_type;

/// A DuckDB database with the job's query.
pub struct SqlCleaning {
    staging: Staging,
    /// The script that creates an empty table `raw`.
    raw: String,
}

impl SqlCleaning {
    /// Opens DuckDB, which spills to `folder`, and tries the query on no rows, which finds errors of syntax and of names.
    /// `job` is the job's folder, for files that the query names; `schema` is that of the raw rows.
    pub fn open(
        (job, folder): (&Path, &Path),
        limits: DuckLimits,
        query: &str,
        schema: &SchemaRef,
    ) -> Result<Self, CleaningError> {
        let staging = Staging::create(folder, limits)?;
        let places = sql::render(sql::TRANSFORM_PLACES, &[("folder", &job.to_string_lossy())]);
        staging.run("look into the job's folder", &places)?;
        let column = |field: &std::sync::Arc<arrow::datatypes::Field>| {
            format!("{} {}", sql::identifier(field.name()), duck_type(field.data_type()))
        };
        let columns = schema.fields().iter().map(column).collect::<Vec<_>>().join(", ");
        let raw = sql::render(sql::TRANSFORM_RAW, &[("raw_columns", &columns)]);
        staging.run("make the table raw", &raw)?;
        // The view is resolved again for each query, so it always reads the current `raw`.
        let script = sql::render(sql::TRANSFORM_CLEANED, &[("query", one_query(query))]);
        staging.run("take the cleaning's query", &script)?;
        Ok(Self { staging, raw })
    }

    /// Sets DuckDB's memory limit in MiB.
    pub fn give(&mut self, memory_mib: u64) -> Result<(), CleaningError> {
        Ok(self.staging.give(memory_mib)?)
    }

    /// Cleans raw rows, which stay in memory only until DuckDB has them; `each` takes the clean ones.
    pub fn clean<E>(
        &mut self,
        rows: Vec<RecordBatch>,
        each: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<Result<(), E>, CleaningError> {
        self.staging.run("empty the table raw", &self.raw)?;
        let mut load = self.staging.load()?;
        for batch in rows.into_iter().filter(|batch| batch.num_rows() > 0) {
            load.append("raw", batch)?;
        }
        load.commit()?;
        let cleaned = self.staging.each("clean", sql::TRANSFORM_CLEAN, each)?;
        // The next rows find all of the memory free.
        self.staging.run("empty the table raw", &self.raw)?;
        Ok(cleaned)
    }

    /// The columns of the clean rows.
    pub fn columns(&mut self) -> Result<SchemaRef, CleaningError> {
        Ok(self.staging.schema("clean no rows", sql::TRANSFORM_CLEAN)?)
    }
}

/// The query without a semicolon and lines of comments at its end, because it is inserted into a larger one.
fn one_query(text: &str) -> &str {
    let text = text.trim_end();
    let last = text.rfind('\n').map_or(0, |at| at + 1);
    match text.strip_suffix(';') {
        Some(query) => one_query(query),
        None if last > 0 && text[last..].trim_start().starts_with("--") => one_query(&text[..last]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    const LIMITS: DuckLimits = DuckLimits { memory_mib: 100, threads: 1 };

    fn schema() -> SchemaRef {
        let fields = vec![Field::new("zip", DataType::Utf8, true), Field::new("n", DataType::Int64, true)];
        Arc::new(Schema::new(fields))
    }

    fn rows(zips: &[Option<&str>]) -> RecordBatch {
        let zips: ArrayRef = Arc::new(StringArray::from(zips.to_vec()));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..zips.len() as i64));
        RecordBatch::try_new(schema(), vec![zips, numbers]).unwrap()
    }

    /// The number of clean rows.
    fn cleaned(cleaning: &mut SqlCleaning, rows: &[RecordBatch]) -> Result<usize, CleaningError> {
        let mut number = 0;
        let each = |batch: RecordBatch| {
            number += batch.num_rows();
            Ok::<_, CleaningError>(())
        };
        cleaning.clean(rows.to_vec(), each)??;
        Ok(number)
    }

    #[test]
    fn rows_are_cleaned_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let query = "select zip, sum(n) as n from raw group by zip -- the sum\n;\n-- of numbers\n";
        let mut cleaning =
            SqlCleaning::open((folder.path(), folder.path()), LIMITS, query, &schema()).unwrap();
        for _ in 0..3 {
            assert_eq!(cleaned(&mut cleaning, &[rows(&[Some("a"), None, Some("a")]), rows(&[])]).unwrap(), 2);
        }
        assert_eq!(cleaned(&mut cleaning, &[]).unwrap(), 0);
        assert_eq!(cleaning.columns().unwrap().field(1).name(), "n");
    }

    #[test]
    fn an_error_is_found_before_any_row_and_does_not_stop_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let open = |query| SqlCleaning::open((folder.path(), folder.path()), LIMITS, query, &schema());
        let words = |query| open(query).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(words("selec * from raw").contains("syntax error"), "{}", words("selec * from raw"));
        assert!(words("select nmae from raw").contains("nmae"));
        assert!(words("select 1; select 2").contains("syntax error"));
        let mut cleaning = open("select zip, error(zip) from raw where zip = 'bad'").unwrap();
        assert!(matches!(cleaned(&mut cleaning, &[rows(&[Some("bad")])]), Err(CleaningError::Failed(_))));
        assert!(cleaned(&mut cleaning, &[rows(&[Some("good")])]).is_ok());
    }
}
