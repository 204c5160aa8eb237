//! Reads the properties of a job's tables; changes nothing.

use super::columns::PgColumn;
use super::job::{Job, TableName};
use super::session::{JobSession, decode};
use crate::clients::postgres::PgError;
use crate::error::Cause;
use crate::fields::meant;
use crate::sql;

/// Types whose values are equal exactly when their texts are: a key must be of such a type.
const KEY_TYPES: [&str; 10] = [
    "text",
    "character varying",
    "character",
    "smallint",
    "integer",
    "bigint",
    "date",
    "boolean",
    "timestamp without time zone",
    "timestamp with time zone",
];

/// The expression for the transaction that wrote a row. Its column is removed before the row is cleaned.
pub const WRITTEN: &str = "xmin::text::bigint";

/// The SQLSTATEs of a condition that an index cannot have: a function that is not immutable, and a subquery.
const CHANGES: [&str; 2] = ["42P17", "0A000"];

/// The SQLSTATEs of a condition that names what a table lacks: no such column, several of this name, no such table.
const NAMES_MORE: [&str; 3] = ["42703", "42702", "42P01"];

/// Below this correlation with the key, rows count as stored in another order.
const ORDERED: f64 = 0.5;

/// A table as the catalogue describes it.
#[derive(Clone, Debug)]
pub struct Relation {
    pub kind: char,
    pub may_read: bool,
    pub is_owner: bool,
    pub owner: String,
    pub pages: i64,
    pub size_bytes: i64,
    pub has_row_security: bool,
    /// A crash of the server does not empty it.
    pub is_durable: bool,
    /// We may give the owner another table in the schema.
    pub owner_may_create: bool,
    /// Our role.
    pub role: String,
    /// By the server's statistics; 0: not known.
    pub rows: u64,
}

/// The source table and how it is read.
#[derive(Clone, Debug)]
pub struct RawTable {
    pub table: TableName,
    pub relation: Relation,
    /// The columns that the cleaning gets.
    pub columns: Vec<PgColumn>,
    /// The place of the key in `columns`.
    pub key: usize,
    /// The job's condition, in parentheses.
    pub condition: String,
    /// The name of an index that begins with the key.
    pub index: Option<String>,
    /// The correlation between the order of the rows on disk and the key, from -1 to 1; `None`: the table was not analysed.
    pub correlation: Option<f64>,
}

/// Reads the properties of a table; `None`: there is no such table.
pub async fn relation(session: &JobSession, name: &TableName) -> Result<Option<Relation>, PgError> {
    let what = format!("look at {name}");
    let row = session.maybe(&what, sql::TRANSFORM_RELATION, &[&name.schema, &name.table]).await?;
    let relation = row.map(|row| {
        Ok(Relation {
            kind: row.try_get::<_, String>(0)?.chars().next().unwrap_or('?'),
            may_read: row.try_get(1)?,
            is_owner: row.try_get(2)?,
            owner: row.try_get(3)?,
            pages: row.try_get(4)?,
            size_bytes: row.try_get(5)?,
            has_row_security: row.try_get(6)?,
            is_durable: row.try_get(7)?,
            owner_may_create: row.try_get(8)?,
            role: row.try_get(9)?,
            rows: row.try_get::<_, i64>(10)?.unsigned_abs(),
        })
    });
    relation.transpose().map_err(decode)
}

/// The columns of a table, in order. The second value says whether different texts are always different in the column.
pub async fn columns(session: &JobSession, name: &TableName) -> Result<Vec<(PgColumn, bool)>, PgError> {
    let what = format!("look at the columns of {name}");
    let rows = session.all(&what, sql::TRANSFORM_COLUMNS, &[&name.schema, &name.table]).await?;
    let column = |row: &tokio_postgres::Row| {
        let column = PgColumn {
            name: row.try_get(0)?,
            base: row.try_get(1)?,
            written: row.try_get(2)?,
            modifier: row.try_get(3)?,
            not_null: row.try_get(4)?,
            has_default: row.try_get(5)?,
            is_generated: row.try_get(6)?,
        };
        Ok((column, row.try_get(7)?))
    };
    rows.iter().map(column).collect::<Result<_, tokio_postgres::Error>>().map_err(decode)
}

