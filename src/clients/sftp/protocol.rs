//! The packets of the SFTP protocol, version 3 (draft-ietf-secsh-filexfer-02), as far as listing and
//! reading need them.
//!
//! Handles and names are bytes: servers exist whose handles are no text, and a client that takes them
//! for text sends back another handle. A status code that the protocol does not know (the later
//! versions', which some servers send) is a status like the others. Attributes may carry extensions,
//! which are passed over.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The version spoken.
pub(super) const VERSION: u32 = 3;
/// The longest packet taken. Answers to reads have 32 KiB; a server packs as many names as it likes.
const PACKET_BYTES_MAX: usize = 4 << 20;

/// Codes of a [`Reply::Status`].
pub(super) mod status {
    pub const OK: u32 = 0;
    pub const EOF: u32 = 1;
    pub const NO_SUCH_FILE: u32 = 2;
    pub const PERMISSION_DENIED: u32 = 3;
    pub const NO_CONNECTION: u32 = 6;
    pub const CONNECTION_LOST: u32 = 7;
    pub const UNSUPPORTED: u32 = 8;
}

/// What a client asks for.
pub(super) enum Request<'a> {
    Open {
        path: &'a str,
    },
    Read {
        handle: &'a [u8],
        offset: u64,
        size_bytes: u32,
    },
    FileAttributes {
        handle: &'a [u8],
    },
    /// Of what a path leads to, through links.
    Attributes {
        path: &'a str,
    },
    OpenFolder {
        path: &'a str,
    },
    ReadFolder {
        handle: &'a [u8],
    },
    RealPath {
        path: &'a str,
    },
    Close {
        handle: &'a [u8],
    },
}

/// What a server answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Status { code: u32, message: String },
    Handle(Bytes),
    Data(Bytes),
    Names(Vec<Name>),
    Attributes(Attributes),
}

/// An entry of a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub name: Bytes,
    /// The line that `ls -l` would show; the only trace of the type where a server gives no mode.
    pub long_name: Bytes,
    /// Of the entry itself, not of what it leads to.
    pub attributes: Attributes,
}

/// What a server tells about a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub size_bytes: Option<u64>,
    pub mode: Option<u32>,
    /// Seconds since 1970.
    pub modified: Option<u32>,
}

/// A packet that breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a packet of the server ends too early")]
    Short,
    #[error("a packet of the server has {0} bytes")]
    TooLong(usize),
    #[error("a packet of the server has type {0}, which is not expected")]
    Type(u8),
}

/// The first packet: the version that we speak.
pub(super) fn init() -> Bytes {
    let mut packet = BytesMut::with_capacity(9);
    packet.put_u32(5);
    packet.put_u8(1);
    packet.put_u32(VERSION);
    packet.freeze()
}

/// Takes the server's first packet off `incoming`, if it has come as a whole: its version.
pub(super) fn take_version(incoming: &mut BytesMut) -> Result<Option<u32>, Malformed> {
    let Some(mut packet) = take_packet(incoming)? else { return Ok(None) };
    match packet.try_get_u8() {
        // Extensions may follow.
        Ok(2) => packet.try_get_u32().map(Some).map_err(|_| Malformed::Short),
        Ok(other) => Err(Malformed::Type(other)),
        Err(_) => Err(Malformed::Short),
    }
}

impl Request<'_> {
    /// Appends the packet to `out`.
    pub fn put(&self, id: u32, out: &mut BytesMut) {
        let start = out.len();
        out.put_u32(0);
        out.put_u8(self.packet_type());
        out.put_u32(id);
        match self {
            Self::Open { path } => {
                put_bytes(out, path.as_bytes());
                out.put_u32(1); // to read
                out.put_u32(0); // no attributes
            }
            Self::Read { handle, offset, size_bytes } => {
                put_bytes(out, handle);
                out.put_u64(*offset);
                out.put_u32(*size_bytes);
            }
            Self::FileAttributes { handle } | Self::ReadFolder { handle } | Self::Close { handle } => {
                put_bytes(out, handle);
            }
            Self::Attributes { path } | Self::OpenFolder { path } | Self::RealPath { path } => {
                put_bytes(out, path.as_bytes());
            }
        }
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn packet_type(&self) -> u8 {
        match self {
            Self::Open { .. } => 3,
            Self::Close { .. } => 4,
            Self::Read { .. } => 5,
            Self::FileAttributes { .. } => 8,
            Self::OpenFolder { .. } => 11,
            Self::ReadFolder { .. } => 12,
            Self::RealPath { .. } => 16,
            Self::Attributes { .. } => 17,
        }
    }
}

