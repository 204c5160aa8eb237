//! Opens a logged-in SFTP session: TCP, SSH and the server's key, login, subsystem; each step has its time limit.

use std::borrow::Cow;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use russh::client::{self, Config, Handle};
use russh::keys::Algorithm;
use russh::{AlgorithmKind, ChannelMsg, Preferred};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::auth::{self, Identity, LoginFailure};
use super::error::{SftpError, said};
use super::guard::{Farewell, GuardError, HostGuard, ended};
use super::host_key::{HostKeys, Refusal};
use super::options::SftpLimits;
use super::protocol;
use super::session::SftpSession;
use super::url::SftpUrl;
use crate::clients::store::ObjectPlace;

/// Bytes that the server may send ahead: more than all requests in flight ask for, so that it never waits for us.
const WINDOW_BYTES: u32 = 8 << 20;
/// Messages of a session that may wait to be read: more than the answers in flight, so that the connection can always
/// go on reading.
const MESSAGES: usize = 1024;
const PACKET_BYTES: u32 = 65_535;

/// Connects and logs in.
pub(super) async fn connect(
    url: &SftpUrl,
    keys: &Arc<HostKeys>,
    identity: &Identity,
    limits: &SftpLimits,
) -> Result<SftpSession, SftpError> {
    let at = ObjectPlace { operation: "connect to", url: url.to_string() };
    let (mut handle, farewell) = handshake(url, keys, limits, &at).await?;
    let at = ObjectPlace { operation: "log in to", url: url.to_string() };
    within(limits.login, "no answer to the login came", &at, async {
        match auth::login(&mut handle, url.user(), identity, &at).await {
            Ok(()) => Ok(()),
            Err(LoginFailure::Refused(error)) => Err(error),
            Err(LoginFailure::Broken) => {
                Err(SftpError::Lost { at: at.clone(), detail: ended(&mut handle, &farewell).await })
            }
        }
    })
    .await?;
    let at = ObjectPlace { operation: "open the SFTP session of", url: url.to_string() };
    within(limits.login, "no SFTP session was opened", &at, async {
        let broken = |e: russh::Error| protocol_error(&at, "the server opens no channel", e);
        let mut channel = handle.channel_open_session().await.map_err(broken)?;
        channel.request_subsystem(true, "sftp").await.map_err(broken)?;
        let mut incoming = BytesMut::new();
        let version = loop {
            match channel.wait().await {
                Some(ChannelMsg::Data { data }) => incoming.extend_from_slice(&data),
                // Before this point the server may refuse data.
                Some(ChannelMsg::Success) => channel.data_bytes(protocol::init()).await.map_err(broken)?,
                Some(ChannelMsg::Failure) => {
                    return Err(plain(&at, "the server has no SFTP: it may allow only other uses of SSH"));
                }
                Some(ChannelMsg::Close | ChannelMsg::Eof) => {
                    return Err(plain(&at, "the server ends the SFTP session at once"));
                }
                None => {
                    return Err(SftpError::Lost {
                        at: at.clone(),
                        detail: ended(&mut handle, &farewell).await,
                    });
                }
                Some(_) => {}
            }
            match protocol::take_version(&mut incoming) {
                Ok(None) => {}
                Ok(Some(version)) => break version,
                // Most likely a shell that prints a greeting.
                Err(e) => return Err(protocol_error(&at, "the server does not speak SFTP", e)),
            }
        };
        if version != protocol::VERSION {
            return Err(plain(&at, &format!("the server speaks version {version} of SFTP, and not 3")));
        }
        Ok(SftpSession::new(handle, channel, incoming, limits.idle, farewell.clone()))
    })
    .await
}