impl RawTable {
    /// Reads the properties of a job's source, or of another table that has its columns.
    ///
    /// # Errors
    /// [`Cause::Refused`] if something is missing, may not be read or cannot be a key.
    pub async fn look(session: &JobSession, job: &Job, table: &TableName) -> Result<Self, Cause> {
        let relation = relation(session, table).await?.ok_or_else(|| missing_table(table))?;
        if !relation.may_read {
            return Err(Cause::Refused {
                message: format!("our role may not read {table}"),
                hint: Some(format!(
                    "let its owner, {}, run: grant select on {table} to {};",
                    relation.owner, relation.role
                )),
            });
        }
        let there = columns(session, table).await?;
        let (key, is_deterministic) = column(&there, &job.source.key, table, "key")?;
        check_key(key, *is_deterministic, table)?;
        if let Some(changed) = &job.source.changed {
            column(&there, changed, table, "changed")?;
            if !"rpm".contains(relation.kind) {
                return Err(Cause::Refused {
                    message: format!("changes of {table} cannot be seen: it is not a table"),
                    hint: Some("name the table itself as the source, or leave `changed` out".into()),
                });
            }
        }
        let mut wanted = Vec::new();
        match &job.source.columns {
            None => wanted.extend(there.iter().map(|(column, _)| column.clone())),
            Some(names) => {
                for name in names {
                    wanted.push(column(&there, name, table, "columns")?.0.clone());
                }
            }
        }
        // The key is read in any case, because it identifies the partitions.
        let place = wanted.iter().position(|column| column.name == job.source.key);
        let key_place = place.unwrap_or(wanted.len());
        if place.is_none() {
            wanted.push(key.clone());
        }
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&table.schema, &table.table, &job.source.key];
        let lie = session.maybe("look at the order of the rows", sql::TRANSFORM_KEY, &values).await?;
        let (index, correlation) = match lie {
            Some(row) => (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?),
            None => (None, None),
        };
        let condition = job.source.condition.as_deref().unwrap_or("true");
        Ok(Self {
            table: table.clone(),
            relation,
            columns: wanted,
            key: key_place,
            condition: format!("({condition}\n)"),
            index,
            correlation,
        })
    }

    /// # Errors
    /// [`Cause::Refused`] if the job's condition names more of the table than its key. In place, whole partitions are replaced,
    /// so the rows that such a condition leaves out of a partition would be deleted.
    pub async fn refuse_partial(&self, session: &JobSession) -> Result<(), Cause> {
        let (table, key) = (self.table.table.as_str(), self.key().name.as_str());
        // A key that is named like its table must not be ambiguous.
        let whole = if table == key { "\u{1}whole" } else { table };
        let variables = [
            ("schema", self.table.schema.as_str()),
            ("table", table),
            ("key", key),
            ("condition", &self.condition),
            ("whole", whole),
        ];
        let what = "try the condition on the key alone";
        let tried = session.run(what, &sql::render(sql::TRANSFORM_BY_KEY_ALONE, &variables)).await;
        match tried {
            Err(error) if error.sqlstate().is_some_and(|state| NAMES_MORE.contains(&state)) => {
                return Err(Cause::Refused {
                    message: format!(
                        "[source] where names more than the key {key} ({error}): in place, partitions are replaced as a whole, and \
                         their rows that the condition leaves out would be deleted"
                    ),
                    hint: Some(format!(
                        "run without --in-place, put the condition into the cleaning, or write one by {key} alone"
                    )),
                });
            }
            tried => tried?,
        }
        let what = "try whether the condition always has the same answer";
        let text = sql::render(sql::TRANSFORM_BY_KEY_ALWAYS, &variables[..4]);
        match session.transaction(what, session.run(what, &text)).await {
            Err(error) if error.sqlstate().is_some_and(|state| CHANGES.contains(&state)) => {
                Err(Cause::Refused {
                    message: format!(
                        "[source] where may have another answer for the same key later ({error}): in place, a partition that it takes \
                     in at the plan and leaves out afterwards would be deleted"
                    ),
                    hint: Some(format!(
                        "compare {key} with fixed values, such as {key} like '1%', or run without --in-place"
                    )),
                })
            }
            tried => Ok(tried?),
        }
    }

    /// The key's column.
    pub fn key(&self) -> &PgColumn {
        &self.columns[self.key]
    }

    /// Whether reading a partition by its key costs a page for each row, or a pass over the whole table.
    pub fn is_scattered(&self) -> bool {
        self.index.is_none() || self.correlation.is_some_and(|correlation| correlation.abs() < ORDERED)
    }

    /// Whether the table records which transaction wrote a row.
    pub fn is_table(&self) -> bool {
        "rpm".contains(self.relation.kind)
    }

    /// The expression for the transaction that wrote a row; 0 if the table does not record it.
    pub fn written(&self) -> &'static str {
        if self.is_table() { WRITTEN } else { "0::bigint" }
    }
}

fn column<'c>(
    there: &'c [(PgColumn, bool)],
    name: &str,
    table: &TableName,
    field: &str,
) -> Result<&'c (PgColumn, bool), Cause> {
    let names: Vec<_> = there.iter().map(|(column, _)| column.name.as_str()).collect();
    there.iter().find(|(column, _)| column.name == name).ok_or_else(|| Cause::Refused {
        message: format!("{table} has no column `{name}`, which `{field}` names"),
        hint: Some(meant(name, &names, "choose from its columns")),
    })
}

/// # Errors
/// The type is one in which equal values may have different texts, or different values the same text.
fn check_key(key: &PgColumn, is_deterministic: bool, table: &TableName) -> Result<(), Cause> {
    let problem = match (KEY_TYPES.contains(&key.base.as_str()), is_deterministic) {
        (true, true) => return Ok(()),
        (false, _) => format!("is of type {}", key.written),
        (true, false) => "has a collation in which different texts are equal".into(),
    };
    Err(Cause::Refused {
        message: format!(
            "the column {} of {table} {problem}: it cannot be a key, whose values must be equal exactly where their texts are",
            key.name
        ),
        hint: Some(match is_deterministic {
            true => format!("choose a key of one of these types: {}", KEY_TYPES.join(", ")),
            false => "choose another key, or give the column a deterministic collation".into(),
        }),
    })
}

/// The error for a missing table.
pub fn missing_table(name: &TableName) -> Cause {
    Cause::Refused {
        message: format!("there is no table {name}"),
        hint: Some("look at the name, its schema and the database of --database-url".into()),
    }
}
