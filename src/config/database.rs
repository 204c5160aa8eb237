//! Where the database is, and the schemas in it.

use std::path::PathBuf;

use super::{environment, missing, refused};
use crate::cli;
use crate::clients::postgres::PgUrl;
use crate::error::Cause;

/// Where the database is.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    Server(Box<PgUrl>),
    /// A private cluster in a folder (`None`: the default one).
    Embedded(Option<PathBuf>),
}

impl std::str::FromStr for DatabaseUrl {
    type Err = Cause;

    fn from_str(text: &str) -> Result<Self, Cause> {
        match text.split_once(':') {
            None if text == "embedded" => Ok(Self::Embedded(None)),
            Some(("embedded", dir)) if !dir.is_empty() => Ok(Self::Embedded(Some(dir.into()))),
            _ => Ok(Self::Server(Box::new(PgUrl::parse(text, &environment)?))),
        }
    }
}

/// The database and the schemas in it.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    pub url: DatabaseUrl,
    pub schema: String,
    pub ledger_schema: String,
    pub staging_schema: String,
}

impl DatabaseConfig {
    /// Validates where the database is.
    pub fn new(args: &cli::DatabaseArgs) -> Result<Self, Cause> {
        let url = args.database_url.as_deref().ok_or_else(|| {
            missing("the database", "--database-url postgresql://… (or `embedded`)", "DATABASE_URL")
        })?;
        let names = [
            (&args.schema, "--schema (DB_SCHEMA)"),
            (&args.ledger_schema, "--ledger-schema (MERGANSER_LEDGER_SCHEMA)"),
        ];
        for (name, option) in names {
            admit_name(name, option)?;
        }
        let config = Self {
            url: url.parse().map_err(|error| refused("--database-url (DATABASE_URL)", error))?,
            schema: args.schema.clone(),
            ledger_schema: args.ledger_schema.clone(),
            staging_schema: format!("{}_staging", args.ledger_schema),
        };
        config.admit(&config.schema, "--schema (DB_SCHEMA)")?;
        Ok(config)
    }

    /// The same with the tables in another schema, if `--table` has named one.
    pub(super) fn with_tables_in(self, schema: Option<String>) -> Result<Self, Cause> {
        let Some(schema) = schema else { return Ok(self) };
        admit_name(&schema, "--table")?;
        self.admit(&schema, "--table")?;
        Ok(Self { schema, ..self })
    }

    /// Refuses our own schemas as a place of tables: runs drop what they find in the one for staging, and a ledger is no place
    /// for anything else.
    pub fn admit(&self, schema: &str, option: &str) -> Result<(), Cause> {
        let whose = match schema {
            own if own == self.ledger_schema => "the ledger",
            own if own == self.staging_schema => "the tables of a run under way, which the next run drops",
            _ => return Ok(()),
        };
        Err(Cause::Usage {
            message: format!("{option}: schema {schema} is for {whose}"),
            hint: Some("name another schema for the tables".into()),
        })
    }
}

fn admit_name(name: &str, option: &str) -> Result<(), Cause> {
    // PostgreSQL would silently truncate a longer name, and then not find it; the staging schema's name is the ledger's
    // with a suffix.
    if name.is_empty() || name.len() > 55 || name.contains('\0') || name.starts_with("pg_") {
        return Err(Cause::usage(format!("{option}: `{name}` cannot be the name of a schema")));
    }
    Ok(())
}
