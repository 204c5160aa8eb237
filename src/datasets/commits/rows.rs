//! Rows of the tables, gathered and handed on in batches.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Int32Builder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;

use super::answer::RepositoryNote;
use super::email::without_addresses;
use super::message::subject;
use super::person::RemovedPeople;
use super::project::Project;
use super::record::{Commit, Signature};
use super::tables::{COMMITS, PARENTS, REPOSITORIES, TRAILERS};
use super::trailer::trailers;
use crate::dataset::records::{RecordPlace, RecordsWriter};
use crate::dataset::{CellSource, ColumnType, RowBatch, Sink, SinkClosed, Table};

/// A cell of a row.
enum GitCell<'a> {
    Text(Option<&'a str>),
    Int(Option<i32>),
    BigInt(i64),
    Flag(Option<bool>),
    /// Microseconds since 1970.
    Time(Option<i64>),
    Texts(Option<Vec<&'a str>>),
}

enum GitColumn {
    Text(StringBuilder),
    Int(Int32Builder),
    BigInt(Int64Builder),
    Flag(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    Texts(ListBuilder<StringBuilder>),
}

impl GitColumn {
    fn of(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Int => Self::Int(Int32Builder::new()),
            ColumnType::BigInt => Self::BigInt(Int64Builder::new()),
            ColumnType::Boolean => Self::Flag(BooleanBuilder::new()),
            ColumnType::Timestamp => Self::Time(TimestampMicrosecondBuilder::new()),
            ColumnType::TextArray => Self::Texts(ListBuilder::new(StringBuilder::new())),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn add(&mut self, cell: GitCell<'_>) {
        match (self, cell) {
            (Self::Text(texts), GitCell::Text(text)) => texts.append_option(text),
            (Self::Int(numbers), GitCell::Int(number)) => numbers.append_option(number),
            (Self::BigInt(numbers), GitCell::BigInt(number)) => numbers.append_value(number),
            (Self::Flag(flags), GitCell::Flag(flag)) => flags.append_option(flag),
            (Self::Time(times), GitCell::Time(time)) => times.append_option(time),
            (Self::Texts(lists), GitCell::Texts(texts)) => {
                for text in texts.iter().flatten() {
                    lists.values().append_value(text);
                }
                lists.append(texts.is_some());
            }
            _ => unreachable!("a cell is of the kind of its column"),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(texts) => Arc::new(texts.finish()),
            Self::Int(numbers) => Arc::new(numbers.finish()),
            Self::BigInt(numbers) => Arc::new(numbers.finish()),
            Self::Flag(flags) => Arc::new(flags.finish()),
            Self::Time(times) => Arc::new(times.finish()),
            Self::Texts(lists) => Arc::new(lists.finish()),
        }
    }
}

/// Rows of one table.
struct GitTable {
    name: &'static str,
    schema: SchemaRef,
    record_no: Int64Builder,
    columns: Vec<GitColumn>,
    rows: usize,
}

impl GitTable {
    fn new(table: &'static Table) -> Self {
        let parsed = || table.parsed().filter(|column| column.source != CellSource::Enriched);
        let kind = |kind: ColumnType| match kind {
            ColumnType::Int => DataType::Int32,
            ColumnType::BigInt => DataType::Int64,
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            ColumnType::TextArray => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
            _ => DataType::Utf8,
        };
        let fields = parsed().map(|column| Field::new(column.name, kind(column.kind), true));
        let number = Field::new("record_no", DataType::Int64, false);
        Self {
            name: table.name,
            schema: Arc::new(Schema::new(std::iter::once(number).chain(fields).collect::<Vec<_>>())),
            record_no: Int64Builder::new(),
            columns: parsed().map(|column| GitColumn::of(column.kind)).collect(),
            rows: 0,
        }
    }

    fn add<const N: usize>(&mut self, record_no: i64, cells: [GitCell<'_>; N]) {
        debug_assert_eq!(N, self.columns.len(), "{}", self.name);
        self.record_no.append_value(record_no);
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.add(cell);
        }
        self.rows += 1;
    }

    fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), SinkClosed> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let number: ArrayRef = Arc::new(self.record_no.finish());
        let arrays = std::iter::once(number).chain(self.columns.iter_mut().map(GitColumn::finish)).collect();
        let rows = RecordBatch::try_new(self.schema.clone(), arrays);
        sink.rows(RowBatch { table: self.name, rows: rows.expect("every column got one cell a row") })
    }
}

/// Gathers commits and what is said of repositories.
pub(super) struct GitWriter<'a> {
    people: &'a RemovedPeople<'a>,
    commits: GitTable,
    parents: GitTable,
    trailers: GitTable,
    repositories: GitTable,
    records: RecordsWriter,
    batch_records: usize,
}

impl<'a> GitWriter<'a> {
    pub(super) fn new(people: &'a RemovedPeople<'a>, batch_records: usize) -> Self {
        Self {
            people,
            commits: GitTable::new(&COMMITS),
            parents: GitTable::new(&PARENTS),
            trailers: GitTable::new(&TRAILERS),
            repositories: GitTable::new(&REPOSITORIES),
            records: RecordsWriter::default(),
            batch_records,
        }
    }

