//! Requests and answers of one SFTP session. Several requests may be in flight together; their sender must read all
//! their answers before it asks for anything else.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg};
use tokio::time::timeout;

use super::guard::{self, Farewell, HostGuard};
use super::protocol::{self, Attributes, Malformed, Name, Reply, Request, status};

/// A logged-in session.
pub(super) struct SftpSession {
    handle: Handle<HostGuard>,
    channel: Channel<Msg>,
    incoming: BytesMut,
    outgoing: BytesMut,
    next_id: u32,
    idle: Duration,
    farewell: Farewell,
}

/// Why a request has no usable answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection has ended.
    Lost(String),
    /// Nothing arrived for this long.
    Idle(Duration),
    /// The server said no.
    Status {
        code: u32,
        message: String,
    },
    Malformed(Malformed),
    /// An answer to another request, or of the wrong kind.
    Unexpected,
}

impl Broken {
    /// True: a new connection may help.
    pub fn is_transport(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Idle(_) => true,
            Self::Status { code, .. } => matches!(*code, status::NO_CONNECTION | status::CONNECTION_LOST),
            Self::Malformed(_) | Self::Unexpected => false,
        }
    }
}

impl SftpSession {
    pub fn new(
        handle: Handle<HostGuard>,
        channel: Channel<Msg>,
        incoming: BytesMut,
        idle: Duration,
        farewell: Farewell,
    ) -> Self {
        Self { handle, channel, incoming, outgoing: BytesMut::new(), next_id: 0, idle, farewell }
    }

    /// Is the connection still open, as far as is known?
    pub fn is_open(&self) -> bool {
        !self.handle.is_closed()
    }

    /// Opens a file for reading; returns its handle.
    pub async fn open(&mut self, path: &str) -> Result<Bytes, Broken> {
        self.ask_for_handle(&Request::Open { path }).await
    }

    /// Opens a folder for listing; returns its handle.
    pub async fn open_folder(&mut self, path: &str) -> Result<Bytes, Broken> {
        self.ask_for_handle(&Request::OpenFolder { path }).await
    }

    /// What the server reports about an open file; if it supports no such request, what it reports about the file's
    /// path.
    pub async fn file_attributes(&mut self, handle: &[u8], path: &str) -> Result<Attributes, Broken> {
        match self.ask(&Request::FileAttributes { handle }).await? {
            Reply::Attributes(attributes) => Ok(attributes),
            Reply::Status { code: status::UNSUPPORTED, .. } => self.attributes(path).await,
            other => Err(unexpected(other)),
        }
    }

    /// What the server reports about the file that a path leads to.
    pub async fn attributes(&mut self, path: &str) -> Result<Attributes, Broken> {
        match self.ask(&Request::Attributes { path }).await? {
            Reply::Attributes(attributes) => Ok(attributes),
            other => Err(unexpected(other)),
        }
    }

    /// The next entries of a folder; `None` after the last.
    pub async fn read_folder(&mut self, handle: &[u8]) -> Result<Option<Vec<Name>>, Broken> {
        match self.ask(&Request::ReadFolder { handle }).await? {
            Reply::Names(names) => Ok(Some(names)),
            Reply::Status { code: status::EOF, .. } => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    /// The full path of a folder.
    pub async fn real_path(&mut self, path: &str) -> Result<String, Broken> {
        match self.ask(&Request::RealPath { path }).await? {
            Reply::Names(names) if names.len() == 1 => {
                Ok(String::from_utf8_lossy(&names[0].name).into_owned())
            }
            other => Err(unexpected(other)),
        }
    }

    /// Opens a file, reads its first byte, if it has one, and closes it. False: it is not a regular file.
    pub async fn first_byte(&mut self, path: &str) -> Result<bool, Broken> {
        let handle = self.open(path).await?;
        let attributes = self.file_attributes(&handle, path).await?;
        if attributes.mode.is_some_and(|mode| !matches!(mode & 0o170_000, 0o100_000 | 0)) {
            return Ok(false);
        }
        match self.ask(&Request::Read { handle: &handle, offset: 0, size_bytes: 1 }).await? {
            Reply::Data(_) | Reply::Status { code: status::EOF, .. } => {}
            other => return Err(unexpected(other)),
        }
        self.close(&handle).await?;
        Ok(true)
    }

    /// Closes a handle. A failure to close it does not matter for a reader.
    pub async fn close(&mut self, handle: &[u8]) -> Result<(), Broken> {
        match self.ask(&Request::Close { handle }).await? {
            Reply::Status { .. } => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Puts a request into the queue; returns the number that its answer will have.
    pub fn queue(&mut self, request: &Request<'_>) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        request.put(id, &mut self.outgoing);
        id
    }

    /// Sends what is in the queue.
    pub async fn flush(&mut self) -> Result<(), Broken> {
        let packets = self.outgoing.split().freeze();
        match timeout(self.idle, self.channel.data_bytes(packets)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.lost().await),
            Err(_) => Err(Broken::Idle(self.idle)),
        }
    }

    /// The next answer, whichever request it is to.
    pub async fn receive(&mut self) -> Result<(u32, Reply), Broken> {
        loop {
            if let Some(reply) = protocol::take_reply(&mut self.incoming).map_err(Broken::Malformed)? {
                return Ok(reply);
            }
            match timeout(self.idle, self.channel.wait()).await {
                Ok(Some(ChannelMsg::Data { data })) => self.incoming.extend_from_slice(&data),
                Ok(Some(ChannelMsg::Eof | ChannelMsg::Close)) => {
                    return Err(Broken::Lost("the server ended the session".into()));
                }
                Ok(Some(_)) => {}
                Ok(None) => return Err(self.lost().await),
                Err(_) => return Err(Broken::Idle(self.idle)),
            }
        }
    }

    async fn ask_for_handle(&mut self, request: &Request<'_>) -> Result<Bytes, Broken> {
        match self.ask(request).await? {
            Reply::Handle(handle) => Ok(handle),
            other => Err(unexpected(other)),
        }
    }

    async fn ask(&mut self, request: &Request<'_>) -> Result<Reply, Broken> {
        let expected = self.queue(request);
        self.flush().await?;
        match self.receive().await? {
            (id, reply) if id == expected => Ok(reply),
            _ => Err(Broken::Unexpected),
        }
    }

    async fn lost(&mut self) -> Broken {
        Broken::Lost(guard::ended(&mut self.handle, &self.farewell).await)
    }
}

/// The error for a refusal, or for an answer of the wrong kind.
pub(super) fn unexpected(reply: Reply) -> Broken {
    match reply {
        Reply::Status { code, message } if code != status::OK => Broken::Status { code, message },
        _ => Broken::Unexpected,
    }
}
