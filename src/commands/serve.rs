//! `merganser serve`: serves loaded data to people and programs until it is told to stop.

use std::io::{self, Read};
use std::path::Path;

use tokio::net::TcpListener;

use super::terminal::say;
use crate::cli::ServeArgs;
use crate::clients::postgres::PgUrl;
use crate::config::ServeConfig;
use crate::datasets;
use crate::error::{Cause, Exit, Failure};
use crate::run::server::Server;
use crate::serve::{OUTLINES_MOST_BYTES, Outlines, OutlinesFault, Serving, serve};
use crate::system::signals::Interrupt;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// The address cannot be listened on, the outlines cannot be used, or the private database does not start. A database that
/// cannot be reached is not an error: the server waits for it.
pub async fn run(args: ServeArgs) -> Result<Exit, Failure> {
    let config = ServeConfig::from_serve(&args)?;
    let server = Server::open(&config.database.url).await?;
    let served = listen(&config, &server.url).await;
    server.close().await;
    served?;
    Ok(Exit::Done)
}

/// Serves the database at `url` until SIGTERM or SIGINT.
///
/// # Errors
/// The address cannot be listened on, or the outlines cannot be used.
pub async fn listen(config: &ServeConfig, url: &PgUrl) -> Result<(), Cause> {
    let outlines = config.zones.as_deref().map(outlines).transpose()?.unwrap_or_default();
    let mut interrupt = Interrupt::listen().map_err(Cause::io("listen for signals"))?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| unlistened(config, error))?;
    let address = listener.local_addr().map_err(Cause::io("look where the server listens"))?;
    say(&format!("http://{address}/\n"));
    let serving = Serving {
        url: url.clone(),
        datasets: datasets::ALL.to_vec(),
        schema: config.database.schema.clone(),
        ledger_schema: config.database.ledger_schema.clone(),
        limits: config.limits,
        dates_most: config.dates_most,
        min_counts: config.min_counts.clone(),
        outlines,
    };
    serve(serving, listener, interrupt.arrives()).await;
    Ok(())
}

/// Reads the outlines of zones from a file.
fn outlines(path: &Path) -> Result<Outlines, Cause> {
    let refused = |fault: &str| Cause::Refused {
        message: format!("{}: the outlines cannot be taken: {fault}", path.display()),
        hint: Some("mend the file, or leave --zones out: the map does without".into()),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(Cause::io(format!("open {}", path.display())))?;
    let read = file.take(OUTLINES_MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(Cause::io(format!("read {}", path.display())))?;
    if bytes.len() as u64 > OUTLINES_MOST_BYTES {
        return Err(refused(
            "it is larger than 4 MiB, which each browser would have to take: make the outlines coarser",
        ));
    }
    Outlines::read(&bytes).map_err(|fault: OutlinesFault| refused(&fault.to_string()))
}

fn unlistened(config: &ServeConfig, error: io::Error) -> Cause {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there: --listen names another port, 0 takes a free one"
        }
        _ => "--listen names an address of this machine, and a port above 1023",
    };
    Cause::Refused {
        message: format!("cannot listen on {}: {error}", config.listen),
        hint: Some(hint.into()),
    }
}
