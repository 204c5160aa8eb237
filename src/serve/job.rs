//! Jobs that need a connection, and the responses when they fail.

use std::sync::{Arc, PoisonError};

use axum::response::Response;
use jiff::civil::Date;

use super::answer::{self, Answered, KnownPlaces};
use super::pool::{Busy, TakenReader};
use super::question::PlaceQuestion;
use super::texts::ServedTexts;
use super::{ServeState, busy, current};
use crate::clients::postgres::{PgError, classify};

/// The SQLSTATE of a statement that is cancelled because it takes too long.
const QUERY_CANCELED: &str = "57014";

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
            // A dataset that was never loaded has no table.
            Err(error) if matches!(self, Self::Offer) && current::is_missing(&error) => {
                Ok(Done::Offered(None))
            }
            done => done,
        }
    }
}

/// Does a job to its end even if nobody waits for it any more, so that its connection goes back to the pool clean. If an idle
/// connection turns out to be lost, the job is done again on a new one.
pub(super) async fn perform(
    shared: &Arc<ServeState>,
    at: usize,
    job: ServeJob,
) -> Result<Done, Box<Response>> {
    let shared = shared.clone();
    let done = tokio::spawn(async move {
        let mut taken = shared.pool.take().await.map_err(|error| Box::new(no_connection(&shared, &error)))?;
        let mut places = shared.known_places(at);
        let mut done = job.perform(&mut taken, &shared.texts[at], &mut places).await;
        if taken.is_used && done.as_ref().err().is_some_and(is_lost) {
            taken =
                shared.pool.renew(taken).await.map_err(|error| Box::new(no_connection(&shared, &error)))?;
            done = job.perform(&mut taken, &shared.texts[at], &mut places).await;
        }
        if !done.as_ref().err().is_some_and(is_lost) {
            shared.pool.put(taken);
        }
        let done = done.map_err(|error| Box::new(failed(&error, &shared.texts[at])))?;
        *shared.places[at].lock().unwrap_or_else(PoisonError::into_inner) = places;
        Ok(done)
    });
    done.await.unwrap_or_else(|_| Err(Box::new(busy("the server is stopping, or has a defect", 5))))
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
        Busy::Slow => busy("too many questions at once", 2),
        Busy::Unreachable(error) => {
            tracing::debug!("no connection: {error}");
            busy("the database cannot be reached", 5)
        }
    }
}

/// Nothing is loaded, or an older program loaded it and made no tables for the server.
pub(super) fn nothing(texts: &ServedTexts) -> Response {
    let name = texts.dataset.name;
    busy(&format!("nothing of {name} that can be served is loaded yet; `merganser run {name}` loads it"), 30)
}

fn failed(error: &PgError, texts: &ServedTexts) -> Response {
    if current::is_missing(error) {
        return nothing(texts);
    }
    if error.sqlstate() == Some(QUERY_CANCELED) {
        return busy("the answer took too long: ask for fewer days, or a smaller radius", 5);
    }
    // The server's message may contain a value from the statement, so only the code is logged.
    let sqlstate = error.sqlstate().unwrap_or("none");
    tracing::warn!(sqlstate, "a question could not be answered");
    busy("the database did not answer", 5)
}
