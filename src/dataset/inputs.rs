//! The inputs of a dataset that is made from tables of the database.

/// Rows that a run first copies from the database into a file, which it then takes like a file of a source. All inputs
/// of a dataset come from one snapshot, and are identified by their content: the same rows are not new.
#[derive(Clone, Copy, Debug)]
pub struct TableInput {
    /// The name of the file.
    pub name: &'static str,
    /// PostgreSQL: selects the rows, in an order that depends only on the rows themselves.
    pub query: &'static str,
    /// The required tables, each with a text about the command that makes it.
    pub needs: &'static [(&'static str, &'static str)],
}
