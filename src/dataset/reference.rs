//! The reference of a dataset: files of others that are checked, converted to one form, kept in the store, and looked
//! up in.

use super::derived::Derived;

/// A reference: its sources, and what is made from them.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// What it is, in a few words.
    pub about: &'static str,
    /// The input files, each given by an option of its name.
    pub inputs: &'static [ReferenceInput],
    /// DuckDB: makes a table for each of `tables`, under its name, from the files, whose paths are the scripts'
    /// variables.
    pub scripts: &'static [&'static str],
    /// DuckDB: the editions that the files state, one row each; a file belongs to one edition.
    pub editions: &'static str,
    /// DuckDB: the reasons why rows cannot be used, with their numbers.
    pub left_out: &'static str,
    /// The tables that are kept, as Parquet.
    pub tables: &'static [ReferenceTable],
    /// The tables of the database that are filled, in the same transaction that makes the reference the current one.
    pub fills: &'static [ReferenceFill],
}

/// A source of files: a zip, a folder or one file.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceInput {
    /// Its option: `pad`.
    pub name: &'static str,
    /// It may be left out; the tables filled from it then stay as they are.
    pub is_optional: bool,
    pub files: &'static [ReferenceFile],
}

/// A CSV with a header.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceFile {
    /// The scripts' variable for its path.
    pub variable: &'static str,
    /// Its name in the zip or the folder; `None`: the only CSV there.
    pub name: Option<&'static str>,
    pub columns: &'static [ReferenceColumn],
}

/// A required or optional column of a file.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceColumn {
    /// The scripts' variable for its name in the file, or `null`; `None`: it has only one name.
    pub variable: Option<&'static str>,
    /// Its possible names, compared without regard to capitals.
    pub names: &'static [&'static str],
    /// Some editions lack it.
    pub is_optional: bool,
}

/// A table that is kept.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceTable {
    /// Its name, which is also the variable by which scripts find its file.
    pub name: &'static str,
    /// The order of its rows in the file, as an `order by` list.
    pub order: &'static str,
    /// DuckDB: the numbers of new and removed rows compared with `:'before'`; `None`: not reported.
    pub changes: Option<&'static str>,
}

/// A table of the database that is refilled.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceFill {
    pub derived: &'static Derived,
    /// Set if it is filled only from an optional input; `None`: from the kept tables, every time.
    pub extra: Option<ReferenceExtra>,
    /// DuckDB: writes the CSV `:'csv'` with a header, in the order of the table's columns, or of those of the extra.
    pub export: &'static str,
}

/// Details of a table that is filled from an optional input.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceExtra {
    /// The name of the input.
    pub input: &'static str,
    /// DuckDB: reads its files.
    pub script: &'static str,
    /// DuckDB: the faults of the rows, with their numbers; no rows: passed.
    pub faults: &'static str,
    /// PostgreSQL: makes `pg_temp.filling`, into which the CSV is copied, and `pg_temp.faults` (`subject`, `reason`,
    /// `hint`: what to do if it is not the file that is at fault).
    pub rows: &'static str,
    /// The columns of `filling`.
    pub columns: &'static [&'static str],
    /// PostgreSQL: moves the rows of `filling` to the table, and adds those that cannot be moved to `faults`.
    pub take: &'static str,
}