/// Takes the next answer off `incoming`, if it has come as a whole: the request's number and the answer.
pub(super) fn take_reply(incoming: &mut BytesMut) -> Result<Option<(u32, Reply)>, Malformed> {
    let Some(mut packet) = take_packet(incoming)? else { return Ok(None) };
    let short = |_| Malformed::Short;
    let packet_type = packet.try_get_u8().map_err(short)?;
    let id = packet.try_get_u32().map_err(short)?;
    let reply = match packet_type {
        101 => {
            let code = packet.try_get_u32().map_err(short)?;
            // Some servers leave the message out.
            let message = take_bytes(&mut packet).unwrap_or_default();
            Reply::Status { code, message: String::from_utf8_lossy(&message).into_owned() }
        }
        102 => Reply::Handle(take_bytes(&mut packet)?),
        103 => Reply::Data(take_bytes(&mut packet)?),
        104 => {
            let count = packet.try_get_u32().map_err(short)?;
            // The count is the server's word; the memory is that of what has really come.
            let mut names = Vec::new();
            for _ in 0..count {
                let (name, long_name) = (take_bytes(&mut packet)?, take_bytes(&mut packet)?);
                names.push(Name { name, long_name, attributes: take_attributes(&mut packet)? });
            }
            Reply::Names(names)
        }
        105 => Reply::Attributes(take_attributes(&mut packet)?),
        other => return Err(Malformed::Type(other)),
    };
    Ok(Some((id, reply)))
}

fn take_packet(incoming: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
    let Some(length) = incoming.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > PACKET_BYTES_MAX {
        return Err(Malformed::TooLong(length));
    }
    if incoming.len() < 4 + length {
        return Ok(None);
    }
    incoming.advance(4);
    Ok(Some(incoming.split_to(length).freeze()))
}

fn take_attributes(packet: &mut Bytes) -> Result<Attributes, Malformed> {
    let short = |_| Malformed::Short;
    let flags = packet.try_get_u32().map_err(short)?;
    let mut attributes = Attributes::default();
    if flags & 1 != 0 {
        attributes.size_bytes = Some(packet.try_get_u64().map_err(short)?);
    }
    if flags & 2 != 0 {
        packet.try_get_u64().map_err(short)?; // user and group
    }
    if flags & 4 != 0 {
        attributes.mode = Some(packet.try_get_u32().map_err(short)?);
    }
    if flags & 8 != 0 {
        packet.try_get_u32().map_err(short)?; // last access
        attributes.modified = Some(packet.try_get_u32().map_err(short)?);
    }
    if flags & 0x8000_0000 != 0 {
        for _ in 0..packet.try_get_u32().map_err(short)? {
            take_bytes(packet)?;
            take_bytes(packet)?;
        }
    }
    Ok(attributes)
}

