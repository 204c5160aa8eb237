//! The parser: what was read of a clone, or answers of a host, in; rows out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use super::answer::{ArchivedLine, RepositoryNote, commits};
use super::clone::{CloneItem, CloneStream, MAGIC};
use super::mailmap::Mailmap;
use super::object;
use super::options::mailmap;
use super::person::RemovedPeople;
use super::project::{Project, number, projects};
use super::record::Commit;
use super::rows::GitWriter;
use crate::dataset::records::RecordPlace;
use crate::dataset::{FailedRecord, ParseError, ParseInput, Parsed, Sink};

/// How packed lines begin.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Commits between two words on how far the parser is.
const SAY_EVERY: u64 = 5_000;

/// Reads a part: the stream of a clone, or packed lines, an answer each.
pub(super) fn parse(input: &ParseInput<'_>, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
    let people = (input.secret.and_then(RemovedPeople::new))
        .ok_or_else(|| unreadable(input, "there is no key under which addresses could be kept"))?;
    let file = File::open(input.path).map_err(|source| failed(input, source))?;
    let mut stream = BufReader::with_capacity(256 << 10, file);
    let mut parser = GitParser {
        input,
        projects: projects(input.options),
        writer: GitWriter::new(&people, input.batch_records),
        people: &people,
        parsed: Parsed::default(),
        ordinal: 0,
        mailmap: Mailmap::default(),
    };
    let begin = stream.fill_buf().map_err(|source| failed(input, source))?;
    if begin.starts_with(&ZSTD) {
        let unpacked = zstd::Decoder::with_buffer(stream).map_err(|source| failed(input, source))?;
        parser
            .answers(BufReader::with_capacity(256 << 10, unpacked.take(input.limits.unpacked_bytes)), sink)?;
    } else if begin.starts_with(MAGIC.as_bytes()) {
        stream.consume(MAGIC.len());
        parser.mailmap = mailmap(input.options)
            .map_err(|error| unreadable(input, &format!("the mailmap cannot be read: {error}")))?;
        parser.clone(stream, sink)?;
    } else {
        return Err(unreadable(input, "it is neither what was read of a clone nor answers of a host"));
    }
    parser.writer.flush(sink)?;
    Ok(parser.parsed)
}

fn failed(input: &ParseInput<'_>, source: io::Error) -> ParseError {
    ParseError::Io { file: input.path.display().to_string(), source }
}

fn unreadable(input: &ParseInput<'_>, reason: &str) -> ParseError {
    ParseError::Unreadable { file: input.path.display().to_string(), reason: reason.to_owned() }
}

struct GitParser<'a> {
    input: &'a ParseInput<'a>,
    projects: Vec<Project>,
    people: &'a RemovedPeople<'a>,
    writer: GitWriter<'a>,
    parsed: Parsed,
    ordinal: u64,
    /// Of a clone.
    mailmap: Mailmap,
}

