//! The database: does the login work, does the role have the rights of a run, are the tables as they should be, is the
//! lock free?

use std::time::Duration;

use tokio_postgres::types::ToSql;

use super::session::{ProbedServer, get, log_in};
use super::{Finding, Probe, Probes, catalogue, host, lookups};
use crate::clients::postgres::{self, Connection, PgError, PgUrl};
use crate::config::{ApiSecret, DatabaseUrl, LoadVia, RunConfig};
use crate::dataset::walked::PersonRemoval;
use crate::error::Cause;
use crate::ledger::{KnownPart, KnownReference, Ledger, NEWEST, missing_records};
use crate::run::aws_s3::AwsS3;
use crate::run::people::admit_secret;
use crate::{embedded, run, schema, sql};

/// All probes that need a session.
const LATER: [&str; 13] = [
    "server",
    "ledger",
    "lock",
    "rights",
    "tables",
    "constraints",
    "policies",
    "triggers",
    "partitions",
    "publications",
    "foreign keys",
    "records",
    "extensions",
];

/// The key under which people are kept.
const KEY: &str = "key";

/// The same, with what is special to the dataset.
fn later(config: &RunConfig) -> Vec<&'static str> {
    let own = config.target.dataset.enrichment.map(|enrichment| enrichment.name);
    let key = config.target.dataset.walked.map(|_| KEY);
    LATER.into_iter().chain(key).chain(own).collect()
}

/// The results of the database's probes.
pub(super) struct DatabaseFound {
    pub probes: Vec<Probe>,
    /// How far the server's clock is ahead of ours.
    pub clock_ahead_seconds: Option<f64>,
    /// The files that are done; `None`: the ledger could not be read.
    pub known: Option<Vec<KnownPart>>,
}

/// The state of the ledger.
struct Look {
    /// `None`: there is none yet.
    ledger: Option<Ledger>,
    known: Vec<KnownPart>,
    needs_work: bool,
    /// The files of the reference in use.
    reference: Vec<KnownReference>,
}

/// Logs in and looks around.
pub(super) async fn probe(config: &RunConfig, limit: Duration) -> DatabaseFound {
    let mut probes = Probes::new(limit);
    let mut found = DatabaseFound { probes: Vec::new(), clock_ahead_seconds: None, known: None };
    if let DatabaseUrl::Embedded(folder) = &config.target.database.url {
        let folder = folder.clone().unwrap_or_else(embedded::default_dir);
        if !embedded::exists(&folder) {
            probes.note(
                "database",
                Finding::ok(format!("a private one, which a run creates in {}", folder.display())),
            );
            found.known = Some(Vec::new());
            return DatabaseFound { probes: probes.list, ..found };
        }
    }
    match run::server::Server::open(&config.target.database.url).await {
        Ok(server) => {
            Box::pin(look_around(&mut probes, config, &server.url, &mut found)).await;
            server.close().await;
        }
        Err(cause) => {
            probes.note("database", cause.into());
            probes.skip(&later(config), "the private database did not start");
        }
    }
    DatabaseFound { probes: probes.list, ..found }
}

async fn look_around(probes: &mut Probes, config: &RunConfig, url: &PgUrl, found: &mut DatabaseFound) {
    let hosts: Vec<_> = url.network_hosts().into_iter().map(|(host, port)| (host.to_owned(), port)).collect();
    if host::resolve(probes, "database host", &hosts, "DATABASE_URL").await.is_none() {
        probes.skip(&["database"], "its host is not known");
        probes.skip(&later(config), "its host is not known");
        return;
    }
    let target = url.target();
    let Some(mut session) = probes.run("database", &target, log_in(url)).await else {
        probes.skip(&later(config), "no login to the database is possible");
        return;
    };
    found.clock_ahead_seconds = Some(session.clock_ahead_seconds);

    catalogue::server(probes, &session.server);
    let look = probes.run("ledger", &target, ledger(config, url)).await;
    match look.as_ref().map(|look| &look.ledger) {
        None => probes.skip(&["lock"], "the ledger could not be read"),
        Some(None) => probes.note("lock", Finding::ok("free: nothing has run yet")),
        Some(Some(ledger)) => {
            probes.run("lock", &target, lock(ledger)).await;
        }
    }
    let needs_work = look.as_ref().is_none_or(|look| look.needs_work);
    let (known, reference) = look.map(|look| (look.known, look.reference)).unzip();
    let reference = reference.unwrap_or_default();
    found.known = known;

    let limit = probes.limit;
    let may_compare =
        probes.run("rights", &target, rights(config, &mut session.connection, needs_work, limit)).await;
    match may_compare {
        Some(true) => {
            probes.run("tables", &target, tables(config, &mut session.connection, limit)).await;
            let rules = catalogue::rules(config, &mut session.connection);
            probes.run("constraints", &target, rules).await;
        }
        Some(false) => {
            probes.skip(&["tables", "constraints"], "the right to make temporary tables is missing");
        }
        None => probes.skip(&["tables", "constraints"], "the rights are not known"),
    }
    catalogue::tables(probes, config, &session.connection, &target).await;
    if let (Some(walked), Some(secret)) = (config.target.dataset.walked, &config.processing.parse_secret) {
        probes.run(KEY, &target, key(config, &walked.person, secret, &session.connection)).await;
    }
    let records = records(config, needs_work, &mut session.connection, limit / 2);
    probes.run("records", &target, records).await;
    probes.run("extensions", &target, extensions(config, url, &session)).await;
    if let Some(enrichment) = &config.target.dataset.enrichment {
        let answers = lookups::answers(config, enrichment, &reference, &mut session, limit);
        probes.run(enrichment.name, &target, answers).await;
    }
}

