//! The database does something else than a statement says, and raises no error. The run notices, rolls back, and names
//! the objects attached to each table.

mod counts;
mod policies;
mod purge;
mod settings;

use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};

/// The number of parties.
fn parties(count: usize) -> String {
    format!("<Parties>{}</Parties>", "<Party><Role>Petitioner</Role></Party>".repeat(count))
}

/// Two cases are in production; then one of them is replaced, the other is deleted, and a third comes.
async fn two_weeks(pipeline: &Pipeline) {
    let old = Extract::weekly("2024-03-04").case("a", &parties(2)).case("b", &parties(1));
    pipeline.put(old);
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-03-11").case("a", &parties(3)).delete("b").case("c", &parties(1)));
}

/// Runs and expects that nothing is kept and that the output has all of this.
async fn refused(pipeline: &Pipeline, says: &[&str]) -> Ran {
    let ledger = "select string_agg(name || ' ' || status, ', ' order by name)
            filter (where status in ('done', 'done_with_failures', 'incomplete', 'retried'))
        || (select count(*) from etl.record_origins) || (select count(*) from etl.table_changes) from etl.parts";
    let before = (pipeline.tables("public").await, pipeline.one(ledger).await);
    let ran = pipeline.run_with(&["--max-drop", "100"]).await.exits(1).says("The database is unchanged.");
    let after = (pipeline.tables("public").await, pipeline.one(ledger).await);
    assert_eq!(after, before, "{}", ran.stderr);
    says.iter().fold(ran, |ran, text| ran.says(text))
}
