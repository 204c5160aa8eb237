//! Answers in the archive: while a run asks, each is a compressed object of its own; at its end they are joined. Joined
//! parts are closed: nothing is written to them any more, and the ledger has their checksums.

use std::collections::HashSet;
use std::io::{self, Read as _};

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::clients::store::{ObjectInfo, Store};
use crate::dataset::asked::AskedPart;
use crate::dataset::slice::Slice;
use crate::dataset::walked::{HistoryFeed, WalkAnswer};
use crate::error::Cause;
use crate::fault;
use crate::ledger::ArchivedPart;
use crate::objects::Objects;
use crate::run::context::{Context, RunContext};

/// The largest compressed answer, in bytes.
const ANSWER_BYTES: u64 = 64 << 20;
/// The approximate size of a closed part, in bytes.
const CLOSED_BYTES: u64 = 32 << 20;
const LEVEL: i32 = 3;

/// The archive of a service's answers.
pub(super) struct WalkAnswers<'a> {
    pub context: &'a RunContext,
    pub walked: &'static HistoryFeed,
    pub source: String,
}

/// An answer that waits to be joined to others.
struct OpenAnswer {
    key: String,
    history: i64,
    at_us: i64,
    size_bytes: u64,
}

/// An answer as a line.
pub(super) fn line(history: i64, url: &str, answer: &WalkAnswer, body: &[u8]) -> String {
    let head = json!({
        "history": history,
        "url": url,
        "status": answer.status,
        "etag": answer.etag,
        "link": answer.link,
        "fetched_at": answer.at.to_string(),
    });
    // The body is kept as it came, except that line breaks become blanks: in JSON they are never part of a string.
    let body = std::str::from_utf8(body).ok().filter(|_| !answer.body.is_null()).unwrap_or("null");
    let body: String = body.chars().map(|c| if c == '\n' || c == '\r' { ' ' } else { c }).collect();
    let head = head.to_string();
    format!("{},\"body\":{body}}}\n", head.trim_end_matches('}'))
}

/// A note of ours as a line.
pub(super) fn note_line(history: i64, note: &serde_json::Value) -> String {
    format!("{}\n", json!({ "history": history, "note": note, "fetched_at": Timestamp::now().to_string() }))
}

/// Compresses lines for the archive.
///
/// # Errors
/// Only an error of the compression library, such as too little memory.
pub fn packed(text: &str) -> Result<Vec<u8>, Cause> {
    zstd::encode_all(text.as_bytes(), LEVEL).map_err(Cause::io("pack an answer"))
}

/// Decompresses lines of the archive.
///
/// # Errors
/// Fails if the data is damaged.
pub fn unpacked(packed: &[u8]) -> io::Result<String> {
    let mut text = String::new();
    zstd::Decoder::new(packed)?.read_to_string(&mut text)?;
    Ok(text)
}

/// The keys of all answers in the archive, and the names of those that are closed parts.
///
/// # Errors
/// Any error of the store.
pub async fn answers_of(context: &Context) -> Result<Vec<(String, Option<String>)>, Cause> {
    let mut keys = Vec::new();
    for ObjectInfo { key, .. } in context.store.list_names(&context.objects().archive()).await? {
        let name = key.rsplit('/').next().unwrap_or_default().to_owned();
        if (context.dataset().file_name)(&name).is_some() {
            keys.push((key, Some(name)));
        }
    }
    let open = context.store.list_names(&context.objects().opened()).await?;
    keys.extend(open.into_iter().map(|object| (object.key, None)));
    Ok(keys)
}

