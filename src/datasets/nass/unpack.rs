//! Unpacks a file on a separate thread, so that reading lines need not wait for unpacking.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use flate2::bufread::MultiGzDecoder;

/// The bytes of a piece, and how many pieces may wait to be read.
const PIECE_BYTES: usize = 256 << 10;
const PIECES: usize = 4;

/// The unpacked bytes of a file. The thread ends when this is dropped.
pub(super) struct Unpacking {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    /// The bytes of the piece that were read.
    read: usize,
    /// The thread has reported the end. If it disappears without that report, the data is incomplete.
    is_over: bool,
}

impl Unpacking {
    /// Starts to unpack.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn begin(packed: impl BufRead + Send + 'static) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(PIECES);
        thread::Builder::new().name("unpack".into()).spawn(move || unpack(packed, &sender))?;
        Ok(Self { pieces, piece: Vec::new(), read: 0, is_over: false })
    }
}

/// Sends the pieces, and an empty one after the last; stops when nobody reads them any more. Damaged data ends with its error.
fn unpack(packed: impl BufRead, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let mut unpacked = MultiGzDecoder::new(packed);
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let read = (&mut unpacked).take(PIECE_BYTES as u64).read_to_end(&mut piece);
        let is_over = piece.is_empty() || read.is_err();
        let is_sent = piece.is_empty() && read.is_err() || sender.send(Ok(piece)).is_ok();
        if let (Err(error), true) = (read, is_sent) {
            // A reader that is gone needs no error.
            let _ = sender.send(Err(error));
        }
        if is_over || !is_sent {
            return;
        }
    }
}

impl Read for Unpacking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let some = self.fill_buf()?;
        let bytes = some.len().min(into.len());
        into[..bytes].copy_from_slice(&some[..bytes]);
        self.consume(bytes);
        Ok(bytes)
    }
}

impl BufRead for Unpacking {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read >= self.piece.len() && !self.is_over {
            self.read = 0;
            self.piece.clear();
            let gone = |_| io::Error::other("unpacking ended before the file did");
            self.piece = self.pieces.recv().map_err(gone)??;
            self.is_over = self.piece.is_empty();
        }
        Ok(&self.piece[self.read..])
    }

    fn consume(&mut self, bytes: usize) {
        self.read += bytes;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn all_comes_out_and_what_breaks_off_is_an_error_behind_what_came() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
        let whole = packed(&bytes);
        let mut out = Vec::new();
        Unpacking::begin(Cursor::new(whole.clone())).unwrap().read_to_end(&mut out).unwrap();
        assert!(out == bytes);
        out.clear();
        let half = whole[..whole.len() / 2].to_vec();
        let error = Unpacking::begin(Cursor::new(half)).unwrap().read_to_end(&mut out);
        assert!(error.is_err() && !out.is_empty() && bytes.starts_with(&out));
        // The reader is dropped before the end.
        let mut first = [0; 10];
        Unpacking::begin(Cursor::new(whole)).unwrap().read_exact(&mut first).unwrap();
        assert_eq!(first, bytes[..10]);
        let mut none = Vec::new();
        Unpacking::begin(Cursor::new(packed(b""))).unwrap().read_to_end(&mut none).unwrap();
        assert!(none.is_empty());
    }

    /// Some bytes, then a panic.
    struct Panicking(Cursor<Vec<u8>>);

    impl Read for Panicking {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0.read(into)? {
                0 => panic!("as a fault in the decoder would"),
                read => Ok(read),
            }
        }
    }

    #[test]
    fn a_thread_that_is_gone_without_a_word_is_no_end_of_a_file() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
        let whole = packed(&bytes);
        let half = Panicking(Cursor::new(whole[..whole.len() / 2].to_vec()));
        let error = Unpacking::begin(io::BufReader::new(half)).unwrap().read_to_end(&mut Vec::new());
        assert_eq!(error.unwrap_err().to_string(), "unpacking ended before the file did");
    }
}