impl GitParser<'_> {
    fn clone(&mut self, stream: impl BufRead, sink: &mut dyn Sink) -> Result<(), ParseError> {
        let input = self.input;
        let (header, mut stream) = CloneStream::open(stream, input.limits.record_bytes as u64)
            .map_err(|_| unreadable(input, "it does not say of which clone it is"))?;
        let project = self.projects.iter().find(|project| project.is_of(&header.repository)).cloned();
        let repository_id = number(input.options, &header.repository);
        let note = RepositoryNote {
            listed: header.repository.clone(),
            full_name: header.repository,
            state: if header.heads.is_empty() { "empty" } else { "active" }.into(),
            seen_us: header.read_us,
            default_branch: header.default_branch,
            heads: Some(header.heads),
        };
        let place = RecordPlace::new(input.file_no, 0, 0);
        self.writer.repository(place.record_no, repository_id, &note, false, project.as_ref());
        self.parsed.complete = loop {
            let offset_bytes = stream.bytes;
            match stream.next().map_err(|source| failed(input, source))? {
                CloneItem::Object(sha, bytes) => {
                    let mut commit = object::commit(&sha, &bytes);
                    for who in [&mut commit.author, &mut commit.committer] {
                        // A mailmap may give a removed person another name.
                        if !self.people.take_out(who) {
                            self.mailmap.apply(who);
                        }
                    }
                    self.add(repository_id, commit, offset_bytes, sink)?;
                }
                CloneItem::TooLarge(sha, size) => {
                    let reason = format!("the commit has {size} bytes, which is more than any that is read");
                    self.fail(Some(format!("{repository_id}:{sha}")), reason, offset_bytes, sink)?;
                }
                CloneItem::End => break true,
                CloneItem::Broken => break false,
            }
            if self.ordinal.is_multiple_of(SAY_EVERY) {
                sink.progress(self.parsed.records_seen, stream.bytes, 0);
            }
        };
        self.parsed.document_bytes += stream.bytes;
        Ok(())
    }

    fn answers(&mut self, mut lines: impl BufRead, sink: &mut dyn Sink) -> Result<(), ParseError> {
        let mut line = String::new();
        self.parsed.complete = loop {
            line.clear();
            match lines.read_line(&mut line) {
                Ok(0) => break true,
                Ok(_) if line.ends_with('\n') => {}
                // What is damaged, or breaks off: what came before is good.
                Ok(_) | Err(_) => break false,
            }
            let offset_bytes = self.parsed.document_bytes;
            self.parsed.document_bytes += line.len() as u64;
            let Ok(answer) = serde_json::from_str::<ArchivedLine>(&line) else {
                let reason = "a line is not an answer of a host".to_owned();
                self.fail(None, reason, offset_bytes, sink)?;
                continue;
            };
            self.answer(answer, offset_bytes, sink)?;
            sink.progress(self.parsed.records_seen, self.parsed.document_bytes, 0);
        };
        Ok(())
    }

    fn answer(
        &mut self,
        answer: ArchivedLine,
        offset_bytes: u64,
        sink: &mut dyn Sink,
    ) -> Result<(), ParseError> {
        let history = answer.history;
        if let Some(note) = answer.note {
            let is_listed =
                |project: &&Project| project.is_of(&note.full_name) || project.is_of(&note.listed);
            let project = self.projects.iter().find(is_listed).cloned();
            let place = RecordPlace::new(self.input.file_no, self.ordinal, offset_bytes);
            self.writer.repository(place.record_no, history, &note, true, project.as_ref());
            return Ok(());
        }
        let page = (answer.status == 200).then(|| commits(&answer.body)).flatten();
        for commit in page.into_iter().flatten() {
            match commit {
                Ok(commit) => self.add(history, commit, offset_bytes, sink)?,
                Err((sha, why)) => {
                    let record_id = sha.map(|sha| format!("{history}:{sha}"));
                    self.fail(record_id, format!("a commit cannot be read: {why}"), offset_bytes, sink)?;
                }
            }
        }
        Ok(())
    }

    /// Adds a commit, if it is one of those that are wanted.
    fn add(
        &mut self,
        repository_id: i64,
        mut commit: Commit,
        offset_bytes: u64,
        sink: &mut dyn Sink,
    ) -> Result<(), ParseError> {
        if !self.is_wanted() {
            return Ok(());
        }
        let place = RecordPlace::new(self.input.file_no, self.ordinal, offset_bytes);
        for who in [&mut commit.author, &mut commit.committer] {
            self.people.take_out(who);
        }
        Ok(self.writer.commit(place, repository_id, &commit, sink)?)
    }

    fn fail(
        &mut self,
        record_id: Option<String>,
        reason: String,
        offset_bytes: u64,
        sink: &mut dyn Sink,
    ) -> Result<(), ParseError> {
        if !self.is_wanted() {
            return Ok(());
        }
        self.parsed.records_failed += 1;
        let failed = FailedRecord {
            record_id,
            ordinal: self.ordinal,
            offset_bytes,
            reason,
            ..FailedRecord::default()
        };
        Ok(sink.failed(failed)?)
    }

    /// Counts the next record, and says whether it is wanted.
    fn is_wanted(&mut self) -> bool {
        self.ordinal += 1;
        let is_wanted =
            self.input.only_ordinals.is_empty() || self.input.only_ordinals.contains(&self.ordinal);
        self.parsed.records_seen += u64::from(is_wanted);
        is_wanted
    }
}
