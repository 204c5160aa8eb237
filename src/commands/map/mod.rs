//! `merganser map`: draws what is in production. It reads in one snapshot, and writes one file.

mod classes;
mod counts;
mod page;
mod picture;

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;

use super::terminal::say;
use crate::cli::MapArgs;
use crate::clients::postgres::{self, PgUrl};
use crate::config::{MapConfig, MapFile};
use crate::dataset::map::Measured;
use crate::error::{Cause, Exit, Failure};
use crate::ledger;
use crate::run::server::Server;
use crate::sql;
use crate::words::count;
use counts::{MapCounts, Row};
use page::Heading;

/// The percentage of records without an area above which a warning says so.
const MUCH: u64 = 10;

/// The run that production comes from.
struct DrawnRun {
    id: String,
    at: Timestamp,
}

/// Draws a map and prints where it is.
pub async fn run(args: MapArgs) -> Result<Exit, Failure> {
    let config = MapConfig::from_map(&args)?;
    let server = Server::open(&config.database.url).await?;
    let drawn = draw(&config, &server.url).await;
    server.close().await;
    say(&drawn?);
    Ok(Exit::Done)
}

/// Writes the file; returns a text about it.
///
/// # Errors
/// [`Cause::Refused`] if there is nothing to draw; the file is then left as it was.
pub async fn draw(config: &MapConfig, url: &PgUrl) -> Result<String, Cause> {
    let run = newest_run(config, url).await;
    let shapes = (config.division.shapes)();
    let codes =
        shapes.iter().flat_map(|area| area.codes.iter().map(move |code| (code.as_str(), area.key.as_str())));
    let (codes, keys): (Vec<_>, Vec<_>) = codes.unzip();
    let rows = rows(config, url, &codes, &keys).await?;
    let Some((first, last)) = days(&rows) else { return Err(nothing(config)) };
    if rows.iter().all(|row| row.area.is_none()) {
        return Err(Cause::Refused {
            message: format!(
                "all {} that count here {}, so there is nothing to draw; {} is unchanged",
                config.map.records,
                config.division.without,
                config.out.display()
            ),
            hint: Some(config.division.hint.into()),
        });
    }
    let counts = MapCounts::new(shapes, &rows, config.measure.of, config.map.fewest);
    if let Some(without) = counts.without.filter(|without| *without > MUCH) {
        tracing::warn!(
            "about {without}% of the {} {} and are not on this map, although it looks complete; {}",
            config.map.records,
            config.division.without,
            config.division.hint
        );
    }
    let heading =
        Heading::new(config, (config.since.unwrap_or(first), config.until.unwrap_or(last)), run.as_ref());
    let text = match config.file {
        MapFile::Page => page::page(&heading, config, &counts),
        MapFile::Picture => page::alone(&heading, config, &counts),
    };
    write(&config.out, &text)?;
    let with = match config.measure.of {
        Measured::Records => format!("{} or more {} from", counts.fewest, config.map.records),
        Measured::Figure { .. } => "a figure of".to_owned(),
    };
    Ok(format!(
        "{}\n{} {} with {with} {}\n",
        std::path::absolute(&config.out).unwrap_or_else(|_| config.out.clone()).display(),
        count(counts.shown() as u64),
        config.division.areas,
        heading.days,
    ))
}

/// Without the right to read the ledger, or without a run of ours, the picture is drawn all the same.
async fn newest_run(config: &MapConfig, url: &PgUrl) -> Option<DrawnRun> {
    match ask_for_run(config, url).await {
        Ok(run) => run,
        Err(error) => {
            tracing::warn!("the picture names no run: {error}");
            None
        }
    }
}

async fn ask_for_run(config: &MapConfig, url: &PgUrl) -> Result<Option<DrawnRun>, Cause> {
    let failed = |e| postgres::classify(e, "read the ledger");
    let connection = postgres::connect(url, "map").await?;
    ledger::is_usable(&connection, &config.database.ledger_schema).await?;
    let text = sql::render(sql::MAP_RUN, &[("ledger", &config.database.ledger_schema)]);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
        [&config.dataset.name, &config.database.schema];
    let row = connection.query_opt(&text, &values).await.map_err(failed)?;
    let run = row.map(|row| Ok(DrawnRun { id: row.try_get(0)?, at: row.try_get(1)? }));
    let run = run.transpose().map_err(failed)?;
    connection.close().await;
    Ok(run)
}

async fn rows(config: &MapConfig, url: &PgUrl, codes: &[&str], keys: &[&str]) -> Result<Vec<Row>, Cause> {
    let what = "count for the map";
    let mut connection = postgres::connect(url, "map").await?;
    let watch = connection.watch();
    let begun = connection.build_transaction().read_only(true);
    let transaction = watch.answer(what, begun.start()).await?;
    let schema = &config.database.schema;
    let tables: Vec<_> = config.dataset.own_tables().map(|table| table.name).collect();
    let missing = watch.answer(what, transaction.query(sql::PURGE_MISSING, &[&tables, schema])).await?;
    if let Some(row) = missing.first() {
        let table: String = row.try_get(0).map_err(|e| postgres::classify(e, what))?;
        return Err(Cause::Refused {
            message: format!("schema {schema} has no table {table}: there is nothing to draw yet"),
            hint: Some(format!(
                "merganser run {} loads what there is; another schema: --schema",
                config.dataset.typed_in(&config.database.schema)
            )),
        });
    }
    let text = sql::render(config.map.count, &[("schema", schema)]);
    let (measure, division) = (config.measure.name, config.division.name);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
        [&measure, &division, &config.since, &config.until, &codes, &keys];
    let found = watch.answer(what, transaction.query(&text, &values)).await?;
    watch.answer(what, transaction.rollback()).await?;
    connection.close().await;
    let row = |row: &tokio_postgres::Row| {
        Ok(Row {
            area: row.try_get(0)?,
            records: u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0),
            first: row.try_get(2)?,
            last: row.try_get(3)?,
        })
    };
    found.iter().map(row).collect::<Result<_, _>>().map_err(|e| postgres::classify(e, what).into())
}

/// The first and the last day of all.
fn days(rows: &[Row]) -> Option<(Date, Date)> {
    Some((rows.iter().map(|row| row.first).min()?, rows.iter().map(|row| row.last).max()?))
}

fn nothing(config: &MapConfig) -> Cause {
    let days = match (config.since, config.until) {
        (None, None) => String::new(),
        (Some(since), None) => format!(" from {since} on"),
        (None, Some(until)) => format!(" until {until}"),
        (Some(since), Some(until)) => format!(" from {since} to {until}"),
    };
    let hint = match days.is_empty() {
        true => format!(
            "merganser run {} loads what is new; merganser status says what was loaded",
            config.dataset.typed_in(&config.database.schema)
        ),
        false => "leave out --since and --until, and the map shows all days".to_owned(),
    };
    Cause::Refused {
        message: format!(
            "schema {} has none of these{days}, so there is nothing to draw: {}; {} is unchanged",
            config.database.schema,
            config.measure.about,
            config.out.display()
        ),
        hint: Some(hint),
    }
}

/// Writes the whole file or nothing: it is moved to its place when it is complete. Everybody may read it, whatever the
/// umask, because it is made to be shown.
fn write(path: &Path, text: &str) -> Result<(), Cause> {
    let what = format!("write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    });
    written.map_err(Cause::io(what))
}
