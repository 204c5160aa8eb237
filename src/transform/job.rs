//! A job as described by its folder: `job.toml`, the cleaning, and the script that creates the clean table.

mod files;
mod hash;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Cause;
use crate::fields::TomlFields;

/// The name of the job file in the folder.
pub const JOB_FILE: &str = "job.toml";
/// Separates the target's name from the beginning of the hash in the name of a version's table.
const VERSION_MARK: &str = "__";
/// The most bytes in a name: PostgreSQL truncates longer names, and the table would not be found.
const NAME_BYTES: usize = 63;
/// The digits of the hash in a table's name.
const HASH_DIGITS: usize = 8;

/// A job that was read and checked by itself; the plan checks whether the database has what the job names.
#[derive(Clone, Debug)]
pub struct Job {
    pub folder: PathBuf,
    pub name: String,
    pub source: JobSource,
    pub target: JobTarget,
    pub clean: JobCleaning,
    pub test: Option<JobTest>,
    /// SHA-256 of the job file and the files it names, as 64 hexadecimal digits.
    pub hash: String,
    /// The files that the cleaning reads while it is at work, as they were before they were hashed.
    stamps: Vec<files::Stamp>,
}

/// A table's name with its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    pub schema: String,
    pub table: String,
}

/// The source of the raw rows.
#[derive(Clone, Debug)]
pub struct JobSource {
    pub table: TableName,
    /// `None`: all columns.
    pub columns: Option<Vec<String>>,
    /// A condition in SQL, written by the job's author.
    pub condition: Option<String>,
    pub key: String,
    pub group_rows: u64,
    /// A column that says when a row was changed.
    pub changed: Option<String>,
}

/// The table for the clean rows.
#[derive(Clone, Debug)]
pub struct JobTarget {
    pub table: TableName,
    /// The script that creates a version's table; `:"schema"` and `:"table"` stand for its name.
    pub create: String,
    pub create_file: String,
    pub key: String,
}

/// The kind of cleaning and its limits.
#[derive(Clone, Debug)]
pub struct JobCleaning {
    pub with: CleanWith,
    /// Whether a query in SQL may see several whole partitions at once.
    pub grouped: bool,
    /// Whether each row is cleaned by itself, so that a giant partition may be split.
    pub row_wise: bool,
    /// Files of data that the cleaning reads.
    pub files: Vec<String>,
}

/// A cleaning.
#[derive(Clone, Debug)]
pub enum CleanWith {
    /// A query over the table `raw`.
    Sql { file: String, query: String },
    /// A function that takes a pandas DataFrame and returns one.
    Python { file: String, function: String, interpreter: Option<String> },
}

/// A small table and the expected result of cleaning it.
#[derive(Clone, Debug)]
pub struct JobTest {
    pub source: TableName,
    pub truth: Truth,
    /// The columns by which rows are matched; empty: the rows are compared as a multiset.
    pub key: Vec<String>,
}

/// The expected result of a test.
#[derive(Clone, Debug)]
pub enum Truth {
    Table(TableName),
    Csv(PathBuf),
}

impl Job {
    /// Whether a process of Python cleans beside the worker.
    pub fn is_python(&self) -> bool {
        matches!(self.clean.with, CleanWith::Python { .. })
    }

    /// Reads a job. `place` is its folder, or the job file in it; `default_schema` is for table names without a schema.
    ///
    /// # Errors
    /// [`Cause::Usage`] with the section, the field and, for a misspelt name, the closest known one.
    pub fn read(place: &Path, default_schema: &str) -> Result<Self, Cause> {
        let folder = match place.file_name().is_some_and(|name| name == JOB_FILE) {
            true => place.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            false => place,
        };
        let folder = std::path::absolute(folder).map_err(Cause::io("find the job"))?;
        let text = read_text(&folder, JOB_FILE, "a job is a folder with a file job.toml and the cleaning")?;
        Self::parse(folder, &text, default_schema).map_err(|error| match error {
            // The command's help says nothing of what is in the file.
            Cause::Usage { message, hint } => {
                let usual = || format!("correct {JOB_FILE}; docs/transform.md says what it takes");
                Cause::Usage { message, hint: Some(hint.unwrap_or_else(usual)) }
            }
            error => error,
        })
    }

