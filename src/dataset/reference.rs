//! What a dataset looks things up in: files of others that are checked, brought into one form and kept in the store.

use super::derived::Derived;

/// A reference: where it comes from, and what is made of it.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// What it is, in a few words.
    pub about: &'static str,
    /// The files that are given, each by an option of its name.
    pub inputs: &'static [ReferenceInput],
    /// DuckDB: makes a table of the name of each of `tables` of the files, whose paths are the scripts' variables.
    pub scripts: &'static [&'static str],
    /// DuckDB: the edition that the files say they are of, a row each; a file is of one edition.
    pub editions: &'static str,
    /// DuckDB: why rows cannot be used, and how many.
    pub left_out: &'static str,
    /// What is kept, as Parquet.
    pub tables: &'static [ReferenceTable],
    /// What is filled in the database, in the same transaction that makes the reference the current one.
    pub fills: &'static [ReferenceFill],
}

/// A source of files: a zip, a folder or one file.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceInput {
    /// Its option: `pad`.
    pub name: &'static str,
    /// It may be left out; what is filled of it stays as it is then.
    pub is_optional: bool,
    pub files: &'static [ReferenceFile],
}

/// A CSV with a header.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceFile {
    /// The variable of the scripts that is its path.
    pub variable: &'static str,
    /// Its name in the zip or the folder; `None`: the one CSV that is there.
    pub name: Option<&'static str>,
    pub columns: &'static [ReferenceColumn],
}

/// A column that a file must have, or may.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceColumn {
    /// The variable of the scripts that is its name there, or `null`; `None`: it has one name.
    pub variable: Option<&'static str>,
    /// What it is called, in any capitals.
    pub names: &'static [&'static str],
    /// Some editions lack it.
    pub is_optional: bool,
}

/// A table that is kept.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceTable {
    /// Its name, which is also the variable by which scripts find its file.
    pub name: &'static str,
    /// Its order in the file, as text of `order by`.
    pub order: &'static str,
    /// DuckDB: rows that are new against `:'before'`, and rows that are gone; `None`: not told.
    pub changes: Option<&'static str>,
}

/// A table of the database that is filled anew.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceFill {
    pub derived: &'static Derived,
    /// What is filled of an optional input alone; `None`: of the tables that are kept, every time.
    pub extra: Option<ReferenceExtra>,
    /// DuckDB: writes the CSV `:'csv'` with a header, in the order of the table's columns, or of those of the extra.
    pub export: &'static str,
}

/// What is special to a table that is filled of an optional input.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceExtra {
    /// The name of the input.
    pub input: &'static str,
    /// DuckDB: reads its files.
    pub script: &'static str,
    /// DuckDB: what is wrong with the rows, and how many have it; no row is a pass.
    pub faults: &'static str,
    /// PostgreSQL: makes `pg_temp.filling`, which takes the CSV, and `pg_temp.faults` (`subject`, `reason`).
    pub rows: &'static str,
    /// The columns of `filling`.
    pub columns: &'static [&'static str],
    /// PostgreSQL: takes the rows of `filling` to the table, and adds those that cannot be taken to `faults`.
    pub take: &'static str,
}
