use std::io;
use std::time::Duration;

use super::{Cause, Database, END, Failure};
use crate::clients::duckdb::DuckError;
use crate::clients::git::{CloneProblem, GitError};
use crate::clients::postgres::PgError;
use crate::clients::postgres::aws_s3::AwsS3Error;
use crate::clients::sftp::SftpError;
use crate::clients::store::{ObjectPlace, StoreError};
use crate::clients::web::WebError;
use crate::dataset::ParseError;
use crate::datasets::catalog::sample::SheetsSampleError;
use crate::embedded::EmbeddedError;

/// One of each kind.
fn causes() -> Vec<Cause> {
    let lost = || PgError::no_answer("load", Duration::from_secs(60));
    let unclear = AwsS3Error::Unclear { operation: "load".into(), said: "?".into() };
    let unread = StoreError::NotFound {
        at: ObjectPlace { operation: "read", url: "s3://bucket".into() },
        detail: "gone".into(),
        source: None,
    };
    let key = SftpError::PrivateKey { detail: "cannot be read".into(), source: None };
    let short = WebError::Short { at: "https://example.org".into(), came: 1, announced: 2 };
    let clone = GitError::Clone { at: "a".into(), problem: CloneProblem::Missing };
    let refused =
        |hint: Option<&str>| Cause::Refused { message: "it is empty".into(), hint: hint.map(Into::into) };
    let io = |kind| Cause::io("read")(io::Error::from(kind));
    vec![
        lost().into(),
        unclear.into(),
        unread.into(),
        key.into(),
        short.into(),
        clone.into(),
        DuckError::DiskFull { operation: "export".into() }.into(),
        DuckError::OutOfMemory { operation: "export".into() }.into(),
        DuckError::Refused { operation: "export".into(), source: duckdb::Error::InvalidQuery }.into(),
        ParseError::Unreadable { file: "a.zip".into(), reason: "it is empty".into() }.into(),
        EmbeddedError::NotInstalled.into(),
        Cause::Sample(SheetsSampleError::TooMany { errors: 2, projects: 3 }.into()),
        io(io::ErrorKind::StorageFull),
        io(io::ErrorKind::NotFound),
        io(io::ErrorKind::PermissionDenied),
        io(io::ErrorKind::BrokenPipe),
        Cause::usage("no such column"),
        refused(None),
        refused(Some("merganser status")),
        Cause::Record { file: "a.zip".into(), record: "1".into() },
        Cause::DeleteRefused { constraint: "c".into(), table: "t".into(), source: Box::new(lost()) },
        Cause::Locked { dataset: "oca".into(), holder: "somebody".into() },
        Cause::Interrupted,
        Cause::CommitUnknown { source: lost() },
        Cause::Defect { place: "src/a.rs:1:1".into(), message: "no plan".into() },
    ]
}

/// A place for each kind: who adds one adds it to `causes`, too.
fn kind(cause: &Cause) -> usize {
    match cause {
        Cause::Postgres(_) => 0,
        Cause::AwsS3(_) => 1,
        Cause::Store(_) => 2,
        Cause::Sftp(_) => 3,
        Cause::Web(_) => 4,
        Cause::Git(_) => 5,
        Cause::Duck(_) => 6,
        Cause::Parse(_) => 7,
        Cause::Embedded(_) => 8,
        Cause::Sample(_) => 9,
        Cause::Io { .. } => 10,
        Cause::Usage { .. } => 11,
        Cause::Refused { .. } => 12,
        Cause::Record { .. } => 13,
        Cause::DeleteRefused { .. } => 14,
        Cause::Locked { .. } => 15,
        Cause::Interrupted => 16,
        Cause::CommitUnknown { .. } => 17,
        Cause::Defect { .. } => 18,
    }
}

#[test]
fn there_is_an_example_of_each_kind() {
    let mut kinds: Vec<_> = causes().iter().map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, (0..=18).collect::<Vec<_>>());
}

/// Whatever fails: what failed, whether anything changed, and what to type next.
#[test]
fn every_failure_says_what_changed_and_what_is_next() {
    let states = [
        (None, Database::Unchanged),
        (Some("promote"), Database::Committed { batches: 1 }),
        (Some("publish"), Database::Committed { batches: 1 }),
        (Some(END), Database::Committed { batches: 0 }),
        (Some("purge"), Database::Rewritten { objects: 2 }),
        (None, Database::Partitions { in_place: false }),
        (None, Database::GivenUp { in_place: false }),
        (None, Database::Steps { loaded: vec!["catalog"] }),
        (None, Database::BrokenOff),
        (None, Database::Unknown),
    ];
    for (step, database) in states {
        for run_id in [None, Some(uuid::Uuid::nil())] {
            for cause in causes() {
                let failure = Failure { step, run_id, cause: Box::new(cause), database: database.clone() };
                let text = failure.render("run");
                let lines: Vec<_> = text.lines().collect();
                assert!(lines[0].starts_with("error: "), "{text}");
                let told = match database {
                    Database::Unchanged => ["Nothing was done.", "The database is unchanged."].as_slice(),
                    Database::Rewritten { .. } => &["The tables are unchanged; 2 objects"],
                    _ => &["committed"],
                };
                // The event in JSON has these two as its fields.
                let (sentence, hint) = (failure.database_sentence(), failure.hint("run"));
                assert!(told.iter().any(|words| sentence.contains(words)), "{text}");
                assert!(lines.contains(&sentence.as_str()), "{text}");
                assert_eq!(lines.last(), Some(&format!("Next: {hint}").as_str()), "{text}");
                assert!(!hint.is_empty(), "{text}");
            }
        }
    }
}