    fn parse(folder: PathBuf, text: &str, default_schema: &str) -> Result<Self, Cause> {
        let mut root = TomlFields::parse(JOB_FILE, text, &["name", "source", "target", "clean", "test"])?;
        let name = root.text("name")?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 40 || !name.chars().all(is_plain) {
            return Err(Cause::usage(format!(
                "{JOB_FILE}: the name `{name}` must be of up to 40 letters, digits, _ and -"
            )));
        }
        let source = source(root.section("source", SOURCE_FIELDS)?, default_schema)?;
        let target = target(root.section("target", TARGET_FIELDS)?, &source, &folder, default_schema)?;
        let clean = clean(root.section("clean", CLEAN_FIELDS)?, &folder)?;
        let test = match root.optional_section("test", TEST_FIELDS)? {
            Some(fields) => Some(test(fields, &folder, default_schema)?),
            None => None,
        };
        let (hash, stamps) = (String::new(), Vec::new());
        let mut job = Self { folder, name, source, target, clean, test, hash, stamps };
        job.stamps = hash::stamps(&job)?;
        job.hash = hash::of(&job, text, default_schema)?;
        Ok(job)
    }

    /// # Errors
    /// [`Cause::Refused`] if somebody has changed a file that the cleaning reads since the job was read.
    pub fn refuse_changed_files(&self) -> Result<(), Cause> {
        files::refuse_changed(&self.stamps)
    }

    /// The name of this version's table before it is put in place.
    pub fn version_table(&self) -> String {
        format!("{}{VERSION_MARK}{}", self.target.table.table, &self.hash[..HASH_DIGITS])
    }

    /// Includes the major version of pandas in the hash, because the result of a cleaning in pandas depends on it.
    pub fn with_pandas(mut self, major: &str) -> Self {
        self.hash = hash::and(&self.hash, &format!("pandas {major}"));
        self
    }
}

const SOURCE_FIELDS: &[&str] = &["table", "columns", "where", "key", "group_rows", "changed"];
const TARGET_FIELDS: &[&str] = &["table", "create", "key"];
const CLEAN_FIELDS: &[&str] = &["sql", "python", "interpreter", "grouped", "row_wise", "files"];
const TEST_FIELDS: &[&str] = &["source", "truth", "key"];

fn source(mut fields: TomlFields, schema: &str) -> Result<JobSource, Cause> {
    let group_rows = fields.optional_number("group_rows")?.unwrap_or(20_000);
    if group_rows == 0 {
        return Err(Cause::usage(format!("{JOB_FILE}: [source] group_rows must be 1 or more")));
    }
    Ok(JobSource {
        table: TableName::parse(&fields.text("table")?, schema)?,
        columns: fields.optional_texts("columns")?,
        condition: fields.optional_text("where")?,
        key: fields.text("key")?,
        group_rows,
        changed: fields.optional_text("changed")?,
    })
}

fn target(
    mut fields: TomlFields,
    source: &JobSource,
    folder: &Path,
    schema: &str,
) -> Result<JobTarget, Cause> {
    let table = TableName::parse(&fields.text("table")?, schema)?;
    let longest = NAME_BYTES - VERSION_MARK.len() - HASH_DIGITS;
    if table.table.len() > longest {
        return Err(Cause::usage(format!(
            "{JOB_FILE}: [target] table: `{}` is too long: a version has {} characters more, and PostgreSQL takes \
             {NAME_BYTES}",
            table.table,
            VERSION_MARK.len() + HASH_DIGITS
        )));
    }
    if table == source.table {
        return Err(Cause::Usage {
            message: format!("{JOB_FILE}: source and target are the same table, {table}"),
            hint: Some("give the clean rows a table of their own".into()),
        });
    }
    let create_file = fields.text("create")?;
    Ok(JobTarget {
        table,
        create: read_text(folder, &create_file, "[target] create names the script that makes the table")?,
        create_file,
        key: fields.optional_text("key")?.unwrap_or_else(|| source.key.clone()),
    })
}

