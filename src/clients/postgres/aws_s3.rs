//! The extension `aws_s3` of Amazon RDS: the server itself reads a CSV from S3 into a table, or writes one, with a
//! role of its own. What goes over the connection is where the object is; never a key, never the rows.

use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::{PgError, classify};
use crate::clients::store::S3Location;
use crate::sql;

/// Classes of SQLSTATE for errors of the data, the disk, a rollback or the end of the session: loading the same rows
/// another way would meet them again.
const NOT_THE_FUNCTION: [&str; 6] = ["08", "22", "23", "40", "53", "57"];

/// Why the server did not read or write an object.
#[derive(Debug, thiserror::Error)]
pub enum AwsS3Error {
    /// The function failed: no role, no way to S3, no such object.
    #[error(transparent)]
    Function(PgError),
    /// The function returned, but with an answer that we do not understand.
    #[error("{operation} failed: the server did not say how many rows there were, but `{said}`")]
    Unclear { operation: String, said: String },
    /// An error that the function did not cause.
    #[error(transparent)]
    Other(PgError),
}

/// What an export wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportedObjects {
    pub rows: u64,
    /// More than one: the server split it.
    pub objects: u64,
    pub size_bytes: u64,
}

/// A table, and the columns of it that a CSV has, in this order; `None`: all but generated ones.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    pub schema: &'a str,
    pub table: &'a str,
    pub names: Option<&'a [&'a str]>,
}

/// The functions of the extension that are missing and those that may not be called; both are empty if all can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    pub missing: Vec<String>,
    pub forbidden: Vec<String>,
}

/// Asks the server for the extension's functions.
pub async fn functions(client: &tokio_postgres::Client) -> Result<Functions, PgError> {
    let failed = |e| classify(e, "look for the extension aws_s3");
    let mut functions = Functions::default();
    for row in client.query(sql::AWS_S3_FUNCTIONS, &[]).await.map_err(failed)? {
        let name: String = row.try_get(0).map_err(failed)?;
        match (row.try_get(1).map_err(failed)?, row.try_get(2).map_err(failed)?) {
            (true, true) => {}
            (true, false) => functions.forbidden.push(name),
            (false, _) => functions.missing.push(name),
        }
    }
    Ok(functions)
}

/// Has the server read a CSV with a header row into a table; returns the number of rows. `operation` says in a few
/// words what is being done. After an error the transaction can only be rolled back.
pub async fn import(
    transaction: &Transaction<'_>,
    into: Columns<'_>,
    from: &S3Location,
    operation: &str,
) -> Result<u64, AwsS3Error> {
    let failed = |e| classify(e, operation);
    let row = transaction
        .query_one(
            sql::AWS_S3_IMPORT,
            &[&into.schema, &into.table, &into.names, &from.bucket, &from.key, &from.region],
        )
        .await
        .map_err(failed)?;
    let said: Option<String> = row.try_get(0).map_err(failed)?;
    let said = said.unwrap_or_default();
    leading_number(&said).ok_or_else(|| AwsS3Error::Unclear { operation: operation.to_owned(), said })
}

/// Has the server write a table to an object, as a CSV with a header row. It sees what the transaction sees. After an
/// error the transaction can only be rolled back.
pub async fn export(
    transaction: &Transaction<'_>,
    from: Columns<'_>,
    to: &S3Location,
    operation: &str,
) -> Result<ExportedObjects, AwsS3Error> {
    let failed = |e| classify(e, operation);
    let mut values: Vec<&(dyn ToSql + Sync)> =
        vec![&from.schema, &from.table, &from.names, &to.bucket, &to.key, &to.region];
    // Without a key, the server's own default applies.
    let argument = match &to.kms_key {
        None => "",
        Some(key) => {
            values.push(key);
            ", kms_key := $7::text"
        }
    };
    let text = sql::render(sql::AWS_S3_EXPORT, &[("kms_key", argument)]);
    let row = transaction.query_one(&text, &values).await.map_err(failed)?;
    let mut numbers = [0; 3];
    for (at, number) in numbers.iter_mut().enumerate() {
        let found: Option<i64> = row.try_get(at).map_err(failed)?;
        *number = found.and_then(|number| number.try_into().ok()).ok_or_else(|| AwsS3Error::Unclear {
            operation: operation.to_owned(),
            said: format!("{found:?}"),
        })?;
    }
    let [rows, objects, size_bytes] = numbers;
    Ok(ExportedObjects { rows, objects, size_bytes })
}

/// The number that a text begins with.
fn leading_number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

impl From<PgError> for AwsS3Error {
    fn from(error: PgError) -> Self {
        match error.sqlstate() {
            Some(code) if !NOT_THE_FUNCTION.iter().any(|class| code.starts_with(class)) => {
                Self::Function(error)
            }
            _ => Self::Other(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_the_number_that_the_text_begins_with() {
        let said = "73517 rows imported into relation \"oca_index\" from file a/1.csv of 12 bytes";
        assert_eq!(leading_number(said), Some(73517));
        assert_eq!(leading_number("0"), Some(0));
        assert_eq!(leading_number("done"), None);
        assert_eq!(leading_number(""), None);
    }
}
