//! Proof: is what is kept of histories complete? Production is asked what it misses, and the source what its heads are.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::ToSql;

use super::asker::{WalkAsked, WalkAsker};
use super::{cursor_key, cursor_of};
use crate::clients::postgres::{self, Connection, PgUrl};
use crate::clients::source::SourceUrl;
use crate::config::{RunConfig, WalkingConfig};
use crate::dataset::walked::{HistoryFeed, WalkStep, WalkWord};
use crate::error::Cause;
use crate::{sql, words};

/// Nodes that production is asked for at once.
const CHUNK: usize = 10_000;

/// What was found of one history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryProof {
    pub name: String,
    /// What is there, in words.
    pub found: String,
    /// What is missing or wrong, in words; none: it is complete.
    pub faults: Vec<String>,
}

/// What production says of one history.
struct KeptHistory {
    history: i64,
    name: String,
    unmarked: i64,
    found: String,
    faults: Vec<String>,
}

/// Proves each history that the configuration names, or all; `None`: the dataset has no histories.
///
/// # Errors
/// Where the database or the service cannot be asked.
pub async fn prove(config: &RunConfig, database: &PgUrl) -> Result<Option<Vec<HistoryProof>>, Cause> {
    let Some(walked) = config.target.dataset.walked else { return Ok(None) };
    let connection = postgres::connect(database, "prove").await?;
    let prover = Prover { config, walked, connection };
    let mut kept = prover.kept().await?;
    match (&config.from.walking, &config.from.url) {
        (Some(walking), _) => prover.ask_heads(walking, &mut kept).await?,
        (None, SourceUrl::Git(folder)) => {
            for part in folder.listing().await?.files {
                let (name, ids) = folder.ids(&part.key).await?;
                prover.compare(&name, &ids, &mut kept).await?;
            }
        }
        (None, _) => {}
    }
    Ok(Some(
        kept.into_iter()
            .map(|KeptHistory { name, found, faults, .. }| HistoryProof { name, found, faults })
            .collect(),
    ))
}

struct Prover<'a> {
    config: &'a RunConfig,
    walked: &'static HistoryFeed,
    connection: Connection,
}