fn clean(mut fields: TomlFields, folder: &Path) -> Result<JobCleaning, Cause> {
    let (sql, python) = (fields.optional_text("sql")?, fields.optional_text("python")?);
    let interpreter = fields.optional_text("interpreter")?;
    let (grouped, row_wise) = (fields.optional_switch("grouped")?, fields.optional_switch("row_wise")?);
    let with = match (sql, python) {
        (Some(file), None) => {
            if interpreter.is_some() {
                return Err(Cause::usage(format!(
                    "{JOB_FILE}: [clean] interpreter is for python, not for sql"
                )));
            }
            let query = read_text(folder, &file, "[clean] sql names a file with a query over `raw`")?;
            CleanWith::Sql { file, query }
        }
        (None, Some(place)) => python_place(&place, interpreter, folder)?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(Cause::Usage {
                message: format!("{JOB_FILE}: [clean] needs one of sql and python"),
                hint: Some("write sql = \"clean.duckdb.sql\", or python = \"clean.py:clean\"".into()),
            });
        }
    };
    let is_sql = matches!(with, CleanWith::Sql { .. });
    if grouped == Some(true) && !is_sql {
        return Err(Cause::usage(format!(
            "{JOB_FILE}: [clean] grouped is for sql: a function in Python gets one whole partition at a time"
        )));
    }
    let files = fields.optional_texts("files")?.unwrap_or_default();
    if is_sql {
        files::refuse_namesakes(&files, folder)?;
    }
    Ok(JobCleaning { with, grouped: grouped.unwrap_or(is_sql), row_wise: row_wise.unwrap_or(false), files })
}

fn python_place(place: &str, interpreter: Option<String>, folder: &Path) -> Result<CleanWith, Cause> {
    let hint = "[clean] python names a file and a function in it: clean.py:clean";
    let Some((file, function)) =
        place.split_once(':').filter(|(file, name)| !file.is_empty() && !name.is_empty())
    else {
        return Err(Cause::Usage {
            message: format!("{JOB_FILE}: [clean] python: `{place}` names no function"),
            hint: Some(hint.into()),
        });
    };
    read_text(folder, file, hint)?;
    Ok(CleanWith::Python { file: file.into(), function: function.into(), interpreter })
}

fn test(mut fields: TomlFields, folder: &Path, schema: &str) -> Result<JobTest, Cause> {
    let truth = fields.text("truth")?;
    let is_file =
        Path::new(&truth).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let truth = match is_file {
        true => Truth::Csv(folder.join(truth)),
        false => Truth::Table(TableName::parse(&truth, schema)?),
    };
    let key = fields.optional_texts("key")?.unwrap_or_default();
    Ok(JobTest { source: TableName::parse(&fields.text("source")?, schema)?, truth, key })
}

fn read_text(folder: &Path, file: &str, hint: &str) -> Result<String, Cause> {
    let path = folder.join(file);
    fs::read_to_string(&path).map_err(|error| Cause::Usage {
        message: format!("{} cannot be read: {error}", path.display()),
        hint: Some(hint.into()),
    })
}