async fn ledger(config: &RunConfig, url: &PgUrl) -> Result<(Look, Finding), Cause> {
    let name = &config.target.database.ledger_schema;
    let Some((ledger, version)) =
        Ledger::look(url, &config.target.database, config.target.dataset.name).await?
    else {
        let finding = Finding::ok(format!("none in schema {name} yet: the first run makes it"));
        let look = Look { ledger: None, known: Vec::new(), needs_work: true, reference: Vec::new() };
        return Ok((look, finding));
    };
    let known = ledger.known_parts_in(version).await?;
    let done = crate::words::counted(known.len() as u64, "file");
    let needs_work = version < NEWEST;
    let finding = Finding::ok(match needs_work {
        true => format!("{name}, version {version}, which the next run brings to {NEWEST}; {done} done"),
        false => format!("{name}, version {version}; {done} done"),
    });
    // An older ledger has no references.
    let reference = if needs_work { Vec::new() } else { ledger.current_reference().await? };
    Ok((Look { ledger: Some(ledger), known, needs_work, reference }, finding))
}

async fn lock(ledger: &Ledger) -> Result<((), Finding), Cause> {
    let finding = match ledger.holder().await? {
        None => Finding::ok("free"),
        Some(holder) => Finding::warn(
            format!("held by {holder}"),
            "a run that starts before that one ends exits with 75; merganser status shows it",
        ),
    };
    Ok(((), finding))
}

/// The ending that `sql/check/rights.pg.sql` gives the name of a right without which a run works but cannot be undone.
const FOR_UNDO: &str = ", for before-images";

/// Returns whether temporary tables may be made, which the comparison of the tables needs.
async fn rights(
    config: &RunConfig,
    connection: &mut Connection,
    ledger_needs_work: bool,
    limit: Duration,
) -> Result<(bool, Finding), Cause> {
    let failed = |e| postgres::classify(e, "look at the rights");
    let transaction = connection.limited(true, limit).await.map_err(failed)?;
    let (database, dataset) = (&config.target.database, config.target.dataset);
    let names = |tables: &[crate::dataset::Table]| tables.iter().map(|t| t.name).collect::<Vec<_>>();
    let (parent, children) = dataset.tables.split_first().expect("a dataset has tables");
    let (mut children, kept) = (names(children), names(dataset.kept()));
    children.extend(dataset.derived_tables().map(|derived| derived.table.name));
    let derived: Vec<_> = dataset.derived.iter().map(|derived| derived.table.name).collect();
    let read: Vec<_> = dataset.derived.iter().filter(|derived| derived.fill().is_none()).collect();
    let sums = dataset.sum_tables();
    let read = read.iter().map(|derived| derived.table.name).filter(|name| !sums.contains(name));
    let read: Vec<_> = read.collect();
    let staged: Vec<_> = dataset.table_names().map(str::to_owned).chain([dataset.records_table()]).collect();
    let values: [&(dyn ToSql + Sync); 11] = [
        &database.schema,
        &database.ledger_schema,
        &database.staging_schema,
        &parent.name,
        &children,
        &kept,
        &ledger_needs_work,
        &staged,
        &derived,
        &read,
        &sums,
    ];
    let rows = transaction.query(sql::CHECK_RIGHTS, &values).await.map_err(failed)?;
    let all: Vec<_> = dataset.table_names().collect();
    let row = transaction.query_one(sql::CHECK_OWNERS, &[&database.schema, &all]).await.map_err(failed)?;
    transaction.rollback().await.map_err(failed)?;
    let owners: Option<String> = get(&row, 0)?;
    let whose = owners.map_or(String::new(), |owners| format!("; the tables belong to {owners}"));
    let missing = rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?)));
    let missing: Vec<(String, String)> = missing.collect::<Result<_, PgError>>()?;
    if missing.is_empty() {
        return Ok((true, Finding::ok(format!("all that a run needs{whose}"))));
    }
    let (names, statements): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
    let may_compare = !names.iter().any(|name| name.starts_with("temporary "));
    let hint = format!("have somebody with the rights run:\n{}", statements.join("\n"));
    let (is_for_undo_alone, names) = (names.iter().all(|name| name.ends_with(FOR_UNDO)), names.join(", "));
    let finding = match is_for_undo_alone {
        true => Finding::warn(
            format!("all that a run needs{whose}, but none of it can be undone: {names} is missing"),
            hint,
        ),
        false => Finding::fail(format!("not there: {names}{whose}"), hint),
    };
    Ok((may_compare, finding))
}

