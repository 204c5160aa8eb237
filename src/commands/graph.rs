//! `merganser graph export`: the graph of the database, for other programs. It reads, in one snapshot.

use std::fs::Permissions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use tokio_postgres::{Row, Transaction};

use crate::cli::{GraphAction, GraphArgs, GraphExportArgs};
use crate::clients::postgres::{self, PgError, PgUrl, Watch};
use crate::commands::terminal::{writer, written};
use crate::config::DatabaseConfig;
use crate::datasets::metrics::export::{EDGES, GraphEdge, GraphNode, NODES};
use crate::error::{Cause, Exit, Failure};
use crate::run::server::Server;
use crate::schema::has_table;
use crate::sql;
use crate::words::count;

/// Writes the graph to a file or to standard output.
pub async fn run(args: GraphArgs) -> Result<Exit, Failure> {
    let GraphAction::Export(args) = args.action;
    let config = DatabaseConfig::new(&args.database)?;
    let server = Server::open(&config.url).await?;
    let exported = export(&args, &config, &server.url).await;
    server.close().await;
    exported?;
    Ok(Exit::Done)
}

async fn export(args: &GraphExportArgs, config: &DatabaseConfig, url: &PgUrl) -> Result<(), Cause> {
    let mut connection = postgres::connect(url, "graph").await?;
    let (transaction, watch) = connection.snapshot().await?;
    if !has_table(&transaction, &watch, (&config.schema, "graph_nodes"), "look for the graph").await? {
        return Err(Cause::Refused {
            message: format!("schema {} has no graph yet", config.schema),
            hint: Some("merganser run metrics makes it; another schema: --schema".into()),
        });
    }
    match &args.out {
        None => {
            let mut out = writer();
            let graph = write(args, config, (&transaction, &watch), &mut out).await;
            written(graph.and_then(|_| out.flush().map_err(Cause::io("write the graph"))))?;
        }
        Some(path) => {
            let (nodes, edges) = write_file(args, config, (&transaction, &watch), path).await?;
            tracing::info!("{}: {} nodes, {} edges", path.display(), count(nodes), count(edges));
        }
    }
    watch.answer("end the snapshot", transaction.rollback()).await?;
    connection.close().await;
    Ok(())
}

/// Writes the whole file or nothing: it is moved to its place when it is complete.
async fn write_file(
    args: &GraphExportArgs,
    config: &DatabaseConfig,
    database: (&Transaction<'_>, &Watch),
    path: &Path,
) -> Result<(u64, u64), Cause> {
    let io = |source| Cause::io(format!("write {}", path.display()))(source);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // With the usual permissions, not for its owner only.
    builder.permissions(Permissions::from_mode(0o666));
    let mut file = BufWriter::new(builder.tempfile_in(folder).map_err(io)?);
    let counted = write(args, config, database, &mut file).await?;
    let file = file.into_inner().map_err(|error| io(error.into_error()))?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(counted)
}

/// Writes the graph row by row; returns the numbers of nodes and edges.
async fn write(
    args: &GraphExportArgs,
    config: &DatabaseConfig,
    (transaction, watch): (&Transaction<'_>, &Watch),
    out: &mut impl Write,
) -> Result<(u64, u64), Cause> {
    let form = args.format;
    let mut say = |text: &str| out.write_all(text.as_bytes()).map_err(Cause::io("write the graph"));
    say(&form.begin())?;
    let nodes = each(config, (transaction, watch), (NODES, args.people), |row| {
        say(&form.node(&node(row).map_err(failed)?))
    })
    .await?;
    let mut number = 0;
    let edges = each(config, (transaction, watch), (EDGES, args.people), |row| {
        number += 1;
        say(&form.edge(number, &edge(row).map_err(failed)?))
    })
    .await?;
    say(form.end())?;
    Ok((nodes, edges))
}

async fn each(
    config: &DatabaseConfig,
    (transaction, watch): (&Transaction<'_>, &Watch),
    (statement, people): (&str, bool),
    mut take: impl FnMut(&Row) -> Result<(), Cause>,
) -> Result<u64, Cause> {
    let text = sql::render(statement, &[("schema", &config.schema)]);
    let rows = watch.answer("read the graph", transaction.query_raw(text.as_str(), [people])).await?;
    let mut rows = pin!(rows);
    let mut count = 0;
    while let Some(row) = watch.answer("read the graph", rows.try_next()).await? {
        take(&row)?;
        count += 1;
    }
    Ok(count)
}

fn node(row: &Row) -> Result<GraphNode, tokio_postgres::Error> {
    Ok(GraphNode {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        key: row.try_get(2)?,
        name: row.try_get(3)?,
        figures: (4..row.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>()?,
    })
}

fn edge(row: &Row) -> Result<GraphEdge, tokio_postgres::Error> {
    Ok(GraphEdge {
        kind: row.try_get(0)?,
        from: row.try_get(1)?,
        from_kind: row.try_get(2)?,
        to: row.try_get(3)?,
        to_kind: row.try_get(4)?,
        weight: row.try_get(5)?,
    })
}

fn failed(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "read the graph")
}
