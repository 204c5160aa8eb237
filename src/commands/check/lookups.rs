//! What completes the rows: which ways would be asked, whether the reference has its files, whether the services let us
//! connect, and whether every row has what is made of its answer.

use std::time::Duration;

use super::Finding;
use super::session::ProbedServer;
use crate::clients::postgres::{self, Connection, PgError};
use crate::clients::store::Store;
use crate::config::RunConfig;
use crate::dataset::enrichment::{Enrichment, EnrichmentPlan, How, Way};
use crate::error::Cause;
use crate::ledger::KnownReference;
use crate::run::enriching::service;
use crate::run::finishing::unfinished;
use crate::schema::has_table;
use crate::system::background::blocking;
use crate::system::cache::KeptFiles;
use crate::words;

/// Something that somebody should look at, with what to do about it.
struct Concern {
    found: String,
    hint: String,
}

/// Reports which ways would be asked to complete the rows, and which data is sent to which service.
pub(super) async fn answers(
    config: &RunConfig,
    enrichment: &Enrichment,
    reference: &[KnownReference],
    session: &mut ProbedServer,
    limit: Duration,
) -> Result<((), Finding), Cause> {
    let plan = (enrichment.plan)(&config.processing.options);
    let has = match reference.first() {
        Some(file) => format!("reference {}", file.version),
        None => "no reference".into(),
    };
    let shapes = match &session.postgis {
        Some(version) => format!("PostGIS {version} makes points of the places"),
        None => "no PostGIS, so places are numbers alone".into(),
    };
    let about = enrichment.about;
    let looks_up = |ways: &[&Way]| ways.iter().any(|way| way.is_reference());
    let ways = match &plan.ways {
        Some(ways) => ways.clone(),
        None if reference.is_empty() => Vec::new(),
        None => enrichment.ways.iter().filter(|way| way.is_reference()).collect(),
    };
    if reference.is_empty() && looks_up(&ways) {
        let what = format!("{} is chosen to say {about}, but has no reference", ways[0].name);
        return Ok(((), Finding::fail(format!("{has}: {what}; {shapes}"), enrichment.hint)));
    }
    let what = match (ways.is_empty(), &plan.ways) {
        (true, Some(_)) => format!("the lookup that says {about} is switched off"),
        (true, None) => format!(
            "no lookup is configured to say {about}; remembered answers are used ({})",
            enrichment.hint
        ),
        (false, _) => ways.iter().map(|way| asked(way, &plan)).collect::<Vec<_>>().join(", then "),
    };
    let found = format!("{has}: {what}; {shapes}");
    let mut concerns = Vec::new();
    if looks_up(&ways) {
        let lost = lost(config, reference).await?;
        let sums: Vec<_> = lost.iter().map(|(file, _)| file.sha256.clone()).collect();
        let are_kept = blocking(move || {
            let kept = KeptFiles::open("reference");
            sums.iter().all(|sum| kept.as_ref().is_some_and(|kept| kept.has(sum)))
        });
        let texts: Vec<_> = lost.iter().map(|(_, text)| text.as_str()).collect();
        if !are_kept.await? {
            return Ok(((), Finding::fail(format!("{found}; {}", texts.join("; ")), enrichment.lost)));
        }
        if !lost.is_empty() {
            let found = format!("{}; this machine still has a copy", texts.join("; "));
            concerns.push(Concern { found, hint: enrichment.lost.into() });
        }
    }
    for way in &ways {
        concerns.extend(unreachable(way, &plan, enrichment, limit / 5).await?);
    }
    concerns.extend(unfinished_rows(config, enrichment, session, limit / 2).await?);
    if concerns.is_empty() {
        return Ok(((), Finding::ok(found)));
    }
    let (texts, hints): (Vec<_>, Vec<_>) = concerns.into_iter().map(|one| (one.found, one.hint)).unzip();
    Ok(((), Finding::warn(format!("{found}; {}", texts.join("; ")), hints.join("\n"))))
}

/// Which way is asked, and which data is sent to a service.
fn asked(way: &Way, plan: &EnrichmentPlan) -> String {
    match way.how {
        How::Reference { .. } => format!("{} looks it up, and no request is sent", way.name),
        How::Ask(ask) => format!("{} receives the questions at {}", way.name, plan.base(ask)),
    }
}

/// Tries to connect to a service. A run goes on without it.
async fn unreachable(
    way: &Way,
    plan: &EnrichmentPlan,
    enrichment: &Enrichment,
    limit: Duration,
) -> Result<Option<Concern>, Cause> {
    let How::Ask(ask) = way.how else { return Ok(None) };
    let http = service(ask, plan)?;
    Ok(http.reach(limit).await.err().map(|error| Concern {
        found: format!("{}: {error}", way.name),
        hint: format!(
            "check that this machine may connect to {} and that it answers others; a run goes on without it, and a later \
             one, or a backfill of {}, asks again",
            plan.base(ask),
            enrichment.name
        ),
    }))
}

/// Files of the reference that the store does not have as the ledger knows them, each with what is wrong, in words.
async fn lost<'a>(
    config: &RunConfig,
    reference: &'a [KnownReference],
) -> Result<Vec<(&'a KnownReference, String)>, Cause> {
    let store = Store::open(&config.target.store, &config.target.s3).await?;
    let mut lost = Vec::new();
    for file in reference {
        let object = store.url().object(&file.object);
        match store.head(&file.object).await? {
            None => lost.push((file, format!("{object} is not there"))),
            Some(found) if found.size_bytes != file.size_bytes => lost.push((
                file,
                format!(
                    "{object} has {} bytes, and the ledger knows {}",
                    words::count(found.size_bytes),
                    words::count(file.size_bytes)
                ),
            )),
            Some(_) => {}
        }
    }
    Ok(lost)
}

/// Rows that have their answer and lack what the dataset makes of it.
async fn unfinished_rows(
    config: &RunConfig,
    enrichment: &Enrichment,
    session: &mut ProbedServer,
    limit: Duration,
) -> Result<Option<Concern>, Cause> {
    let (schema, backfill) = (config.target.database.schema.as_str(), &enrichment.backfill);
    let watch = session.connection.watch();
    let place = (schema, backfill.table);
    if !has_table(&*session.connection, &watch, place, "look at the rows").await? {
        return Ok(None);
    }
    Ok(match count(&mut session.connection, enrichment, schema, limit).await {
        Ok(0) => None,
        Ok(rows) => Some(Concern {
            found: format!("{} of {} {}", words::counted(rows, "row"), backfill.table, backfill.lacks),
            hint: format!(
                "merganser backfill {} {} completes them, and so does the next run that loads a file",
                config.target.typed(),
                enrichment.name
            ),
        }),
        Err(PgError::Timeout(_)) => Some(Concern {
            found: format!("rows of {} {} were not counted in time", backfill.table, backfill.lacks),
            hint: "a longer --timeout allows it".into(),
        }),
        Err(error) => return Err(error.into()),
    })
}

async fn count(
    connection: &mut Connection,
    enrichment: &Enrichment,
    schema: &str,
    limit: Duration,
) -> Result<u64, PgError> {
    let failed = |e| postgres::classify(e, "look at the rows");
    // They are listed in a temporary table, which is rolled back.
    let transaction = connection.limited(false, limit).await.map_err(failed)?;
    let rows = unfinished(&transaction, &enrichment.backfill, schema).await?;
    transaction.rollback().await.map_err(failed)?;
    Ok(rows)
}