/// The comparison makes its own tables in the session, and rolls them back.
async fn tables(
    config: &RunConfig,
    connection: &mut Connection,
    limit: Duration,
) -> Result<((), Finding), Cause> {
    let failed = |e| postgres::classify(e, "compare the tables");
    let (schema, dataset) = (&config.target.database.schema, config.target.dataset);
    let mut transaction = connection.limited(false, limit).await.map_err(failed)?;
    let found = schema::compare(&mut transaction, dataset, schema).await?;
    found.admit()?;
    if !found.is_empty() && found.unmade().is_empty() {
        for derived in dataset.views() {
            schema::view(&transaction, derived, schema).await?.admit(derived, schema)?;
        }
    }
    transaction.rollback().await.map_err(failed)?;
    let count = found.tables();
    let more = found.to_make().map_or(String::new(), |what| format!("; {what}"));
    Ok((
        (),
        match (found.is_empty(), found.lacks()) {
            (true, _) => Finding::ok(format!("none in schema {schema} yet: the first run makes them")),
            (false, None) => Finding::ok(format!("the {count} of schema {schema} are as expected{more}")),
            (false, Some(lacks)) => Finding::warn(
                format!("the {count} of schema {schema} can be used, but lack {lacks}{more}"),
                format!(
                    "merganser adopt {} shows the SQL that adds it, and --fix runs it",
                    config.target.typed()
                ),
            ),
        },
    ))
}

/// Compares the key with the one under which the tables keep people, as a run does.
async fn key(
    config: &RunConfig,
    removal: &PersonRemoval,
    secret: &ApiSecret,
    connection: &Connection,
) -> Result<((), Finding), Cause> {
    let (schema, secret_kept) = (config.target.database.schema.as_str(), removal.secret);
    let operation = "look whether the key is the same";
    let place = (schema, secret_kept.table);
    let is_kept = schema::has_table(&**connection, &connection.watch(), place, operation).await?
        && admit_secret(&**connection, removal, (schema, secret)).await?;
    let variable = secret_kept.variable;
    Ok((
        (),
        Finding::ok(match is_kept {
            true => format!("{variable} is the same key as before"),
            false => {
                format!("schema {schema} has nothing yet to check {variable} against: the next run stores it")
            }
        }),
    ))
}

/// Looks for records that somebody else has deleted.
async fn records(
    config: &RunConfig,
    ledger_needs_work: bool,
    connection: &mut Connection,
    limit: Duration,
) -> Result<((), Finding), Cause> {
    let (database, dataset) = (&config.target.database, config.target.dataset);
    let (schema, parent) = (database.schema.as_str(), dataset.parent().name);
    if dataset.is_replaced() {
        return Ok(((), Finding::ok("the ledger knows no single records: the parts replace one another")));
    }
    let watch = connection.watch();
    let has_table = schema::has_table(&**connection, &watch, (schema, parent), "look at the records").await?;
    if ledger_needs_work || !has_table {
        return Ok(((), Finding::ok("the ledger knows of none yet")));
    }
    let record = dataset.record;
    Ok((
        (),
        match missing_records(connection, database, dataset, limit).await? {
            None => Finding::ok(format!(
                "not counted: comparing {parent} with the ledger takes more than {} s; a longer --timeout allows it",
                limit.as_secs_f64()
            )),
            Some(missing) if missing.records() == 0 => {
                Finding::ok(format!("{parent} has each {record} that the ledger knows"))
            }
            Some(missing) => Finding::warn(
                format!(
                    "{parent} lacks {} known to the ledger: deleted by somebody else",
                    missing.describe(record)
                ),
                missing.commands(dataset),
            ),
        },
    ))
}

/// Reports the installed extensions, and which way the rows would go.
async fn extensions(config: &RunConfig, url: &PgUrl, session: &ProbedServer) -> Result<((), Finding), Cause> {
    let direct = AwsS3::choose(&config.target, url).await?.is_some();
    let version = |name: &str, version: &Option<String>| match version {
        Some(version) => format!("{name} {version}"),
        None => format!("no {name}"),
    };
    let asked = match config.target.load_via {
        LoadVia::Auto => "auto",
        LoadVia::Copy => "copy",
        LoadVia::AwsS3 => "aws_s3",
    };
    let way = match direct {
        true => "the database reads and writes S3 itself",
        false => "rows go through the connection",
    };
    let found = format!(
        "{}, {}; --load-via {asked}: {way}",
        version("postgis", &session.postgis),
        version("aws_s3", &session.aws_s3)
    );
    Ok(((), Finding::ok(found)))
}
