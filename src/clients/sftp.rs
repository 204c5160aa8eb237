//! Files on an SFTP server, to list and to download.
//!
//! The server's key is verified before anything else is said ([`HostKeyProblem`] says what to do if
//! it is not known); every step has a time limit; a connection that breaks is made again a few times,
//! and a download goes on where it stood.
//!
//! The protocol itself is in `protocol` and `session`, on a channel of the SSH library. The crate
//! `russh-sftp` 3.0.1 was tried in their place. It holds handles and names as text, so a handle that is
//! not UTF-8 goes back to the server as another one. It cannot read a status code of a later version, a
//! status without a message, or attributes with extensions. After such an answer its session ends with
//! the same error as after a broken connection, which would be tried again.

mod auth;
mod connection;
mod download;
mod error;
mod guard;
mod host_key;
mod list;
mod options;
mod protocol;
mod session;
mod url;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::NamedTempFile;

pub use error::{HostKey, HostKeyProblem, KnownKey, SftpError};
pub use options::{KeySource, Secret, SftpLimits, SftpOptions, SftpOptionsError};
pub use url::{SftpUrl, SftpUrlError};

use super::store::{Downloaded, Listing, ObjectInfo, ObjectPlace};
use crate::words::hex;
use auth::Identity;
use download::{Download, Halt};
use host_key::HostKeys;
use protocol::status;
use session::{Broken, SftpSession};

/// So much further a download must get for its breaks to be forgotten.
const PROGRESS_BYTES: u64 = 1 << 20;

/// A folder on an SFTP server. Cheap to clone; operations that run at the same time have a connection
/// each, those one after the other share one.
#[derive(Clone)]
pub struct Sftp {
    inner: Arc<SftpInner>,
}

struct SftpInner {
    url: SftpUrl,
    limits: SftpLimits,
    keys: Arc<HostKeys>,
    identity: Identity,
    /// The connection of the last operation.
    session: Mutex<Option<SftpSession>>,
}

impl fmt::Debug for Sftp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sftp({})", self.inner.url)
    }
}