impl TableName {
    /// Parses `schema.table`, or `table` in the default schema. A name with a dot in it must be in double quotes.
    ///
    /// # Errors
    /// [`Cause::Usage`] if the text is not the name of a table.
    pub fn parse(text: &str, default_schema: &str) -> Result<Self, Cause> {
        let mut parts = vec![String::new()];
        let (mut quoted, mut rest) = (false, text.trim().chars().peekable());
        while let Some(c) = rest.next() {
            match c {
                '"' if quoted && rest.next_if_eq(&'"').is_some() => parts.last_mut().expect("one").push('"'),
                '"' => quoted = !quoted,
                '.' if !quoted => parts.push(String::new()),
                c => parts.last_mut().expect("one").push(c),
            }
        }
        let is_name = |name: &String| !name.is_empty() && name.len() <= NAME_BYTES && !name.contains('\0');
        match parts.as_slice() {
            [table] if !quoted && is_name(table) => {
                Ok(Self { schema: default_schema.into(), table: table.clone() })
            }
            [schema, table] if !quoted && is_name(schema) && is_name(table) => {
                Ok(Self { schema: schema.clone(), table: table.clone() })
            }
            _ => Err(Cause::Usage {
                message: format!("{JOB_FILE}: `{text}` is not the name of a table"),
                hint: Some("schema.table".into()),
            }),
        }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "name = \"companies\"\n[source]\ntable = \"companies_raw\"\nkey = \"zip\"\n\
        [target]\ntable = \"clean.companies\"\ncreate = \"create.pg.sql\"\n[clean]\nsql = \"clean.duckdb.sql\"\n";

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("create.pg.sql"), "create table :\"schema\".:\"table\" (zip text);")
            .unwrap();
        fs::write(dir.path().join("clean.duckdb.sql"), "select * from raw").unwrap();
        fs::write(dir.path().join("clean.py"), "def clean(df):\n    return df\n").unwrap();
        dir
    }

    fn parse(text: &str) -> Result<Job, Cause> {
        Job::parse(folder().path().into(), text, "public")
    }

    fn refused(text: &str) -> String {
        let error = parse(text).unwrap_err();
        format!("{error} / {}", error.hint().unwrap_or_default())
    }

    #[test]
    fn what_is_left_out_is_as_it_is_most_often() {
        let job = parse(JOB).unwrap();
        assert_eq!(job.source.table.to_string(), "public.companies_raw");
        assert_eq!((job.target.key.as_str(), job.source.group_rows), ("zip", 20_000));
        assert!(job.clean.grouped && !job.clean.row_wise && job.test.is_none());
        assert_eq!(job.version_table(), format!("companies__{}", &job.hash[..8]));
        let python =
            parse(&JOB.replace("sql = \"clean.duckdb.sql\"", "python = \"clean.py:clean\"")).unwrap();
        assert!(!python.clean.grouped && matches!(python.clean.with, CleanWith::Python { .. }));
    }

    #[test]
    fn a_field_that_is_unknown_or_missing_is_named_with_the_near_one() {
        assert!(
            refused(&JOB.replace("key =", "kye ="))
                .contains("[source] has no field `kye` / did you mean `key`?")
        );
        assert!(refused(&JOB.replace("[clean]", "[claen]")).contains("did you mean `clean`?"));
        assert!(refused(&JOB.replace("key = \"zip\"\n", "")).contains("[source] needs `key`"));
        assert!(refused(&JOB.replace("key = \"zip\"", "key = 7")).contains("[source] key must be a text"));
        assert!(refused(&JOB.replace("clean.duckdb.sql", "none.sql")).contains("none.sql cannot be read"));
        assert!(refused("name = ").contains("is not TOML"));
        assert!(refused(&JOB.replace("clean.companies", "public.companies_raw")).contains("the same table"));
        assert!(refused(&JOB.replace("clean.companies", "a.b.c")).contains("not the name of a table"));
    }

    #[test]
    fn the_hash_is_of_the_job_and_all_that_it_names() {
        let dir = folder();
        let hash = || Job::parse(dir.path().into(), JOB, "public").unwrap().hash;
        let before = hash();
        assert_eq!(before, hash());
        let mut seen = vec![before];
        for (file, text) in
            [("clean.duckdb.sql", "select 1"), ("create.pg.sql", "create"), ("helper.py", "x = 1")]
        {
            fs::write(dir.path().join(file), text).unwrap();
            // A cleaning by SQL imports no Python.
            assert_eq!(seen.contains(&hash()), file == "helper.py", "{file}");
            seen.push(hash());
        }
        let python = JOB.replace("sql = \"clean.duckdb.sql\"", "python = \"clean.py:clean\"");
        let hash = || Job::parse(dir.path().into(), &python, "public").unwrap().hash;
        let before = hash();
        fs::write(dir.path().join("helper.py"), "x = 2").unwrap();
        assert_ne!(before, hash());
        assert_ne!(
            Job::parse(dir.path().into(), JOB, "other").unwrap().hash,
            Job::parse(dir.path().into(), JOB, "public").unwrap().hash
        );
        assert_ne!(parse(JOB).unwrap().with_pandas("2").hash, parse(JOB).unwrap().with_pandas("3").hash);
    }

    #[test]
    fn names_of_tables_may_be_quoted() {
        let name = |text| TableName::parse(text, "public").map(|name| (name.schema, name.table));
        assert_eq!(name("a.b").unwrap(), ("a".into(), "b".into()));
        assert_eq!(name("\"a.b\".\"C\"\"d\"").unwrap(), ("a.b".into(), "C\"d".into()));
        assert!(name("\"a").is_err() && name("").is_err() && name("a.").is_err());
    }
}
