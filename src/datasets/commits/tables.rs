//! The tables of histories, and what is derived of them.

use crate::dataset::derived::{Derived, DerivedKind};
use crate::dataset::{CellSource, Column, ColumnType, Table};
use ColumnType::{BigInt, Boolean, Int, Text, TextArray, Timestamp};

const KEY: Column = Column::new("record_id", Text, CellSource::RecordId);

const fn made(name: &'static str, kind: ColumnType) -> Column {
    Column::new(name, kind, CellSource::Made)
}

const fn table(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, element: "", unique: &[], columns }
}

/// One row a commit of a repository.
pub const COMMITS: Table = table(
    "git_commits",
    &[
        KEY,
        made("repository_id", BigInt),
        made("sha", Text),
        made("author_name", Text),
        made("author_email_hash", Text),
        made("author_time", Timestamp),
        made("author_offset", Int),
        made("committer_name", Text),
        made("committer_email_hash", Text),
        made("committer_time", Timestamp),
        made("committer_offset", Int),
        made("year", Int),
        made("subject", Text),
        made("is_merge", Boolean),
        made("is_bot", Boolean),
        made("is_signed", Boolean),
        made("notes", Text),
        // The promotion says it, of all that it knows.
        Column::new("unreachable_since_run", Text, CellSource::Enriched),
    ],
);

/// One row for each parent of a commit.
pub const PARENTS: Table = table(
    "git_parents",
    &[KEY, made("repository_id", BigInt), made("sha", Text), made("position", Int), made("parent_sha", Text)],
);

/// One row for each trailer of a commit's message.
pub const TRAILERS: Table = table(
    "git_trailers",
    &[
        KEY,
        made("repository_id", BigInt),
        made("sha", Text),
        made("position", Int),
        made("token", Text),
        made("value", Text),
        made("person_name", Text),
        made("person_email_hash", Text),
    ],
);

/// One row a repository; the promotion keeps it.
pub const REPOSITORIES: Table = table(
    "git_repositories",
    &[
        KEY,
        made("repository_id", BigInt),
        made("full_name", Text),
        made("project", Text),
        made("state", Text),
        made("state_since", Timestamp),
        made("seen_at", Timestamp),
        made("default_branch", Text),
        made("head_names", TextArray),
        made("head_shas", TextArray),
        made("moved_from", Text),
        made("moved_at", Timestamp),
        made("is_named_by_host", Boolean),
    ],
);

/// The columns of commits that everybody may read: neither addresses nor their hashes.
pub const PUBLIC: &[&str] = &[
    "repository_id",
    "sha",
    "author_name",
    "author_time",
    "author_offset",
    "committer_name",
    "committer_time",
    "committer_offset",
    "year",
    "subject",
    "is_merge",
    "is_bot",
    "is_signed",
    "unreachable_since_run",
];

/// The columns of repositories that everybody may read.
pub const PUBLIC_REPOSITORIES: &[&str] = &[
    "repository_id",
    "full_name",
    "project",
    "state",
    "state_since",
    "seen_at",
    "default_branch",
    "moved_from",
    "moved_at",
];

/// Who is who: a row for each name and address that commits name, which a person may correct.
const IDENTITIES: Derived = Derived {
    table: table(
        "git_identities",
        &[made("email_hash", Text), made("name", Text), made("person", Text), made("is_bot", Boolean)],
    ),
    kind: DerivedKind::Reference { keys: include_str!("../../../sql/commits/10_identities_keys.pg.sql") },
    make: include_str!("../../../sql/commits/10_identities.pg.sql"),
};

/// Who was taken out: no run brings them back.
const REMOVED: Derived = Derived {
    table: table("git_removed_people", &[made("email_hash", Text)]),
    kind: DerivedKind::Reference { keys: include_str!("../../../sql/commits/10_removed_keys.pg.sql") },
    make: include_str!("../../../sql/commits/10_removed.pg.sql"),
};

/// One row a person, as the identities say it.
const PEOPLE: Derived = Derived {
    table: table(
        "git_people",
        &[
            made("person", Text),
            made("names", TextArray),
            made("is_bot", Boolean),
            made("identities", BigInt),
        ],
    ),
    kind: DerivedKind::View,
    make: include_str!("../../../sql/commits/11_people.pg.sql"),
};

/// One row for each person who wrote a commit together with its author.
const CO_AUTHORS: Derived = Derived {
    table: table(
        "git_co_authors",
        &[made("repository_id", BigInt), made("sha", Text), made("name", Text), made("person", Text)],
    ),
    kind: DerivedKind::View,
    make: include_str!("../../../sql/commits/12_co_authors.pg.sql"),
};

/// What the promotion makes of the tables.
pub const DERIVED: &[Derived] = &[IDENTITIES, REMOVED, PEOPLE, CO_AUTHORS];