    /// Adds a commit of a repository.
    ///
    /// # Errors
    /// Where nobody takes it.
    pub(super) fn commit(
        &mut self,
        place: RecordPlace,
        repository_id: i64,
        commit: &Commit,
        sink: &mut dyn Sink,
    ) -> Result<(), SinkClosed> {
        let (sha, record_no) = (commit.sha.as_str(), place.record_no);
        let record_id = format!("{repository_id}:{sha}");
        let key =
            || [GitCell::Text(Some(&record_id)), GitCell::BigInt(repository_id), GitCell::Text(Some(sha))];
        let person = |who: &Signature| (without_addresses(&who.name), self.people.hash(&who.email));
        let ((author, author_hash), (committer, committer_hash)) =
            (person(&commit.author), person(&commit.committer));
        let subject = without_addresses(&subject(&commit.message));
        let notes = commit.notes.join("; ");
        let time = |who: &Signature| GitCell::Time(who.seconds.map(|seconds| seconds * 1_000_000));
        let [id, repository, own] = key();
        self.commits.add(
            record_no,
            [
                id,
                repository,
                own,
                GitCell::Text(Some(&author)),
                GitCell::Text(author_hash.as_deref()),
                time(&commit.author),
                GitCell::Int(commit.author.offset_seconds),
                GitCell::Text(Some(&committer)),
                GitCell::Text(committer_hash.as_deref()),
                time(&commit.committer),
                GitCell::Int(commit.committer.offset_seconds),
                GitCell::Int(commit.committer.seconds.and_then(year)),
                GitCell::Text(Some(&subject)),
                GitCell::Flag(Some(commit.parents.len() > 1)),
                GitCell::Flag(Some(commit.is_bot())),
                GitCell::Flag(commit.is_signed),
                GitCell::Text(Some(notes.as_str()).filter(|notes| !notes.is_empty())),
            ],
        );
        for (parent, position) in commit.parents.iter().zip(0..) {
            let [id, repository, own] = key();
            let cells = [id, repository, own, GitCell::Int(Some(position)), GitCell::Text(Some(parent))];
            self.parents.add(record_no, cells);
        }
        for (trailer, position) in trailers(&commit.message).iter().zip(0..) {
            // A trailer with a person has no value of its own, so that no address is kept in it.
            let person = trailer.person();
            let (name, email) = person.unwrap_or((&trailer.value, ""));
            let (value, name, hash) = match person {
                _ if self.people.is_named(name, email) => (Some("…".to_owned()), None, None),
                Some(_) => (None, Some(without_addresses(name)), self.people.hash(email)),
                None => (Some(without_addresses(name)), None, None),
            };
            let [id, repository, own] = key();
            self.trailers.add(
                record_no,
                [
                    id,
                    repository,
                    own,
                    GitCell::Int(Some(position)),
                    GitCell::Text(Some(trailer.token)),
                    GitCell::Text(value.as_deref()),
                    GitCell::Text(name.as_deref()),
                    GitCell::Text(hash.as_deref()),
                ],
            );
        }
        self.records.live(place, &record_id);
        if self.records.rows() >= self.batch_records {
            self.flush(sink)?;
        }
        Ok(())
    }

    /// Adds what is said of a repository.
    pub(super) fn repository(
        &mut self,
        record_no: i64,
        repository_id: i64,
        note: &RepositoryNote,
        is_named_by_host: bool,
        project: Option<&Project>,
    ) {
        let record_id = repository_id.to_string();
        let column = |of: fn(&(String, String)) -> &str| {
            note.heads.as_ref().map(|heads| heads.iter().map(of).collect::<Vec<_>>())
        };
        // The list has the name of before; the promotion knows by what name we had it.
        let listed = Some(note.listed.as_str()).filter(|listed| !listed.is_empty());
        let moved_from = listed.filter(|listed| !listed.eq_ignore_ascii_case(&note.full_name));
        self.repositories.add(
            record_no,
            [
                GitCell::Text(Some(&record_id)),
                GitCell::BigInt(repository_id),
                GitCell::Text(Some(&note.full_name)),
                GitCell::Text(project.map(|project| project.name.as_str())),
                GitCell::Text(Some(&note.state)),
                GitCell::Time(Some(note.seen_us)),
                GitCell::Time(Some(note.seen_us)),
                GitCell::Text(note.default_branch.as_deref()),
                GitCell::Texts(column(|head| head.0.as_str())),
                GitCell::Texts(column(|head| head.1.as_str())),
                GitCell::Text(moved_from),
                GitCell::Time(moved_from.map(|_| note.seen_us)),
                GitCell::Flag(Some(is_named_by_host)),
            ],
        );
    }

    /// Hands on what is gathered.
    ///
    /// # Errors
    /// Where nobody takes it.
    pub(super) fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), SinkClosed> {
        for table in [&mut self.commits, &mut self.parents, &mut self.trailers, &mut self.repositories] {
            table.flush(sink)?;
        }
        if self.records.rows() > 0 {
            sink.rows(self.records.finish())?;
        }
        Ok(())
    }
}

/// The year, in UTC.
fn year(seconds: i64) -> Option<i32> {
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(i32::from(time.to_zoned(jiff::tz::TimeZone::UTC).year()))
}
