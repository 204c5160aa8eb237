//! What is read of a clone: a stream of its heads and of the commits behind them, as git keeps them.
//!
//! ```text
//! merganser clone 1
//! {"repository":"OWNER/NAME","default_branch":"main","heads":[["main","0123…"]],"read_us":1700000000000000}
//! 0123… 217
//! (217 bytes)
//! end 1
//! ```

use std::io::{self, BufRead, Read};

use serde::Deserialize;

/// How such a stream begins.
pub(super) const MAGIC: &str = "merganser clone 1\n";
/// Few commits are larger. A larger size that a stream announces is not trusted before that much is read.
const LIKELY_BYTES: u64 = 64 << 10;
/// Bytes of a line at most.
const LINE_BYTES: u64 = 64 << 20;

/// What a clone says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct CloneHeader {
    pub repository: String,
    pub default_branch: Option<String>,
    pub heads: Vec<(String, String)>,
    /// When it was read: microseconds since 1970.
    pub read_us: i64,
}

/// Something in a stream.
pub(super) enum CloneItem {
    /// SHA and bytes of a commit.
    Object(String, Vec<u8>),
    /// One that is larger than any that is read: its SHA and size.
    TooLarge(String, u64),
    /// That was all.
    End,
    /// It breaks off, or is no such stream from here on.
    Broken,
}

/// A stream that is read.
pub(super) struct CloneStream<R> {
    stream: R,
    max_bytes: u64,
    /// Bytes that were read.
    pub bytes: u64,
}

impl<R: BufRead> CloneStream<R> {
    /// Reads what stands behind [`MAGIC`]; objects beyond `max_bytes` are left out.
    ///
    /// # Errors
    /// Where the header cannot be read.
    pub(super) fn open(stream: R, max_bytes: u64) -> io::Result<(CloneHeader, Self)> {
        let mut read = Self { stream, max_bytes, bytes: 0 };
        let line = read.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let header = serde_json::from_str(&line).map_err(io::Error::other)?;
        Ok((header, read))
    }

    /// The next commit.
    ///
    /// # Errors
    /// What the system says of the file.
    pub(super) fn next(&mut self) -> io::Result<CloneItem> {
        let Some(line) = self.line()? else { return Ok(CloneItem::Broken) };
        let Some((sha, size)) = line.split_once(' ') else { return Ok(CloneItem::Broken) };
        let Ok(size) = size.parse::<u64>() else { return Ok(CloneItem::Broken) };
        if sha == "end" {
            return Ok(CloneItem::End);
        }
        if size > self.max_bytes {
            let skipped = io::copy(&mut (&mut self.stream).take(size.saturating_add(1)), &mut io::sink())?;
            self.bytes += skipped;
            return Ok(match skipped.checked_sub(1) == Some(size) {
                true => CloneItem::TooLarge(sha.to_owned(), size),
                false => CloneItem::Broken,
            });
        }
        let mut object = Vec::with_capacity(size.min(LIKELY_BYTES) as usize + 1);
        (&mut self.stream).take(size.saturating_add(1)).read_to_end(&mut object)?;
        self.bytes += object.len() as u64;
        Ok(match object.pop() {
            Some(b'\n') if object.len() as u64 == size => CloneItem::Object(sha.to_owned(), object),
            _ => CloneItem::Broken,
        })
    }

    /// A line, without its end; `None`: there is no whole one that is text.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        (&mut self.stream).take(LINE_BYTES).read_until(b'\n', &mut line)?;
        self.bytes += line.len() as u64;
        let is_whole = line.pop() == Some(b'\n');
        Ok(String::from_utf8(line).ok().filter(|_| is_whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "{\"repository\":\"a/b\",\"default_branch\":null,\"heads\":[[\"m\",\"01\"]],\"read_us\":5}\n";

    fn items(text: &str) -> Vec<String> {
        let (header, mut stream) = CloneStream::open(text.as_bytes(), 10).unwrap();
        assert_eq!((header.repository.as_str(), header.heads.len(), header.read_us), ("a/b", 1, 5));
        let mut items = Vec::new();
        loop {
            match stream.next().unwrap() {
                CloneItem::Object(sha, object) => {
                    items.push(format!("{sha} {}", String::from_utf8_lossy(&object)));
                }
                CloneItem::TooLarge(sha, size) => items.push(format!("{sha} of {size}")),
                CloneItem::End => items.push("end".into()),
                CloneItem::Broken => items.push("broken".into()),
            }
            if items.last().is_some_and(|last| last == "end" || last == "broken") {
                return items;
            }
        }
    }

    #[test]
    fn a_stream_is_whole_or_it_is_known_that_it_is_not() {
        let whole = format!("{HEADER}01 3\na\nb\n02 11\n01234567890\nend 2\n");
        assert_eq!(items(&whole), ["01 a\nb", "02 of 11", "end"]);
        for cut in HEADER.len()..whole.len() {
            let items = items(&whole[..cut]);
            assert_eq!(items.last().unwrap(), "broken", "{cut}");
        }
        assert!(CloneStream::open("{}\n".as_bytes(), 10).is_err());
        assert!(CloneStream::open("".as_bytes(), 10).is_err());
    }
}
