//! Enrichment of staged rows with data from elsewhere: questions made from the rows, ways to answer them, and a memory.

use super::Options;
use super::ask::{Answer, Ask};

/// An enrichment of the staged rows of one table before they are exported. Its SQL is DuckDB's, in the staging store;
/// each script needs only the ones before it.
#[derive(Clone, Copy, Debug)]
pub struct Enrichment {
    /// Its name in the ledger and on the command line.
    pub name: &'static str,
    /// What it adds, in a few words for the help.
    pub about: &'static str,
    /// The word for the subject of a question, as people read it: `address`.
    pub question: &'static str,
    /// Makes `all_questions` (`key` and the fields), empty `answers` (`key`, `way`, `version` and the columns, all text;
    /// the version of remembered answers alone), empty `ways` (`way` and `version`), and `best_answers`, a view of the
    /// answers without way and version, one row a key.
    pub questions: &'static str,
    /// PostgreSQL: which of the records $1 are permanently deleted. If an outside service may be asked, they are in the
    /// table `sealed` of the staging store before `questions` runs.
    pub sealed: &'static str,
    /// The fields of a question, in the order of `all_questions`, after the key.
    pub fields: &'static [&'static str],
    /// The columns of an answer, in the order of `answers`, after `key`, `way` and `version`. The first is its status.
    pub columns: &'static [&'static str],
    /// Leaves in `questions` those that `:'way'` is still to be asked.
    pub open: &'static str,
    /// Adds the answers to the staged rows.
    pub apply: &'static str,
    /// All ways of answering.
    pub ways: &'static [Way],
    /// What the options ask for.
    pub plan: fn(&Options) -> EnrichmentPlan,
    /// What to type if no way is available.
    pub hint: &'static str,
    /// What to type if files of the reference are lost: to make them again, or to go without them for now.
    pub lost: &'static str,
    pub backfill: Backfill,
}

/// The cells of one answer, by column; nulls are left out.
pub type Cells = serde_json::Map<String, serde_json::Value>;

impl Enrichment {
    /// The cells of an answer.
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
    /// Does it look answers up, without asking a service?
    pub fn is_reference(&self) -> bool {
        matches!(self.how, How::Reference { .. })
    }
}

/// How a way answers.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// By scripts over the dataset's reference, whose files are their variables. No service is asked.
    Reference {
        /// Make further tables from the files for `scripts` to look up in.
        open: &'static [&'static str],
        /// Read the rows of `questions` with a rowid from `:from` to `:to`, and add a row to `answers` for each. They
        /// run for one portion of the questions after the other, so that their intermediate results fit into the
        /// store's memory.
        scripts: &'static [&'static str],
        /// Removes everything that was made.
        close: &'static str,
        /// The edition of the scripts' rules: what was answered by another one is looked up again.
        rules: &'static str,
    },
    /// By an outside service.
    Ask(&'static Ask),
}

/// The settings of an enrichment, from a run's options.
#[derive(Clone, Debug)]
pub struct EnrichmentPlan {
    /// The ways in the order of asking; `None`: the reference if there is one.
    pub ways: Option<Vec<&'static Way>>,
    /// The most seconds that all requests of the run to outside services may take together.
    pub seconds: u64,
    /// The addresses of services that differ from the default, by the way's name.
    pub bases: Vec<(&'static str, String)>,
}

impl EnrichmentPlan {
    /// The address of a service: its own, or the one that the options name.
    pub fn base(&self, ask: &Ask) -> &str {
        let named = self.bases.iter().find(|(name, _)| *name == ask.name);
        named.map_or(ask.base, |(_, base)| base)
    }
}

/// An enrichment of rows that are in production already. PostgreSQL; the scripts share one session.
#[derive(Clone, Copy, Debug)]
pub struct Backfill {
    /// The production table that is completed.
    pub table: &'static str,
    /// Makes `pg_temp.open_rows`: `record_id`, `key` and the fields of the open questions.
    pub open: &'static str,
    /// Writes `pg_temp.answers` (one row per key) to production; its last statement counts the changed rows.
    pub take: &'static str,
    /// Counts the rows of the batch, and those that differ from the answers.
    pub left: &'static str,
    /// A script that makes `pg_temp.unfinished`: `record_id`, one row each, of the rows that have their answer and lack what
    /// the dataset's `complete` makes of it, because the column for it was not there yet.
    pub unfinished: &'static str,
    /// What is wrong with these rows, worded to follow "rows": `with a place and without …`.
    pub lacks: &'static str,
}