/// Connects and accepts the server's key. Where fingerprints are pinned, a server with several
/// keys may show one after the other.
async fn handshake(
    url: &SftpUrl,
    keys: &Arc<HostKeys>,
    limits: &SftpLimits,
    at: &ObjectPlace,
) -> Result<(Handle<HostGuard>, Farewell), SftpError> {
    let mut first_refusal = None;
    let mut refused_kinds: Vec<Algorithm> = Vec::new();
    loop {
        let algorithms = keys.algorithms(&refused_kinds);
        if let Some(refusal) = first_refusal.take_if(|_| algorithms.is_empty()) {
            return Err(refusal);
        }
        let stream = within(limits.connect, "no connection came about", at, async {
            TcpStream::connect((url.host(), url.port()))
                .await
                .map_err(|source| SftpError::Unreachable { at: at.clone(), source })
        })
        .await?;
        // Requests are small: with Nagle's algorithm, each would wait for the answer to the one before.
        stream.set_nodelay(true).map_err(|source| SftpError::Unreachable { at: at.clone(), source })?;
        let farewell = Farewell::default();
        let refused = Arc::new(Mutex::new(None));
        let guard = HostGuard { keys: keys.clone(), refused: refused.clone(), farewell: farewell.clone() };
        let config = Arc::new(config(limits, algorithms));
        let step = "keys were not agreed on";
        let result = within(limits.connect, step, at, async {
            Ok(client::connect_stream(config, stream, guard).await)
        });
        let error = match result.await? {
            Ok(handle) => return Ok((handle, farewell)),
            Err(error) => error,
        };
        let error = match error {
            GuardError::Refused(Refusal::NotEntered(error)) => return Err(error),
            GuardError::Refused(Refusal::Key(problem)) => SftpError::HostKey { at: at.clone(), problem },
            // The server has no other key.
            GuardError::Ssh(russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, .. })
                if first_refusal.is_some() =>
            {
                return Err(first_refusal.take().expect("just seen"));
            }
            GuardError::Ssh(error) => return Err(handshake_error(at, error)),
        };
        let kind = refused.lock().expect("no panic while it is held").take();
        match kind.filter(|_| keys.may_have_another()) {
            Some(kind) => refused_kinds.push(kind),
            None => return Err(error),
        }
        first_refusal.get_or_insert(error);
    }
}

fn config(limits: &SftpLimits, algorithms: Vec<Algorithm>) -> Config {
    Config {
        window_size: WINDOW_BYTES,
        maximum_packet_size: PACKET_BYTES,
        channel_buffer_size: MESSAGES,
        preferred: Preferred { key: Cow::Owned(algorithms), ..Preferred::DEFAULT },
        keepalive_interval: Some(limits.keepalive),
        keepalive_max: limits.keepalive_max,
        // The last resort, for a connection that nothing waits for any more.
        inactivity_timeout: Some(limits.idle.max(limits.keepalive) * 2),
        nodelay: true,
        ..Config::default()
    }
}

/// Runs a step with its limit.
async fn within<T>(
    limit: Duration,
    step: &'static str,
    at: &ObjectPlace,
    work: impl Future<Output = Result<T, SftpError>>,
) -> Result<T, SftpError> {
    match timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(SftpError::Timeout { at: at.clone(), step, limit }),
    }
}

fn handshake_error(at: &ObjectPlace, error: russh::Error) -> SftpError {
    use russh::Error as E;
    match error {
        E::IO(_) | E::HUP | E::Disconnect => SftpError::Lost {
            at: at.clone(),
            detail: "closed before any login: the server may be busy or let in known addresses only, or it is not \
                     an SSH server"
                .into(),
        },
        E::Version => protocol_error(at, "what answers there is not an SSH server", error),
        E::NoCommonAlgo { kind, ref theirs, .. } => {
            let kind = match kind {
                AlgorithmKind::Kex => "key exchange",
                AlgorithmKind::Key => "host key",
                AlgorithmKind::Cipher => "cipher",
                AlgorithmKind::Compression => "compression",
                AlgorithmKind::Mac => "MAC",
            };
            let detail = format!("no {kind} algorithm in common; the server has {}", said(&theirs.join(", ")));
            plain(at, &detail)
        }
        error => protocol_error(at, "no SSH connection with the server is possible", error),
    }
}

fn plain(at: &ObjectPlace, detail: &str) -> SftpError {
    SftpError::Protocol { at: at.clone(), detail: detail.into(), source: None }
}

fn protocol_error(
    at: &ObjectPlace,
    detail: &str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> SftpError {
    SftpError::Protocol { at: at.clone(), detail: detail.into(), source: Some(Box::new(source)) }
}
