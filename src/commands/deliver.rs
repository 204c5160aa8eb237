//! Sends the notifications at the end of a run: a few tries within some seconds. If none succeeds, the caller warns;
//! the run's outcome does not change.

use std::time::Duration;

use crate::clients::http::{HttpError, Posted, SecretUrl};

/// How long one try may take.
const TRY: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;
/// How long all of them may take together.
const ALL: Duration = Duration::from_secs(20);
/// The pause between two tries, if the service does not ask for another.
const PAUSE: Duration = Duration::from_secs(1);

/// Posts a body. The address appears in no message.
///
/// # Errors
/// Why it was not accepted, in words.
pub async fn deliver(to: &SecretUrl, headers: &[(String, String)], posted: Posted) -> Result<(), String> {
    let delivered = tokio::time::timeout(ALL, try_to_deliver(to, headers, posted)).await;
    delivered.unwrap_or_else(|_| Err(format!("no answer within {} s", ALL.as_secs())))
}

async fn try_to_deliver(to: &SecretUrl, headers: &[(String, String)], posted: Posted) -> Result<(), String> {
    let http = to.client().map_err(|error| error.to_string())?;
    let mut tried = 1;
    loop {
        let error = match http.post(posted.clone(), headers, TRY).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let pause = match &error {
            HttpError::Busy { retry_after, .. } => retry_after.unwrap_or(PAUSE),
            HttpError::Unreachable | HttpError::TimedOut(_) | HttpError::Broken => PAUSE,
            HttpError::Refused { .. } | HttpError::Elsewhere { .. } | HttpError::TooLarge { .. } => {
                return Err(error.to_string());
            }
        };
        if tried == TRIES {
            return Err(error.to_string());
        }
        tried += 1;
        tokio::time::sleep(pause).await;
    }
}
