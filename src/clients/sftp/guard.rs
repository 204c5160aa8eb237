//! Our side of an SSH connection: it checks the server's key, and records how the connection ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::client::{DisconnectReason, Handle, Handler};
use russh::keys::{Algorithm, PublicKeyOrCertificate};
use tokio::time::timeout;

use super::error::said;
use super::host_key::{HostKeys, Refusal};

/// How a connection ended, for code that finds it closed.
pub(super) type Farewell = Arc<Mutex<Option<String>>>;

/// Why the handshake failed.
#[derive(Debug)]
pub(super) enum GuardError {
    Ssh(russh::Error),
    Refused(Refusal),
}

impl From<russh::Error> for GuardError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// Checks the server's key, and records how the connection ended.
pub(super) struct HostGuard {
    pub(super) keys: Arc<HostKeys>,
    /// The kind of the key that was refused, to ask for another one.
    pub(super) refused: Arc<Mutex<Option<Algorithm>>>,
    pub(super) farewell: Farewell,
}

impl Handler for HostGuard {
    type Error = GuardError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, GuardError> {
        let key = key.public_key();
        self.keys.check(&key).map(|()| true).map_err(|refusal| {
            *self.refused.lock().expect("no panic while it is held") = Some(key.algorithm());
            GuardError::Refused(refusal)
        })
    }

    async fn disconnected(&mut self, reason: DisconnectReason<GuardError>) -> Result<(), GuardError> {
        let words = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                format!("the server ended it: {}", said(&info.message))
            }
            DisconnectReason::Error(GuardError::Ssh(error)) => words(&error),
            DisconnectReason::Error(GuardError::Refused(_)) => "the server changed its key".into(),
        };
        *self.farewell.lock().expect("no panic while it is held") = Some(words);
        Ok(())
    }
}

/// How a closed connection ended, in words. To be called once.
pub(super) async fn ended(handle: &mut Handle<HostGuard>, farewell: &Farewell) -> String {
    // The reason becomes known only a moment after the connection is closed.
    let _ = timeout(Duration::from_secs(1), handle).await;
    let reason = farewell.lock().expect("no panic while it is held").clone();
    reason.unwrap_or("the server closed it".into())
}

/// The end of a connection in words.
fn words(error: &russh::Error) -> String {
    use russh::Error as E;
    match error {
        E::HUP | E::Disconnect => "the server closed it".into(),
        E::IO(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => "the server closed it".into(),
        E::KeepaliveTimeout | E::InactivityTimeout => "the server shows no sign of life".into(),
        error => said(&error.to_string()),
    }
}
