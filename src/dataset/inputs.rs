//! What a dataset is made of, if it is made of tables of the database.

/// Rows that a run copies out of the database before anything else, as a file that it then takes like one of a source. All
/// inputs of a dataset are of one snapshot, and are known by their content: the same rows are nothing new.
#[derive(Clone, Copy, Debug)]
pub struct TableInput {
    /// The name of the file.
    pub name: &'static str,
    /// PostgreSQL: copies the rows out, in an order that they alone decide.
    pub query: &'static str,
    /// The tables without which there is nothing to copy, each with the words on what makes it.
    pub needs: &'static [(&'static str, &'static str)],
}
