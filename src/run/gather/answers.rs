//! Answers in the archive: written there as they arrive, compressed, and found again.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::asker::Unanswered;
use crate::clients::http::Answering;
use crate::clients::store::{ObjectWriter, Store, Written};
use crate::dataset::asked::{Asked, AskedPart};
use crate::dataset::slice::Slice;
use crate::error::Cause;
use crate::objects::Objects;

/// How many compressed bytes are handed on at once.
const CHUNK: usize = 256 << 10;
/// The largest size of the object that says what an answer was asked for, in bytes.
const ASKED_BYTES: u64 = 1 << 20;
const AT_ONCE: usize = 16;

/// The archive of a dataset that asks.
pub(super) struct Answers<'a> {
    pub asked: &'static Asked,
    pub store: &'a Store,
    pub objects: Objects,
}

impl Answers<'_> {
    /// The answers in the archive. One that is not there any more, has another size, or is outdated, does not count.
    pub(super) async fn known(&self) -> Result<Vec<AskedPart>, Cause> {
        let mut known = self.read(|_| true).await?;
        known.retain(|part| !part.is_outdated);
        if !known.is_empty() {
            let objects = self.store.list_names(&self.objects.archive()).await?;
            let sizes: HashMap<_, _> =
                objects.iter().map(|object| (object.key.as_str(), object.size_bytes)).collect();
            known.retain(|part| sizes.get(self.objects.raw(&part.name).as_str()) == Some(&part.size_bytes));
        }
        Ok(known)
    }

    /// What these parts of the archive were asked for; parts for which that is not recorded are left out.
    pub(super) async fn asked_for(&self, names: &[String]) -> Result<Vec<AskedPart>, Cause> {
        let keys: HashSet<_> = names.iter().map(|name| self.objects.asked_for(name)).collect();
        self.read(|key| keys.contains(key)).await
    }

    /// The contents of the objects whose keys are wanted.
    async fn read(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<AskedPart>, Cause> {
        let mut objects = self.store.list_names(&self.objects.asked()).await?;
        objects.retain(|object| is_wanted(&object.key));
        let mut known = Vec::new();
        for some in objects.chunks(AT_ONCE) {
            let read = some.iter().map(|object| self.store.read_bytes(&object.key, ASKED_BYTES));
            for bytes in try_join_all(read).await? {
                // An object that somebody else put there is ignored.
                known.extend(serde_json::from_slice::<AskedPart>(&bytes).ok());
            }
        }
        Ok(known)
    }

    /// Writes an answer into the archive as it arrives. One that breaks off, or is not valid, leaves nothing there.
    pub(super) async fn keep(&self, slice: &Slice, answer: &mut Answering) -> Result<AskedPart, Unanswered> {
        let asked_at = Timestamp::now();
        let name = (self.asked.part_name)(slice, asked_at);
        let mut packed = self.packed(&name).await.map_err(Unanswered::Failed)?;
        match self.take(answer, &mut packed).await {
            Ok(()) => self.finish((slice, &name, asked_at), packed).await.map_err(Unanswered::Failed),
            Err(miss) => {
                packed.writer.abort().await;
                Err(miss)
            }
        }
    }

    /// Writes an answer without records into the archive, for which no request was needed.
    pub(super) async fn keep_nothing(&self, slice: &Slice) -> Result<AskedPart, Cause> {
        let asked_at = Timestamp::now();
        let name = (self.asked.part_name)(slice, asked_at);
        let mut packed = self.packed(&name).await?;
        packed.add(self.asked.nothing.as_bytes()).await?;
        self.finish((slice, &name, asked_at), packed).await
    }

    async fn packed(&self, name: &str) -> Result<Packed, Cause> {
        let writer = self.store.writer(&self.objects.raw(name)).await?;
        Ok(Packed {
            writer,
            encoder: GzEncoder::new(Vec::new(), Compression::fast()),
            lines: CsvLines::default(),
        })
    }

    async fn take(&self, answer: &mut Answering, packed: &mut Packed) -> Result<(), Unanswered> {
        let again = |why: &str| Unanswered::Again {
            why: format!("the answer {why}"),
            not_before: std::time::Duration::ZERO,
        };
        let (mut begun, mut bytes) = (false, 0_u64);
        while let Some(chunk) = answer.chunk().await? {
            if !begun && !chunk.is_empty() {
                (self.asked.begins)(&chunk).map_err(again)?;
                begun = true;
            }
            bytes += chunk.len() as u64;
            if bytes > self.asked.answer_bytes {
                return Err(again("is too long"));
            }
            packed.add(&chunk).await.map_err(Unanswered::Failed)?;
        }
        match begun {
            true => Ok(()),
            false => Err(again("is empty")),
        }
    }

    /// Makes the answer appear, and then the object that says what it was asked for, without which it does not count.
    async fn finish(
        &self,
        (slice, name, asked_at): (&Slice, &str, Timestamp),
        packed: Packed,
    ) -> Result<AskedPart, Cause> {
        let (written, records) = packed.finish().await?;
        let part = AskedPart {
            name: name.to_owned(),
            slice: slice.clone(),
            records,
            asked_at,
            sha256: written.sha256,
            size_bytes: written.size_bytes,
            is_outdated: false,
            agrees_until: None,
        };
        self.note(&part).await?;
        Ok(part)
    }

    /// Writes what a part was asked for, and what has become known of it.
    pub(super) async fn note(&self, part: &AskedPart) -> Result<(), Cause> {
        let said = serde_json::to_vec(part).expect("a part is made of texts and numbers");
        self.store.upload_bytes(&self.objects.asked_for(&part.name), Bytes::from(said)).await?;
        Ok(())
    }
}

