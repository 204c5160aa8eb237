//! What is added to staged rows from elsewhere: questions made of them, ways to answer these, and a memory.

use super::Options;
use super::ask::{Answer, Ask};

/// Answers that are put to the staged rows of one table before they are exported. Its SQL is DuckDB's, in the staging
/// store; no script needs more than the ones before it.
#[derive(Clone, Copy, Debug)]
pub struct Enrichment {
    /// Its name in the ledger and on the command line.
    pub name: &'static str,
    /// What it adds, in a few words for the help.
    pub about: &'static str,
    /// What a question is called where people read it: `address`.
    pub question: &'static str,
    /// Makes `all_questions` (`key` and the fields), empty `answers` (`key`, `way` and the columns, all text), and
    /// `best_answers`, a view of them without `way`, one row a key.
    pub questions: &'static str,
    /// PostgreSQL: which of the records $1 are deleted for ever. They are in the table `sealed` of the staging store before
    /// `questions` runs, if somebody outside may be asked.
    pub sealed: &'static str,
    /// The fields of a question, in the order of `all_questions`, behind the key.
    pub fields: &'static [&'static str],
    /// What an answer says, in the order of `answers`, behind `key` and `way`. The first is its status.
    pub columns: &'static [&'static str],
    /// Leaves in `questions` what `:'way'` is still to be asked.
    pub open: &'static str,
    /// Puts the answers to the staged rows.
    pub apply: &'static str,
    /// All ways of answering.
    pub ways: &'static [Way],
    /// What the options ask for.
    pub plan: fn(&Options) -> EnrichmentPlan,
    /// What to type where nobody can be asked.
    pub hint: &'static str,
    pub backfill: Backfill,
}

/// What one answer says, by column; what is null is left out.
pub type Cells = serde_json::Map<String, serde_json::Value>;

impl Enrichment {
    /// What an answer says.
    pub fn cells(&self, answer: &Answer) -> Cells {
        let cells = self.columns.iter().zip(&answer.cells);
        cells.filter_map(|(name, cell)| Some(((*name).to_owned(), cell.clone()?.into()))).collect()
    }
}

/// A way to answer questions.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub name: &'static str,
    pub how: How,
}

impl Way {
    /// Does it look up, and ask nobody?
    pub fn is_reference(&self) -> bool {
        matches!(self.how, How::Reference { .. })
    }
}

/// How a way answers.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// By scripts over the dataset's reference, whose files are their variables. Nobody is asked.
    Reference {
        /// Make of the files what `scripts` look up in, too.
        open: &'static [&'static str],
        /// Read the rows of `questions` whose rowid is from `:from` to `:to`, and add a row to `answers` for each. They run
        /// for one portion of the questions after the other, so that what they make fits into the store's memory.
        scripts: &'static [&'static str],
        /// Leaves nothing of what was made.
        close: &'static str,
        /// The edition of the scripts' rules: what was answered by others does not count.
        rules: &'static str,
    },
    /// By an outside service.
    Ask(&'static Ask),
}

/// What a run's options ask of an enrichment.
#[derive(Clone, Debug)]
pub struct EnrichmentPlan {
    /// The ways in the order of asking; `None`: the reference if there is one.
    pub ways: Option<Vec<&'static Way>>,
    /// Seconds that all questions of the run to outside services may take together.
    pub seconds: u64,
    /// The addresses of services that have another than their own, by the way's name.
    pub bases: Vec<(&'static str, String)>,
}

/// An enrichment of what is in production already. PostgreSQL; scripts share one session.
#[derive(Clone, Copy, Debug)]
pub struct Backfill {
    /// The production table that is completed.
    pub table: &'static str,
    /// Makes `pg_temp.open_rows`: `record_id`, `key` and the fields of what is to be asked.
    pub open: &'static str,
    /// Writes `pg_temp.answers` (a row a key) to production; its last statement counts what it changed.
    pub take: &'static str,
    /// Counts rows of the batch, and those that do not say what was answered.
    pub left: &'static str,
}
