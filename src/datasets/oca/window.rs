//! A bounded window on a stream of bytes: what the document's splitter reads through.

use std::io::{self, BufRead, Read};

/// Bytes that the window holds at most; nothing that is looked at in one piece is longer.
const CAPACITY: usize = 256 << 10;

/// A buffered reader that counts, can look ahead, and bounds what is read without a pause.
pub(super) struct Window<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes consumed since the start of the stream.
    position: u64,
    /// Position beyond which [`BufRead::fill_buf`] fails.
    fence: u64,
    at_end: bool,
    fault: Option<io::Error>,
}

impl<R: Read> Window<R> {
    /// A window on the start of a stream.
    pub fn new(source: R) -> Self {
        let buffer = vec![0; CAPACITY].into_boxed_slice();
        Self { source, buffer, start: 0, end: 0, position: 0, fence: u64::MAX, at_end: false, fault: None }
    }

    /// Bytes consumed so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Lets [`BufRead`] read so many bytes from here, then fail.
    pub fn set_fence(&mut self, bytes: u64) {
        self.fence = self.position.saturating_add(bytes);
    }

    /// The stream's own error, if it had one.
    pub fn take_fault(&mut self) -> Option<io::Error> {
        self.fault.take()
    }

    /// What is buffered, at least `least` bytes unless the stream ends before.
    pub fn peek(&mut self, least: usize) -> io::Result<&[u8]> {
        debug_assert!(least <= CAPACITY);
        while self.end - self.start < least && !self.at_end {
            self.fill()?;
        }
        Ok(self.buffered())
    }

    /// What is buffered now.
    pub fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Drops buffered bytes.
    pub fn consume(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.end - self.start);
        self.start += bytes;
        self.position += bytes as u64;
    }

    /// Drops bytes for as long as they are of this kind.
    pub fn skip(&mut self, is_such: fn(u8) -> bool) -> io::Result<()> {
        loop {
            let bytes = self.peek(1)?;
            let count = bytes.iter().take_while(|byte| is_such(**byte)).count();
            if count == 0 {
                return Ok(());
            }
            self.consume(count);
        }
    }

    /// Reads the stream to its end.
    pub fn drain(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.peek(1)?.len();
            if bytes == 0 {
                return Ok(());
            }
            self.consume(bytes);
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        match self.source.read(&mut self.buffer[self.end..]) {
            Ok(0) => self.at_end = true,
            Ok(bytes) => self.end += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let copy = io::Error::new(error.kind(), "the stream failed");
                self.at_end = true;
                self.fault = Some(error);
                return Err(copy);
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Window<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?.read(into)?;
        self.consume(bytes);
        Ok(bytes)
    }
}

impl<R: Read> BufRead for Window<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position >= self.fence {
            return Err(io::Error::other("a tag or text outside the cases is too long"));
        }
        self.peek(1)
    }

    fn consume(&mut self, bytes: usize) {
        Window::consume(self, bytes);
    }
}
