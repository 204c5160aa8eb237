//! Downloading a file to the local disk. Many requests are in flight at once, so that not every 32 KiB costs a round
//! trip; answers are written in order. What has been written stays when the connection breaks, and the next connection
//! resumes behind it.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWriteExt, BufWriter};

use super::protocol::{Attributes, Reply, Request, status};
use super::session::{Broken, SftpSession, unexpected};

/// Bytes of one request. Every server returns this much at once; many cut longer answers short.
const CHUNK_BYTES: u64 = 32 << 10;
/// Requests in flight at once.
const REQUESTS: usize = 64;
/// Requests that are sent together: each packet costs a system call at either end.
const BATCH: usize = 16;

/// The state of a download, across connections.
pub(super) struct Download<'a> {
    path: String,
    file: BufWriter<tokio::fs::File>,
    hash: Sha256,
    /// Bytes written.
    size_bytes: u64,
    /// The file when it was first opened.
    first: Option<Attributes>,
    progress: &'a (dyn Fn(u64) + Sync),
}

/// Why a download stopped.
#[derive(Debug)]
pub(super) enum Halt {
    Broken(Broken),
    /// The file is not the one that was opened first, or has changed since.
    Changed(String),
    NotAFile,
    /// The server does not report the size.
    NoSize,
    Local(io::Error),
}

impl From<Broken> for Halt {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// A part of the file that was asked for.
struct Part {
    id: u32,
    offset: u64,
    size_bytes: u64,
    data: Option<Bytes>,
}

impl<'a> Download<'a> {
    pub fn new(path: String, file: tokio::fs::File, progress: &'a (dyn Fn(u64) + Sync)) -> Self {
        // Buffered, because each write is handed to another thread.
        let file = BufWriter::with_capacity(1 << 20, file);
        Self { path, file, hash: Sha256::new(), size_bytes: 0, first: None, progress }
    }

    /// Bytes written so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The checksum of all that was written.
    pub fn finish(self) -> impl AsRef<[u8]> {
        self.hash.finalize()
    }

    /// Reads the rest of the file.
    pub async fn run(&mut self, session: &mut SftpSession) -> Result<(), Halt> {
        let handle = session.open(&self.path).await?;
        let now = session.file_attributes(&handle, &self.path).await?;
        let size_bytes = now.size_bytes.ok_or(Halt::NoSize)?;
        if now.mode.is_some_and(|mode| !matches!(mode & 0o170_000, 0o100_000 | 0)) {
            return Err(Halt::NotAFile);
        }
        same(*self.first.get_or_insert(now), now)?;
        self.read(session, &handle, size_bytes).await?;
        self.file.flush().await.map_err(Halt::Local)?;
        // Otherwise a file that is still being written would be taken as complete.
        same(now, session.file_attributes(&handle, &self.path).await?)?;
        session.close(&handle).await?;
        Ok(())
    }

    async fn read(&mut self, session: &mut SftpSession, handle: &[u8], end: u64) -> Result<(), Halt> {
        let mut parts: VecDeque<Part> = VecDeque::with_capacity(REQUESTS + 1);
        let mut next = self.size_bytes;
        let ask = |session: &mut SftpSession, offset: u64, size_bytes: u64| {
            let id = session.queue(&Request::Read { handle, offset, size_bytes: size_bytes as u32 });
            Part { id, offset, size_bytes, data: None }
        };
        while self.size_bytes < end {
            let is_due = parts.len() + BATCH <= REQUESTS;
            while is_due && parts.len() < REQUESTS && next < end {
                let size_bytes = CHUNK_BYTES.min(end - next);
                parts.push_back(ask(session, next, size_bytes));
                next += size_bytes;
            }
            session.flush().await?;
            let (id, reply) = session.receive().await?;
            let data = match reply {
                Reply::Data(data) => data,
                Reply::Status { code: status::EOF, .. } => return Err(shorter()),
                other => return Err(unexpected(other).into()),
            };
            let at = parts.iter().position(|part| part.id == id && part.data.is_none());
            let Some((at, part)) = at.and_then(|at| Some((at, parts.get_mut(at)?))) else {
                return Err(Broken::Unexpected.into());
            };
            let got = data.len() as u64;
            if got == 0 || got > part.size_bytes {
                return Err(Broken::Unexpected.into());
            }
            // A server may return less than was asked for.
            let (rest, rest_bytes) = (part.offset + got, part.size_bytes - got);
            part.size_bytes = got;
            part.data = Some(data);
            if rest_bytes > 0 {
                parts.insert(at + 1, ask(session, rest, rest_bytes));
            }
            while let Some(data) = parts.front_mut().and_then(|part| part.data.take()) {
                parts.pop_front();
                self.hash.update(&data);
                self.file.write_all(&data).await.map_err(Halt::Local)?;
                self.size_bytes += data.len() as u64;
            }
            (self.progress)(self.size_bytes);
        }
        Ok(())
    }
}

fn shorter() -> Halt {
    Halt::Changed("it is shorter than it was".into())
}

/// Is it still the same file, as far as the server tells?
fn same(before: Attributes, after: Attributes) -> Result<(), Halt> {
    match (before.size_bytes, after.size_bytes) {
        (before, after) if before != after => {
            let bytes =
                |size: Option<u64>| size.map_or("an unknown number of".into(), |size| size.to_string());
            Err(Halt::Changed(format!("from {} to {} bytes", bytes(before), bytes(after))))
        }
        _ if before.modified != after.modified => Err(Halt::Changed("its modification time changed".into())),
        _ => Ok(()),
    }
}
