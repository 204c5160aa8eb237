//! Jobs that need a connection, and the responses when they fail.

use std::pin::pin;
use std::sync::{Arc, PoisonError};

use axum::response::Response;
use jiff::civil::Date;
use tokio::sync::oneshot;

use super::answer::{self, Answered};
use super::pool::{Busy, TakenReader};
use super::question::PlaceQuestion;
use super::snapshot::KnownPlaces;
use super::texts::ServedTexts;
use super::{ServeState, busy, current, rights};
use crate::clients::postgres::{PgError, classify};

/// The SQLSTATE of a statement that is cancelled because it takes too long.
const QUERY_CANCELED: &str = "57014";
/// The SQLSTATE of a statement for which the role lacks a right.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// A job that needs a connection.
#[derive(Debug)]
pub(super) enum ServeJob {
    Ask(PlaceQuestion),
    Offer,
}

/// The result of a job.
#[derive(Debug)]
pub(super) enum Done {
    Asked(Answered),
    Offered(Option<(String, Vec<Date>)>),
}

impl ServeJob {
    async fn perform(
        &self,
        taken: &mut TakenReader,
        texts: &ServedTexts,
        places: &mut Option<KnownPlaces>,
    ) -> Result<Done, PgError> {
        let reader = &mut taken.reader;
        let done = match self {
            Self::Ask(question) => answer::answer(reader, texts, question, places).await.map(Done::Asked),
            Self::Offer => answer::offered(reader, texts, places).await.map(Done::Offered),
        };
        match done.map_err(|error| classify(error, "answer a question")) {
            // Of a dataset of which nothing was ever loaded there is no table.
            Err(error) if matches!(self, Self::Offer) && current::is_missing(&error) => {
                Ok(Done::Offered(None))
            }
            done => done,
        }
    }
}

/// Does a job on a connection of the pool. When nobody waits for it any more, the statement is cancelled and the connection goes: it is
/// not clean. On a connection that was lost while it lay there the job is done once more.
pub(super) async fn perform(
    shared: &Arc<ServeState>,
    at: usize,
    job: ServeJob,
) -> Result<Done, Box<Response>> {
    let shared = shared.clone();
    let (mut waiting, answer) = oneshot::channel();
    tokio::spawn(async move {
        let Some(done) = perform_for(&shared, at, &job, &mut waiting).await else { return };
        // Whoever has gone meanwhile is not told.
        let _ = waiting.send(done);
    });
    answer.await.unwrap_or_else(|_| Err(Box::new(busy("the server ends, or has a defect", 5))))
}

/// The same; `None`: nobody waits for it any more.
async fn perform_for(
    shared: &ServeState,
    at: usize,
    job: &ServeJob,
    waiting: &mut oneshot::Sender<Result<Done, Box<Response>>>,
) -> Option<Result<Done, Box<Response>>> {
    let taken = tokio::select! {
        taken = shared.pool.take() => taken,
        () = waiting.closed() => return None,
    };
    let mut taken = match taken {
        Ok(taken) => taken,
        Err(error) => return Some(Err(Box::new(no_connection(shared, &error)))),
    };
    let canceller = taken.reader.connection.canceller();
    let mut performed = pin!(async {
        let mut places = shared.known_places(at);
        let mut done = job.perform(&mut taken, &shared.texts[at], &mut places).await;
        if taken.is_used && done.as_ref().err().is_some_and(is_lost) {
            taken =
                shared.pool.renew(taken).await.map_err(|error| Box::new(no_connection(shared, &error)))?;
            done = job.perform(&mut taken, &shared.texts[at], &mut places).await;
        }
        let may_not = done.as_ref().err().and_then(PgError::sqlstate) == Some(INSUFFICIENT_PRIVILEGE);
        let is_told = may_not && rights::say_unreadable(&taken.reader, &shared.texts[at]).await;
        if !done.as_ref().err().is_some_and(is_lost) {
            shared.pool.put(taken);
        }
        let done = match done {
            Err(error) => return Err(Box::new(failed(&error, &shared.texts[at], is_told))),
            Ok(done) => done,
        };
        *shared.places[at].lock().unwrap_or_else(PoisonError::into_inner) = places;
        Ok(done)
    });
    tokio::select! {
        done = &mut performed => Some(done),
        () = waiting.closed() => {
            if let Err(error) = canceller.await {
                tracing::debug!("a statement nobody waits for goes on: {error}");
            }
            None
        }
    }
}

fn is_lost(error: &PgError) -> bool {
    matches!(error, PgError::ConnectionLost(_))
}

fn no_connection(shared: &ServeState, error: &Busy) -> Response {
    match error {
        Busy::Full => {
            shared.metrics.full();
            busy("too many questions at once", 1)
        }
        Busy::Slow => {
            shared.metrics.full();
            busy("too many questions at once", 2)
        }
        Busy::Unreachable(error) => {
            tracing::debug!("no connection: {error}");
            busy("the database cannot be reached", 5)
        }
    }
}

/// Nothing is loaded, or an older program did that, which made nothing to be served.
pub(super) fn nothing(texts: &ServedTexts) -> Response {
    let (name, typed) = (texts.dataset.name, texts.dataset.typed());
    busy(&format!("nothing of {name} that can be served is loaded yet: `merganser run {typed}` loads it"), 30)
}

/// `is_told`: the log already says why.
fn failed(error: &PgError, texts: &ServedTexts, is_told: bool) -> Response {
    if current::is_missing(error) {
        return nothing(texts);
    }
    if error.sqlstate() == Some(QUERY_CANCELED) {
        return busy("the answer took too long: ask for fewer days, or a smaller radius", 5);
    }
    if error.sqlstate() == Some(INSUFFICIENT_PRIVILEGE) {
        if !is_told {
            // It names a table or a schema, and no value.
            tracing::warn!("questions about {} cannot be answered: {error}", texts.dataset.name);
        }
        let why = format!("{} cannot be read now: the server's log says why", texts.dataset.name);
        return busy(&why, 30);
    }
    // What the server says of a statement may hold a value of it.
    let sqlstate = error.sqlstate().unwrap_or("none");
    tracing::warn!(sqlstate, "a question could not be answered");
    busy("the database did not answer", 5)
}