/// An answer on its way into the archive.
struct Packed {
    writer: ObjectWriter,
    encoder: GzEncoder<Vec<u8>>,
    lines: CsvLines,
}

impl Packed {
    async fn add(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        self.lines.count(bytes);
        self.encoder.write_all(bytes).map_err(Cause::io("pack an answer"))?;
        if self.encoder.get_ref().len() >= CHUNK {
            let ready = std::mem::take(self.encoder.get_mut());
            self.writer.write(ready.into()).await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(Written, u64), Cause> {
        let rest = self.encoder.finish().map_err(Cause::io("pack an answer"))?;
        self.writer.write(rest.into()).await?;
        Ok((self.writer.finish().await?, self.lines.records()))
    }
}

/// Counts the records of a CSV as it arrives: its lines except the first. A line break inside quotes does not end a
/// line.
#[derive(Debug, Default)]
struct CsvLines {
    lines: u64,
    is_quoted: bool,
    is_open: bool,
}

impl CsvLines {
    fn count(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'"' => {
                    self.is_quoted = !self.is_quoted;
                    self.is_open = true;
                }
                b'\n' if !self.is_quoted => {
                    self.lines += u64::from(self.is_open);
                    self.is_open = false;
                }
                b'\r' => {}
                _ => self.is_open = true,
            }
        }
    }

    fn records(&self) -> u64 {
        (self.lines + u64::from(self.is_open)).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_whatever_is_in_their_cells() {
        let count = |pieces: &[&str]| {
            let mut lines = CsvLines::default();
            pieces.iter().for_each(|piece| lines.count(piece.as_bytes()));
            lines.records()
        };
        assert_eq!(count(&["a,b\n1,2\n3,4\n"]), 2);
        assert_eq!(count(&["a,b\r\n1,", "2\r\n3,4"]), 2);
        assert_eq!(count(&["a,b\n\"x\ny\",\"say \"\"no\"\"\"\n\n"]), 1);
        assert_eq!(count(&["a,b\n"]), 0);
        assert_eq!(count(&[""]), 0);
    }
}