impl Prover<'_> {
    async fn rows(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, Cause> {
        let database = &self.config.target.database;
        let variables = [("schema", database.schema.as_str()), ("ledger", &database.ledger_schema)];
        let statement = sql::render(statement, &variables);
        let watch = self.connection.watch();
        Ok(watch.answer("prove that all is there", self.connection.query(&statement, values)).await?)
    }

    /// What production says of itself.
    async fn kept(&self) -> Result<Vec<KeptHistory>, Cause> {
        let names = (self.walked.histories)(&self.config.processing.options).ok();
        let names: Option<Vec<_>> = names.map(|names| names.iter().map(|name| name.to_lowercase()).collect());
        let rows = self.rows(self.walked.complete, &[&names]).await?;
        let read = |row: &tokio_postgres::Row| {
            let (commits, unmarked): (i64, i64) = (row.try_get(3)?, row.try_get(4)?);
            let (missing, some): (i64, Vec<String>) = (row.try_get(5)?, row.try_get(6)?);
            let (unreached, reached): (i64, i64) = (row.try_get(7)?, row.try_get(8)?);
            let state: String = row.try_get(2)?;
            let mut faults = Vec::new();
            if missing > 0 {
                faults.push(format!("{missing} named and not there: {} …", some.join(", ")));
            }
            if unreached > 0 {
                faults.push(format!("{unreached} without a mark that no head reaches"));
            }
            if reached > 0 {
                faults.push(format!("{reached} with a mark that a head reaches"));
            }
            let marked = commits - unmarked;
            let found = format!("{state}, {} there, {} of them marked", words::count(commits as u64), marked);
            Ok::<_, tokio_postgres::Error>(KeptHistory {
                history: row.try_get(0)?,
                name: row.try_get(1)?,
                unmarked,
                found,
                faults,
            })
        };
        let kept = rows.iter().map(read).collect::<Result<Vec<_>, _>>();
        let mut kept = kept.map_err(|e| postgres::classify(e, "prove that all is there"))?;
        for name in names.into_iter().flatten() {
            if !kept.iter().any(|history| history.name.eq_ignore_ascii_case(&name)) {
                kept.push(KeptHistory {
                    history: 0,
                    faults: vec!["nothing is known of it".into()],
                    found: String::new(),
                    unmarked: 0,
                    name,
                });
            }
        }
        Ok(kept)
    }

    /// Those of some nodes that are not there.
    async fn absent(&self, history: i64, ids: &[String]) -> Result<Vec<String>, Cause> {
        let mut absent = Vec::new();
        for some in ids.chunks(CHUNK) {
            let rows = self.rows(self.walked.known, &[&history, &some]).await?;
            let known = rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<String>, _>>();
            let known = known.map_err(|e| postgres::classify(e, "prove that all is there"))?;
            absent.extend(some.iter().filter(|id| !known.contains(*id)).cloned());
        }
        Ok(absent)
    }

    /// Asks the service for the heads alone.
    async fn ask_heads(&self, walking: &WalkingConfig, kept: &mut [KeptHistory]) -> Result<(), Cause> {
        let mut asker = WalkAsker::new(self.walked, walking)?;
        for history in kept.iter_mut().filter(|history| history.history != 0) {
            let name = walking.histories.iter().find(|name| name.eq_ignore_ascii_case(&history.name));
            let Some(name) = name else { continue };
            match self.heads(&mut asker, name).await? {
                None => history.faults.push("the service gives no answer now".into()),
                Some(heads) => {
                    let absent = self.absent(history.history, &heads).await?;
                    if !absent.is_empty() {
                        history.faults.push(format!(
                            "{} head(s) of now not there: {}",
                            absent.len(),
                            absent.join(", ")
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// The heads of a history now; `None`: there is no answer, or none may be asked for.
    async fn heads(&self, asker: &mut WalkAsker, name: &str) -> Result<Option<Vec<String>>, Cause> {
        let (dataset, schema) = (self.config.target.dataset.name, &self.config.target.database.schema);
        let values: [&(dyn ToSql + Sync); 3] = [&dataset, schema, &cursor_key(name)];
        let rows = self.rows(sql::LEDGER_SAVED_PLAN, &values).await?;
        let saved: Option<Value> = rows.first().and_then(|row| row.try_get(0).ok());
        let mut cursor = saved.as_ref().and_then(cursor_of).cloned();
        if let Some(cursor) = cursor.as_mut().and_then(Value::as_object_mut) {
            // Not where the walk is, but what is known.
            cursor.insert("is_looked".into(), false.into());
            cursor.insert("pages_looked".into(), 0.into());
        }
        let options = &self.config.processing.options;
        let mut walk = (self.walked.walk)(options, name, cursor.as_ref(), Timestamp::now());
        loop {
            match walk.next() {
                WalkStep::Ask(ask) => match asker.ask(&ask).await? {
                    WalkAsked::Answer(answer, _) => walk.tell(WalkWord::Answer(answer)),
                    WalkAsked::Wait | WalkAsked::Spent | WalkAsked::Skip(_) => return Ok(None),
                },
                WalkStep::Note(_) => walk.tell(WalkWord::Noted),
                // The first nodes that a walk asks for are its heads.
                WalkStep::Known(heads) => return Ok(Some(heads)),
                WalkStep::Missing | WalkStep::Done => return Ok(Some(Vec::new())),
            }
        }
    }

    /// Holds all nodes of a clone against what is there.
    async fn compare(&self, name: &str, ids: &[String], kept: &mut Vec<KeptHistory>) -> Result<(), Cause> {
        let Some(at) = kept.iter().position(|history| history.name.eq_ignore_ascii_case(name)) else {
            kept.push(KeptHistory {
                history: 0,
                name: name.to_owned(),
                unmarked: 0,
                found: String::new(),
                faults: vec![format!("nothing is known of it, and the clone has {}", ids.len())],
            });
            return Ok(());
        };
        let absent = self.absent(kept[at].history, ids).await?;
        let history = &mut kept[at];
        if !absent.is_empty() {
            let some: Vec<_> = absent.iter().take(3).map(String::as_str).collect();
            history.faults.push(format!("{} of the clone not there: {} …", absent.len(), some.join(", ")));
        }
        let present = (ids.len() - absent.len()) as i64;
        if history.unmarked != present {
            history
                .faults
                .push(format!("{} without a mark, and the clone has {present} of them", history.unmarked));
        }
        history.found = format!("{}; the clone has {}", history.found, words::count(ids.len() as u64));
        Ok(())
    }
}
