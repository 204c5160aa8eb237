//! `merganser transform test`: compares the cleaned sample with the truth.

use std::fmt::Write as _;

use crate::commands::terminal::say;
use crate::config::TransformConfig;
use crate::error::{Cause, Exit, Failure};
use crate::run::server::Server;
use crate::system::workspace::Workspace;
use crate::transform::job::Job;
use crate::transform::session::JobSession;
use crate::transform::test;
use crate::words::{count, counted};

/// Shows the first cells that differ; the exit code is 1 then.
pub async fn run(config: &TransformConfig, job: &Job, server: &Server) -> Result<Exit, Failure> {
    let wanted = job.test.as_ref().ok_or_else(|| Cause::Usage {
        message: "the job has no section [test]".into(),
        hint: Some(
            "write source = \"…\", a small table, and truth = \"…\", a table or a CSV of what comes out of it".into(),
        ),
    })?;
    let session = JobSession::open(&server.url, &config.database, "transform").await?;
    let workspace = Workspace::create(&config.worker.work_dir)?;
    let tested = test::test(&session, job, wanted, |raw, clean| {
        Ok(clean.open(job, (workspace.path(), config.worker.duckdb()), raw)?)
    })
    .await?;
    let mut text = format!(
        "{}: {} rows from {}, compared with {} of the truth: ",
        job.name,
        count(tested.rows as u64),
        wanted.source,
        count(tested.truth_rows as u64)
    );
    if tested.count == 0 {
        text.push_str("the same.\n");
        say(&text);
        return Ok(Exit::Done);
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}.", counted(tested.count as u64, "difference"));
    for words in &tested.differences {
        let _ = writeln!(text, "  {words}");
    }
    if tested.count > tested.differences.len() {
        let _ = writeln!(text, "  and {} more", count((tested.count - tested.differences.len()) as u64));
    }
    say(&text);
    Ok(Exit::Failed)
}
