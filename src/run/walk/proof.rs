//! Proof: are the stored histories complete? The source is asked for its heads, production for what is missing. What
//! could not be checked is reported as not proven.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::ToSql;

use super::asker::{WalkAsked, WalkAsker};
use super::left::time;
use super::{cursor_key, cursor_of, wait_key, wait_of};
use crate::clients::git::{GitFolder, clone_of};
use crate::clients::postgres::{self, Connection, PgUrl};
use crate::clients::source::SourceUrl;
use crate::config::{RunConfig, WalkingConfig};
use crate::dataset::walked::{HistoryFeed, HistoryWalk, WalkStep, WalkWord};
use crate::error::Cause;
use crate::{sql, words};

/// How many nodes production is asked for at once.
const CHUNK: usize = 10_000;
const OPERATION: &str = "prove that all is there";

/// The result for one history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryProof {
    pub name: String,
    /// What exists, in words.
    pub found: String,
    /// What is missing or wrong, in words; empty: everything that was checked is complete.
    pub faults: Vec<String>,
    /// Why its source could not be checked, in words: then nothing is proven about its current heads.
    pub unseen: Option<String>,
}

impl HistoryProof {
    /// Is the whole history there, according to its current heads?
    pub fn is_complete(&self) -> bool {
        self.faults.is_empty() && self.unseen.is_none()
    }
}

/// A history at its source.
struct SourceHistory {
    name: String,
    /// The numbers that its rows may have, the most likely first.
    numbers: Vec<i64>,
    sight: SourceSight,
}

/// What can be seen of it at the source.
enum SourceSight {
    Heads(Vec<String>),
    /// The name of the part that is its clone.
    Clone(String),
    Unseen(String),
}

/// What production knows about one history.
struct KeptHistory {
    history: i64,
    name: String,
    heads: Option<Vec<String>>,
    unmarked: i64,
    proof: HistoryProof,
}

