//! `--dry-run`: reads and cleans some groups, and writes nothing anywhere.

use std::fmt::Write as _;

use crate::commands::terminal::say;
use crate::config::TransformConfig;
use crate::error::{Cause, Exit, Failure};
use crate::run::server::Server;
use crate::system::workspace::Workspace;
use crate::transform::job::{Job, TableName};
use crate::transform::look::RawTable;
use crate::transform::read::{self, Wanted};
use crate::transform::session::JobSession;
use crate::transform::{packing, plan, rows, target};
use crate::words::count;

/// How many rows are shown.
const SHOWN: usize = 10;

/// Shows the result for the largest, a middle and the smallest group.
pub async fn run(config: &TransformConfig, job: &Job, server: &Server) -> Result<Exit, Failure> {
    let session = JobSession::open(&server.url, &config.database, "transform").await?;
    let workspace = Workspace::create(&config.worker.work_dir)?;
    let raw = RawTable::look(&session, job, &job.source.table).await?;
    let name = match config.in_place {
        true => job.target.table.clone(),
        false => TableName {
            schema: job.target.table.schema.clone(),
            table: format!("{}__dry", job.target.table.table),
        },
    };
    let (mut clean, _) = target::look(&session, job, &raw, &name, config.in_place).await?;
    let mut cleaning =
        clean.open(job, (workspace.path(), config.worker.duckdb()), &raw).map_err(Cause::from)?;
    let together = job.clean.grouped;
    let partitions = plan::partitions(&session, &raw, false).await?;
    let packed = packing::pack(&session, job, &raw, &partitions, (None, config.in_place)).await?.groups;
    // The largest, a middle and the smallest.
    let mut places = vec![0, packed.len() / 2, packed.len().saturating_sub(1)];
    places.dedup();
    let mut text = format!(
        "A dry run of {}, {} of {} groups. The database is unchanged.\n",
        job.name,
        places.len().min(packed.len()),
        count(packed.len() as u64)
    );
    for group in places.iter().filter_map(|place| packed.get(*place)) {
        let keys: Vec<_> = group.members.iter().map(|(place, _)| partitions[*place].key.clone()).collect();
        let found = read::read(&session, &raw, &Wanted::all(&keys, group.pages)).await?;
        let cleaned = tokio::task::block_in_place(|| {
            rows::clean(&mut cleaning, together, &clean, &raw, &keys, found.batches)
        });
        let read: u64 = found.counted.iter().map(|counted| counted.rows).sum();
        let _ = write!(text, "{}: {} rows in, ", rows::name(&keys), count(read));
        match cleaned {
            Err(error) => {
                let _ = writeln!(text, "failed: {error}");
            }
            Ok(cleaned) => {
                let _ =
                    writeln!(text, "{} out\n  {}", count(cleaned.encoded.rows), cleaned.columns.join("\t"));
                for line in cleaned.encoded.text.lines().take(SHOWN) {
                    let _ = writeln!(text, "  {line}");
                }
            }
        }
    }
    say(&text);
    Ok(Exit::Done)
}