impl WalkAnswers<'_> {
    fn store(&self) -> &Store {
        &self.context.store
    }

    fn objects(&self) -> Objects {
        self.context.objects()
    }

    /// Writes a line to the archive. It is there, complete, when this succeeds.
    pub(super) async fn keep(&self, history: i64, line: &str) -> Result<(), Cause> {
        let packed = packed(line)?;
        let key = self.objects().open(history, Timestamp::now().as_microsecond());
        self.store().upload_bytes(&key, Bytes::from(packed)).await?;
        fault::point!("walk.archived");
        Ok(())
    }

    async fn open(&self) -> Result<Vec<OpenAnswer>, Cause> {
        let objects = self.store().list_names(&self.objects().opened()).await?;
        let open = objects.into_iter().filter_map(|ObjectInfo { key, size_bytes, .. }| {
            let (history, at_us) = self.objects().open_of(&key)?;
            Some(OpenAnswer { key, history, at_us, size_bytes })
        });
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|answer| (answer.history, answer.at_us));
        Ok(open)
    }

    /// The lines that no run has promoted: open ones, and those of closed parts that are not done.
    pub(super) async fn unpromoted(&self, mut each: impl FnMut(&str)) -> Result<(), Cause> {
        let known = self.context.ledger.known_parts().await?;
        let done: HashSet<_> = known
            .iter()
            .filter(|known| known.is_done || known.is_undone)
            .map(|known| known.name.as_str())
            .collect();
        let archived = self.store().list_names(&self.objects().archive()).await?;
        let mut keys = Vec::new();
        for object in archived {
            let name = object.key.rsplit('/').next().unwrap_or_default().to_owned();
            let is_ours = (self.context.dataset().file_name)(&name).is_some();
            if is_ours && !done.contains(name.as_str()) {
                keys.push(object.key);
            }
        }
        keys.extend(self.open().await?.into_iter().map(|answer| answer.key));
        for key in keys {
            let packed = self.store().read_bytes(&key, ANSWER_BYTES + CLOSED_BYTES).await?;
            match unpacked(&packed) {
                Ok(text) => text.lines().for_each(&mut each),
                // Loading it will report the error; its content is asked for again.
                Err(_) => tracing::warn!(run_id = %self.context.run_id, "{key} cannot be read"),
            }
        }
        Ok(())
    }

    /// Joins the open answers of each history, split by the day of fetching and by size. A run that is killed meanwhile
    /// may leave an answer twice, which does no harm.
    pub(super) async fn close(&self) -> Result<usize, Cause> {
        let mut closed = 0;
        let open = self.open().await?;
        let now = Timestamp::now();
        let mut rest = &open[..];
        while let Some(first) = rest.first() {
            let (these, others) = rest.split_at(together(rest));
            self.join(these, (self.walked.part_name)(first.history, now, closed)).await?;
            closed += 1;
            rest = others;
        }
        Ok(closed)
    }

    async fn join(&self, answers: &[OpenAnswer], name: String) -> Result<(), Cause> {
        let mut writer = self.store().writer(&self.objects().raw(&name)).await?;
        for answer in answers {
            // Concatenated compressed texts are a valid compressed text.
            let packed = match self.store().read_bytes(&answer.key, ANSWER_BYTES).await {
                Ok(packed) => packed,
                Err(error) => {
                    writer.abort().await;
                    return Err(error.into());
                }
            };
            writer.write(packed).await?;
        }
        let written = writer.finish().await?;
        fault::point!("walk.joined");
        let meaning = (self.context.dataset().file_name)(&name);
        let part = AskedPart {
            slice: Slice::default(),
            records: answers.len() as u64,
            asked_at: Timestamp::now(),
            sha256: written.sha256,
            size_bytes: written.size_bytes,
            name,
            is_outdated: false,
            agrees_until: None,
        };
        let archived = ArchivedPart {
            part: &part,
            source: &self.source,
            as_of: None,
            order_key: meaning.as_ref().map_or("", |meaning| meaning.order_key.as_str()),
        };
        self.context.ledger.add_archived(&archived).await?;
        for answer in answers {
            self.store().delete(&answer.key).await?;
        }
        Ok(())
    }
}

/// How many of these belong together, from the first on: answers of one history and day that are not too large for one part.
fn together(answers: &[OpenAnswer]) -> usize {
    let (mut bytes, first) = (0, answers.first());
    let is_together = |answer: &&OpenAnswer| {
        let fits = bytes == 0 || bytes + answer.size_bytes <= CLOSED_BYTES;
        bytes += answer.size_bytes;
        let is_like =
            |first: &OpenAnswer| answer.history == first.history && day(answer.at_us) == day(first.at_us);
        fits && first.is_some_and(is_like)
    };
    answers.iter().take_while(is_together).count()
}

fn day(at_us: i64) -> Option<jiff::civil::Date> {
    Some(Timestamp::from_microsecond(at_us).ok()?.to_zoned(TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_split_by_history_by_the_day_of_fetching_and_by_size() {
        const DAY: i64 = 24 * 3600 * 1_000_000;
        let answer = |(history, at_us, size_bytes): (i64, i64, u64)| OpenAnswer {
            key: String::new(),
            history,
            at_us,
            size_bytes,
        };
        let open = [
            (1, 5, 10),
            (1, DAY - 1, 10),
            (1, DAY, 10),
            (1, DAY + 1, CLOSED_BYTES - 10),
            (1, DAY + 2, 1),
            (2, DAY + 3, CLOSED_BYTES + 1),
            (2, DAY + 4, 1),
        ];
        let open: Vec<_> = open.map(answer).into();
        let (mut rest, mut parts) = (&open[..], Vec::new());
        while !rest.is_empty() {
            parts.push(together(rest));
            rest = &rest[together(rest)..];
        }
        assert_eq!(parts, [2, 2, 1, 1, 1], "an answer that is larger than a part is one alone");
    }

    #[test]
    fn a_line_has_the_body_as_it_came() {
        let answer = WalkAnswer {
            status: 200,
            etag: Some("W/\"x\"".into()),
            link: None,
            body: json!([1]),
            at: Timestamp::UNIX_EPOCH,
        };
        let line = line(7, "/x?y=1", &answer, b"[1,\n {\"a\": 2}]");
        assert_eq!(line.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&read["history"], &read["body"]), (&json!(7), &json!([1, {"a": 2}])));
        assert_eq!((&read["url"], &read["fetched_at"]), (&json!("/x?y=1"), &json!("1970-01-01T00:00:00Z")));
        let none = super::line(7, "/x", &WalkAnswer { body: serde_json::Value::Null, ..answer }, b"<html>");
        assert!(none.ends_with("\"body\":null}\n"), "{none}");
    }
}