/// Proves each history that the configuration names, or all; `None`: the dataset has no histories.
///
/// # Errors
/// Fails if the database or the service cannot be asked.
pub async fn prove(config: &RunConfig, database: &PgUrl) -> Result<Option<Vec<HistoryProof>>, Cause> {
    let Some(walked) = config.target.dataset.walked else { return Ok(None) };
    let connection = postgres::connect(database, "prove").await?;
    let prover = Prover { config, walked, connection };
    let (seen, folder) = match (&config.from.walking, &config.from.url) {
        (Some(walking), _) => (prover.ask_all(walking).await?, None),
        (None, SourceUrl::Git(folder)) => (prover.list(folder).await?, Some(folder)),
        (None, _) => (Vec::new(), None),
    };
    let is_all = folder.is_some_and(|folder| folder.wanted.is_none());
    let mut kept = prover.kept(&seen, is_all).await?;
    let (mut proofs, mut proven) = (Vec::new(), HashSet::new());
    for SourceHistory { name, numbers, sight } in seen {
        let by_number = numbers.iter().find_map(|number| kept.iter().position(|one| one.history == *number));
        let by_name = || kept.iter().position(|one| one.name.eq_ignore_ascii_case(&name));
        let Some(at) = by_number.or_else(by_name) else {
            let unseen = match (sight, folder) {
                (SourceSight::Unseen(why), _) => Some(why),
                (SourceSight::Clone(part), Some(folder)) => ids(folder, &part).await?.err(),
                _ => None,
            };
            let (found, faults) = ("nothing is loaded".into(), vec!["nothing is known of it".into()]);
            proofs.push(HistoryProof { name, found, faults, unseen });
            continue;
        };
        // Two names of the list may mean the same history.
        if !proven.insert(kept[at].history) {
            continue;
        }
        let one = &mut kept[at];
        match sight {
            SourceSight::Unseen(why) => one.proof.unseen = Some(why),
            SourceSight::Heads(heads) => prover.judge_heads(one, heads).await?,
            SourceSight::Clone(part) => {
                let folder = folder.expect("a clone is in the folder that was listed");
                prover.judge_clone(one, folder, &part).await?;
            }
        }
        if !one.name.eq_ignore_ascii_case(&name) {
            one.proof.found = format!("{} now; {}", one.name, one.proof.found);
            one.proof.name = name;
        }
        proofs.push(std::mem::take(&mut one.proof));
    }
    // If only some were asked for, the others are here because of their name: a history from a clone and the same one
    // from a host have different numbers.
    let why = if is_all { "the folder has no clone of it" } else { "another history has its name now" };
    let rest = kept.into_iter().filter(|one| !proven.contains(&one.history));
    proofs.extend(rest.map(|one| HistoryProof { unseen: Some(why.into()), ..one.proof }));
    Ok(Some(proofs))
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
        Ok(watch.answer(OPERATION, self.connection.query(&statement, values)).await?)
    }

    /// The ledger's value of a key.
    async fn saved(&self, key: &str) -> Result<Option<Value>, Cause> {
        let (dataset, schema) = (self.config.target.dataset.name, &self.config.target.database.schema);
        let rows = self.rows(sql::LEDGER_SAVED_PLAN, &[&dataset, schema, &key]).await?;
        Ok(rows.first().and_then(|row| row.try_get(0).ok()))
    }

    /// The histories in production.
    async fn kept(&self, seen: &[SourceHistory], is_all: bool) -> Result<Vec<KeptHistory>, Cause> {
        let names: Vec<_> = seen.iter().map(|one| one.name.to_lowercase()).collect();
        let names = Some(names).filter(|_| !is_all);
        let numbers: Vec<_> = seen.iter().flat_map(|one| one.numbers.iter().copied()).collect();
        let rows = self.rows(self.walked.complete, &[&names, &numbers]).await?;
        let read = |row: &tokio_postgres::Row| {
            let (commits, unmarked): (i64, i64) = (row.try_get(3)?, row.try_get(4)?);
            let (missing, some): (i64, Vec<String>) = (row.try_get(5)?, row.try_get(6)?);
            let (unreached, reached): (i64, i64) = (row.try_get(7)?, row.try_get(8)?);
            let (name, state): (String, String) = (row.try_get(1)?, row.try_get(2)?);
            let heads: Option<Vec<String>> = row.try_get(9)?;
            let mut faults = Vec::new();
            if missing > 0 {
                faults.push(format!("{missing} named but missing: {} …", some.join(", ")));
            }
            if unreached > 0 {
                faults.push(format!("{unreached} that no head reaches, without a mark"));
            }
            if reached > 0 {
                faults.push(format!("{reached} that a head reaches, with a mark"));
            }
            if heads.is_none() {
                faults.push("no run has seen its heads".into());
            }
            let marked = commits - unmarked;
            let found = format!("{state}, {} there, {} of them marked", words::count(commits as u64), marked);
            let proof = HistoryProof { name: name.clone(), found, faults, unseen: None };
            Ok::<_, tokio_postgres::Error>(KeptHistory {
                history: row.try_get(0)?,
                name,
                heads,
                unmarked,
                proof,
            })
        };
        let kept = rows.iter().map(read).collect::<Result<Vec<_>, _>>();
        Ok(kept.map_err(|e| postgres::classify(e, OPERATION))?)
    }

    /// Those of these nodes that are missing, and how many of the others have a mark.
    async fn absent(&self, history: i64, ids: &[String]) -> Result<(Vec<String>, usize), Cause> {
        let (mut absent, mut marked) = (Vec::new(), 0);
        for some in ids.chunks(CHUNK) {
            let rows = self.rows(self.walked.known, &[&history, &some]).await?;
            let known = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<_, bool>(1)?)));
            let known = known.collect::<Result<Vec<(String, bool)>, tokio_postgres::Error>>();
            let known = known.map_err(|e| postgres::classify(e, OPERATION))?;
            marked += known.iter().filter(|(_, is_unmarked)| !is_unmarked).count();
            let known: HashSet<_> = known.into_iter().map(|(id, _)| id).collect();
            absent.extend(some.iter().filter(|id| !known.contains(*id)).cloned());
        }
        Ok((absent, marked))
    }

    /// Asks the service for the heads only.
    async fn ask_all(&self, walking: &WalkingConfig) -> Result<Vec<SourceHistory>, Cause> {
        let mut asker = WalkAsker::new(self.walked, walking)?;
        asker.not_before = self.saved(&wait_key(walking)).await?.as_ref().and_then(wait_of);
        let options = &self.config.processing.options;
        let mut seen = Vec::new();
        for name in &walking.histories {
            let saved = self.saved(&cursor_key(name)).await?;
            let cursor = saved.as_ref().and_then(cursor_of);
            let mut walk = (self.walked.walk)(options, name, cursor, Timestamp::now());
            // The position of the walk is ignored, but what is known of the heads counts.
            walk.look_again();
            let sight = ask(&mut asker, walking, walk.as_mut()).await?;
            let numbers = vec![walk.history(), (self.walked.number)(options, name)];
            seen.push(SourceHistory { name: name.clone(), numbers, sight });
        }
        Ok(seen)
    }

    /// The clones of a folder, and those that are wanted but cannot be read.
    async fn list(&self, folder: &GitFolder) -> Result<Vec<SourceHistory>, Cause> {
        let listing = folder.listing().await?;
        let readable = listing.files.into_iter().map(|part| (part.key.clone(), SourceSight::Clone(part.key)));
        let odd = listing.odd.into_iter().map(|(part, why)| (part, SourceSight::Unseen(why.into())));
        let seen = readable.chain(odd).filter_map(|(part, sight)| {
            let name = clone_of(&part)?;
            let numbers = vec![(self.walked.number)(&self.config.processing.options, &name)];
            Some(SourceHistory { name, numbers, sight })
        });
        Ok(seen.collect())
    }

    /// Compares the current heads with what is there.
    async fn judge_heads(&self, kept: &mut KeptHistory, mut heads: Vec<String>) -> Result<(), Cause> {
        heads.sort_unstable();
        heads.dedup();
        let (absent, _) = self.absent(kept.history, &heads).await?;
        if !absent.is_empty() {
            kept.proof.faults.push(format!(
                "{} missing: {}",
                words::counted(absent.len() as u64, "current head"),
                absent.join(", ")
            ));
        }
        let mut told = kept.heads.clone().unwrap_or_default();
        told.sort_unstable();
        told.dedup();
        if kept.heads.is_some() && told != heads {
            kept.proof.faults.push("its heads have changed since the last run, which set the marks".into());
        }
        Ok(())
    }

    /// Compares all nodes of a clone with what is there.
    async fn judge_clone(&self, kept: &mut KeptHistory, folder: &GitFolder, part: &str) -> Result<(), Cause> {
        let ids = match ids(folder, part).await? {
            Ok(ids) => ids,
            Err(why) => {
                kept.proof.unseen = Some(why);
                return Ok(());
            }
        };
        let (absent, marked) = self.absent(kept.history, &ids).await?;
        if !absent.is_empty() {
            let some: Vec<_> = absent.iter().take(3).map(String::as_str).collect();
            kept.proof.faults.push(format!("{} of the clone missing: {} …", absent.len(), some.join(", ")));
        }
        if marked > 0 {
            kept.proof.faults.push(format!("{marked} of the clone with a mark"));
        }
        let present = (ids.len() - absent.len() - marked) as i64;
        if kept.unmarked != present {
            kept.proof
                .faults
                .push(format!("{} without a mark, and the clone has {present} of them", kept.unmarked));
        }
        kept.proof.found = format!("{}; the clone has {}", kept.proof.found, words::count(ids.len() as u64));
        Ok(())
    }
}