impl Sftp {
    /// Reads the private key and the files of known hosts. The server is not asked yet.
    pub fn open(url: &SftpUrl, options: &SftpOptions) -> Result<Self, SftpError> {
        let inner = SftpInner {
            url: url.clone(),
            limits: options.limits,
            keys: Arc::new(HostKeys::load(url, options)?),
            identity: Identity::load(options)?,
            session: Mutex::new(None),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The location that it was opened with.
    pub fn url(&self) -> &SftpUrl {
        &self.inner.url
    }

    /// The regular files directly in a folder below the location (`""`: in the location itself), by
    /// name; links count as what they lead to. A folder that is not there is `NoSuchDirectory`.
    pub async fn list_names(&self, folder: &str) -> Result<Vec<ObjectInfo>, SftpError> {
        Ok(self.listing(folder).await?.files)
    }

    /// The same with the names there by which no file can be read.
    pub async fn listing(&self, folder: &str) -> Result<Listing, SftpError> {
        let url = &self.inner.url;
        let at = ObjectPlace { operation: "list", url: url.object(folder) };
        let (path, prefix) = match folder {
            "" => (url.folder_path().to_owned(), String::new()),
            folder => (url.file_path(folder), format!("{folder}/")),
        };
        let mut breaks = Breaks::new(&self.inner.limits);
        loop {
            let mut session = match self.session().await {
                Ok(session) => session,
                Err(error) => {
                    breaks.after_connect(error).await?;
                    continue;
                }
            };
            match list::list(&mut session, &path, &prefix).await {
                Ok(found) => {
                    self.keep(session);
                    return Ok(found);
                }
                Err(Broken::Status { code: status::NO_SUCH_FILE, .. }) => {
                    let login_folder = session.real_path(".").await.ok().map(|folder| error::said(&folder));
                    return Err(SftpError::NoSuchDirectory { at, login_folder });
                }
                Err(broken) => {
                    let transport = broken.is_transport();
                    let error = broken_error(&at, broken);
                    if !transport {
                        return Err(error);
                    }
                    breaks.pause(error).await?;
                }
            }
        }
    }

    /// Copies a file of the location to the local file `to`, which appears (readable by its owner only)
    /// when the file is whole: of the size that the server tells, and the same before and after.
    /// `progress` is given the bytes that have come so far.
    pub async fn download(
        &self,
        name: &str,
        to: &Path,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Downloaded, SftpError> {
        let at = ObjectPlace { operation: "download", url: self.inner.url.object(name) };
        let io = |source| SftpError::Io { operation: "write", path: to.to_owned(), source };
        let folder = to.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let (file, temp) = NamedTempFile::new_in(folder).map_err(io)?.into_parts();
        let file = tokio::fs::File::from_std(file);
        let mut download = Download::new(self.inner.url.file_path(name), file, progress);
        let mut breaks = Breaks::new(&self.inner.limits);
        loop {
            let mut session = match self.session().await {
                Ok(session) => session,
                Err(error) => {
                    breaks.after_connect(error).await?;
                    continue;
                }
            };
            match download.run(&mut session).await {
                Ok(()) => {
                    self.keep(session);
                    break;
                }
                Err(Halt::Broken(broken)) if broken.is_transport() => {
                    breaks.got_to(download.size_bytes());
                    breaks.pause(broken_error(&at, broken)).await?;
                }
                Err(Halt::Broken(broken)) => return Err(file_error(at, broken)),
                Err(Halt::Changed(detail)) => return Err(SftpError::Changed { at, detail }),
                Err(Halt::NotAFile) => {
                    return Err(SftpError::Unreadable { at, detail: "it is not a file".into() });
                }
                Err(Halt::NoSize) => {
                    let detail = "the server does not say how large the file is".into();
                    return Err(SftpError::Unreadable { at, detail });
                }
                Err(Halt::Local(error)) => return Err(io(error)),
            }
        }
        temp.persist(to).map_err(|e| io(e.error))?;
        let size_bytes = download.size_bytes();
        Ok(Downloaded { size_bytes, sha256: hex(download.finish().as_ref()) })
    }

    /// Opens a file of the location and reads its first byte, if it has one.
    pub async fn try_open(&self, name: &str) -> Result<(), SftpError> {
        let at = ObjectPlace { operation: "open", url: self.inner.url.object(name) };
        let mut session = self.session().await?;
        match session.first_byte(&self.inner.url.file_path(name)).await {
            Ok(true) => {
                self.keep(session);
                Ok(())
            }
            Ok(false) => Err(SftpError::Unreadable { at, detail: "it is not a file".into() }),
            Err(broken) if broken.is_transport() => Err(broken_error(&at, broken)),
            Err(broken) => Err(file_error(at, broken)),
        }
    }

    /// The connection that is open, else a new one.
    async fn session(&self) -> Result<SftpSession, SftpError> {
        let inner = &self.inner;
        let kept = inner.session.lock().expect("no panic while it is held").take();
        match kept.filter(SftpSession::is_open) {
            Some(session) => Ok(session),
            None => connection::connect(&inner.url, &inner.keys, &inner.identity, &inner.limits).await,
        }
    }

    /// Keeps a connection for the next operation. One on which something failed is not kept: answers
    /// may still be on their way.
    fn keep(&self, session: SftpSession) {
        *self.inner.session.lock().expect("no panic while it is held") = Some(session);
    }
}

/// Counts how often a connection broke, and waits before the next.
struct Breaks<'a> {
    limits: &'a SftpLimits,
    count: u32,
    size_bytes: u64,
}

impl<'a> Breaks<'a> {
    fn new(limits: &'a SftpLimits) -> Self {
        Self { limits, count: 0, size_bytes: 0 }
    }

    /// A download got this far: if that is much further than at the last break, the count starts again.
    fn got_to(&mut self, size_bytes: u64) {
        if size_bytes >= self.size_bytes + PROGRESS_BYTES {
            self.count = 0;
            self.size_bytes = size_bytes;
        }
    }

    /// No connection came about. The first one must; after a break the server may need a while.
    async fn after_connect(&mut self, error: SftpError) -> Result<(), SftpError> {
        match self.count > 0 && error.is_transient() {
            true => self.pause(error).await,
            false => Err(error),
        }
    }

    /// Waits, or gives the error back if it was one too many.
    async fn pause(&mut self, error: SftpError) -> Result<(), SftpError> {
        if self.count >= self.limits.retries {
            return Err(error);
        }
        let pause = self.limits.backoff * 2u32.saturating_pow(self.count);
        self.count += 1;
        tracing::warn!(
            attempt = self.count,
            "{error}; connecting again in {} s (attempt {} of {})",
            pause.as_secs_f64(),
            self.count,
            self.limits.retries
        );
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// What a server says of one file, over a connection that is in order.
fn file_error(at: ObjectPlace, broken: Broken) -> SftpError {
    match broken {
        Broken::Status { code: status::NO_SUCH_FILE, .. } => SftpError::NoSuchFile { at },
        Broken::Status { code: status::PERMISSION_DENIED, message } => {
            SftpError::Denied { at, detail: error::said(&message) }
        }
        Broken::Status { code, message } => {
            let detail = format!("the server answers: {} (code {code})", error::said(&message));
            SftpError::Unreadable { at, detail }
        }
        broken => broken_error(&at, broken),
    }
}

fn broken_error(at: &ObjectPlace, broken: Broken) -> SftpError {
    let at = at.clone();
    match broken {
        Broken::Lost(detail) => SftpError::Lost { at, detail },
        Broken::Idle(limit) => SftpError::Timeout { at, step: "no byte came", limit },
        Broken::Status { code: status::PERMISSION_DENIED, message } => {
            SftpError::Denied { at, detail: error::said(&message) }
        }
        Broken::Status { code: status::NO_CONNECTION | status::CONNECTION_LOST, message } => {
            SftpError::Lost { at, detail: error::said(&message) }
        }
        Broken::Status { code, message } => {
            let detail = format!("the server answers: {} (code {code})", error::said(&message));
            SftpError::Protocol { at, detail, source: None }
        }
        Broken::Malformed(malformed) => SftpError::Protocol {
            at,
            detail: "the server does not keep to the protocol".into(),
            source: Some(Box::new(malformed)),
        },
        Broken::Unexpected => protocol_error(at, "the server's answer does not fit the request"),
    }
}

fn protocol_error(at: ObjectPlace, detail: &str) -> SftpError {
    SftpError::Protocol { at, detail: detail.into(), source: None }
}