fn take_bytes(packet: &mut Bytes) -> Result<Bytes, Malformed> {
    let length = packet.try_get_u32().map_err(|_| Malformed::Short)? as usize;
    if packet.len() < length {
        return Err(Malformed::Short);
    }
    Ok(packet.split_to(length))
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(packet_type: u8, body: &[u8]) -> BytesMut {
        let mut packet = BytesMut::new();
        packet.put_u32(body.len() as u32 + 1);
        packet.put_u8(packet_type);
        packet.put_slice(body);
        packet
    }

    #[test]
    fn a_handle_that_is_no_text_comes_back_as_it_was() {
        let mut incoming = packet(102, &[0, 0, 0, 7, 0, 0, 0, 4, 0xff, 0xfe, 0, 0x80]);
        let (id, reply) = take_reply(&mut incoming).unwrap().unwrap();
        let Reply::Handle(handle) = reply else { panic!("{reply:?}") };
        assert_eq!((id, handle.as_ref(), incoming.len()), (7, &[0xff, 0xfe, 0, 0x80][..], 0));
        let mut out = BytesMut::new();
        Request::Close { handle: &handle }.put(8, &mut out);
        assert_eq!(out.as_ref(), [0, 0, 0, 13, 4, 0, 0, 0, 8, 0, 0, 0, 4, 0xff, 0xfe, 0, 0x80]);
    }

    #[test]
    fn a_status_of_a_later_version_or_without_a_message_is_a_status() {
        let mut incoming = packet(101, &[0, 0, 0, 1, 0, 0, 0, 9]);
        let status = Reply::Status { code: 9, message: String::new() };
        assert_eq!(take_reply(&mut incoming), Ok(Some((1, status))));
    }

    #[test]
    fn extended_attributes_are_passed_over() {
        let mut body = vec![0, 0, 0, 1, 0, 0, 0, 2];
        for name in [b"a", b"b"] {
            body.extend([0, 0, 0, 1, name[0], 0, 0, 0, 0]);
            body.extend([0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5]);
            body.extend([0, 0, 0, 1, 0, 0, 0, 1, b'x', 0, 0, 0, 2, b'y', b'z']);
        }
        let (_, reply) = take_reply(&mut packet(104, &body)).unwrap().unwrap();
        let Reply::Names(names) = reply else { panic!("{reply:?}") };
        assert_eq!((names.len(), names[1].name.as_ref()), (2, b"b".as_ref()));
        assert_eq!(names[1].attributes, Attributes { size_bytes: Some(5), ..Attributes::default() });
    }

    #[test]
    fn a_packet_is_taken_when_it_is_whole() {
        let whole = packet(103, &[0, 0, 0, 1, 0, 0, 0, 2, b'h', b'i']);
        for cut in 0..whole.len() {
            let mut incoming = BytesMut::from(&whole[..cut]);
            assert_eq!(take_reply(&mut incoming), Ok(None), "{cut}");
            incoming.extend_from_slice(&whole[cut..]);
            let reply = take_reply(&mut incoming).unwrap();
            assert_eq!(reply, Some((1, Reply::Data(Bytes::from_static(b"hi")))));
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_an_error() {
        assert_eq!(take_reply(&mut packet(103, &[0, 0, 0, 1, 0, 0, 0, 9, 1])), Err(Malformed::Short));
        assert_eq!(take_reply(&mut packet(103, &[0])), Err(Malformed::Short));
        assert_eq!(take_reply(&mut packet(99, &[0, 0, 0, 1])), Err(Malformed::Type(99)));
        // A count that the packet cannot hold.
        assert_eq!(take_reply(&mut packet(104, &[0, 0, 0, 1, 255, 255, 255, 255])), Err(Malformed::Short));
        let mut endless = BytesMut::from(&[255u8; 8][..]);
        assert_eq!(take_reply(&mut endless), Err(Malformed::TooLong(u32::MAX as usize)));
        assert_eq!(take_version(&mut packet(2, &[0, 0, 0, 3, 0, 0, 0, 1, b'x'])), Ok(Some(3)));
        assert_eq!(take_version(&mut packet(101, &[0, 0, 0, 3])), Err(Malformed::Type(101)));
    }

    proptest! {
        /// Lengths and counts are small numbers mostly, so that the bytes behind them are looked at, too.
        #[test]
        fn no_bytes_of_a_server_end_the_program(
            packet_type in 100_u8..=106,
            body in prop::collection::vec(prop_oneof![4 => 0_u8..3, 1 => any::<u8>()], 0..120),
        ) {
            let mut incoming = packet(packet_type, &body);
            incoming.put_slice(b"next");
            let taken = take_reply(&mut incoming);
            prop_assert_ne!(&taken, &Ok(None));
            prop_assert_eq!(incoming.as_ref(), b"next");
        }
    }
}