/// The nodes of a clone, or why it cannot be read.
async fn ids(folder: &GitFolder, part: &str) -> Result<Result<Vec<String>, String>, Cause> {
    match folder.ids(part).await {
        Ok((_, ids)) => Ok(Ok(ids)),
        Err(error) if error.is_about_file() => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// The current heads of a history, or why they are not known.
async fn ask(
    asker: &mut WalkAsker,
    walking: &WalkingConfig,
    walk: &mut dyn HistoryWalk,
) -> Result<SourceSight, Cause> {
    loop {
        match walk.next() {
            WalkStep::Ask(what) => match asker.ask(&what).await? {
                WalkAsked::Answer(answer, _) => walk.tell(WalkWord::Answer(answer)),
                WalkAsked::Nowhere => walk.tell(WalkWord::Nowhere),
                WalkAsked::Spent => {
                    return Ok(SourceSight::Unseen("the budget of requests is used up".into()));
                }
                WalkAsked::Skip(why) => return Ok(SourceSight::Unseen(why)),
                WalkAsked::Wait => match asker.pause(walking.max_wait) {
                    Ok(pause) => tokio::time::sleep(pause).await,
                    Err(until) => {
                        let until = time(until);
                        return Ok(SourceSight::Unseen(format!(
                            "the service takes no request before {until}"
                        )));
                    }
                },
            },
            WalkStep::Note(_) => walk.tell(WalkWord::Noted),
            // Only what the service says counts here.
            WalkStep::Heads => walk.tell(WalkWord::Nodes(Vec::new())),
            // The first nodes that a walk asks for are its heads.
            WalkStep::Known(heads) => return Ok(SourceSight::Heads(heads)),
            // The walk ends without any heads: there are none, or the request was refused.
            WalkStep::Missing | WalkStep::Done => {
                return Ok(walk
                    .complaint()
                    .map_or_else(|| SourceSight::Heads(Vec::new()), SourceSight::Unseen));
            }
        }
    }
}
