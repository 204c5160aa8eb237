//! The SQL of the engine, and the one place where a name or a value becomes part of SQL text.
//!
//! Scripts use psql's own variables, so each runs by hand too: `:"name"` is a quoted identifier,
//! `:'name'` a quoted literal, `:name` text as it is (a list of quoted columns, a number).
//!
//! Statements of a few lines stand together in a file, each under its line `-- part: NAME  (script)`; `part` takes one out.

mod part;
mod render;

use part::part;

pub use render::{
    array_of, assignments, assignments_of, columns, compared, each_statement, gist, identifier, identifiers,
    in_slices, literal, render, slice_values, statements, texts,
};

/// The files that join several parts.
mod file {
    pub const LEDGER_SCHEMA: &str = include_str!("../sql/ledger/schema.pg.sql");
    pub const LEDGER_LOCKS: &str = include_str!("../sql/ledger/locks.pg.sql");
    pub const LEDGER_RUNS: &str = include_str!("../sql/ledger/runs.pg.sql");
    pub const LEDGER_STEPS: &str = include_str!("../sql/ledger/steps.pg.sql");
    pub const LEDGER_PARTS: &str = include_str!("../sql/ledger/parts.pg.sql");
    pub const LEDGER_CHANGES: &str = include_str!("../sql/ledger/changes.pg.sql");
    pub const LEDGER_FAILURES: &str = include_str!("../sql/ledger/failures.pg.sql");
    pub const LEDGER_VIEWS: &str = include_str!("../sql/ledger/views.pg.sql");
    pub const LEDGER_ANSWERS: &str = include_str!("../sql/ledger/answers.pg.sql");
    pub const LOAD: &str = include_str!("../sql/load/load.pg.sql");
    pub const CHECK: &str = include_str!("../sql/check/check.pg.sql");
    pub const SCHEMA: &str = include_str!("../sql/schema/schema.pg.sql");
    pub const AWS_S3: &str = include_str!("../sql/aws_s3/aws_s3.pg.sql");
    pub const SESSION: &str = include_str!("../sql/session/session.pg.sql");
    pub const GOLDEN: &str = include_str!("../sql/golden/golden.pg.sql");
    pub const PURGE: &str = include_str!("../sql/purge/purge.pg.sql");
    pub const IMAGES: &str = include_str!("../sql/undo/images.pg.sql");
    pub const UNDO: &str = include_str!("../sql/undo/undo.pg.sql");
    pub const PUBLISH: &str = include_str!("../sql/publish/publish.pg.sql");
    pub const PUBLISH_PARQUET: &str = include_str!("../sql/publish/parquet.duckdb.sql");
    pub const STAGED: &str = include_str!("../sql/staged/staged.duckdb.sql");
    pub const ENRICHMENT: &str = include_str!("../sql/staged/enrichment.duckdb.sql");
    pub const BACKFILL: &str = include_str!("../sql/backfill/backfill.pg.sql");
    pub const PROMOTE_PREPARE: &str = include_str!("../sql/promote/prepare.pg.sql");
    pub const PROMOTE_MERGE: &str = include_str!("../sql/promote/merge.pg.sql");
    pub const PROMOTE_DERIVE: &str = include_str!("../sql/promote/derive.pg.sql");
    pub const PROMOTE_CHANGES: &str = include_str!("../sql/promote/changes.pg.sql");
    pub const PROMOTE_VERIFY: &str = include_str!("../sql/promote/verify.pg.sql");
    pub const PROMOTE_COMMENTS: &str = include_str!("../sql/promote/comments.pg.sql");
    pub const PROMOTE_READ: &str = include_str!("../sql/promote/read.pg.sql");
    pub const PROMOTE_SLICES: &str = include_str!("../sql/promote/slices.pg.sql");
    pub const REFUSED: &str = include_str!("../sql/refused/refused.pg.sql");
    pub const TRANSFORM_CLAIMS: &str = include_str!("../sql/transform/claims.pg.sql");
    pub const TRANSFORM_FINISHING: &str = include_str!("../sql/transform/finish.pg.sql");
    pub const TRANSFORM_READING: &str = include_str!("../sql/transform/read.pg.sql");
    pub const TRANSFORM_LOOKING: &str = include_str!("../sql/transform/look.pg.sql");
    pub const TRANSFORM_VERSIONS: &str = include_str!("../sql/transform/versions.pg.sql");
    pub const TRANSFORM_SWAPPING: &str = include_str!("../sql/transform/swap.pg.sql");
    pub const TRANSFORM_TESTING: &str = include_str!("../sql/transform/test.pg.sql");
    pub const SUMS: &str = include_str!("../sql/sums/sums.pg.sql");
    pub const SERVE: &str = include_str!("../sql/serve/serve.pg.sql");
    pub const DEMO_TRANSFORM: &str = include_str!("../sql/demo/transform.pg.sql");
    pub const TRANSFORM_BUCKETS: &str = include_str!("../sql/transform/buckets.pg.sql");
    pub const TRANSFORM_BUCKETING: &str = include_str!("../sql/transform/bucketing.duckdb.sql");
    pub const TRANSFORM_CLEANING: &str = include_str!("../sql/transform/clean.duckdb.sql");
}

pub const MIGRATIONS_TABLE: &str = include_str!("../sql/ledger/migrations/table.pg.sql");
/// Numbered migrations of the ledger, in order; append-only.
pub const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_ledger", include_str!("../sql/ledger/migrations/0001_ledger.pg.sql")),
    ("0002_posted", include_str!("../sql/ledger/migrations/0002_posted.pg.sql")),
    ("0003_parts", include_str!("../sql/ledger/migrations/0003_parts.pg.sql")),
    ("0004_answers", include_str!("../sql/ledger/migrations/0004_answers.pg.sql")),
    ("0005_references", include_str!("../sql/ledger/migrations/0005_references.pg.sql")),
    ("0006_asked", include_str!("../sql/ledger/migrations/0006_asked.pg.sql")),
    ("0007_undo", include_str!("../sql/ledger/migrations/0007_undo.pg.sql")),
    ("0008_transform", include_str!("../sql/ledger/migrations/0008_transform.pg.sql")),
    ("0009_suggestions", include_str!("../sql/ledger/migrations/0009_suggestions.pg.sql")),
    ("0010_buckets", include_str!("../sql/ledger/migrations/0010_buckets.pg.sql")),
    ("0011_step_numbers", include_str!("../sql/ledger/migrations/0011_step_numbers.pg.sql")),
    ("0012_earlier_answers", include_str!("../sql/ledger/migrations/0012_earlier_answers.pg.sql")),
];

// The ledger's statements; their parameters are PostgreSQL's own ($1, …).
pub const LEDGER_LOCK: &str = part(file::LEDGER_LOCKS, "lock");
pub const LEDGER_LOCK_RUNS: &str = part(file::LEDGER_LOCKS, "lock_runs");
pub const LEDGER_LOCK_PROMOTION: &str = part(file::LEDGER_LOCKS, "lock_promotion");
pub const LEDGER_FENCE: &str = part(file::LEDGER_LOCKS, "fence");
pub const LEDGER_CONFIRM: &str = part(file::LEDGER_LOCKS, "confirm");
pub const LEDGER_HOLDER: &str = part(file::LEDGER_LOCKS, "holder");
pub const LEDGER_DEAD: &str = part(file::LEDGER_LOCKS, "dead");
pub const LEDGER_QUIET: &str = part(file::LEDGER_RUNS, "quiet");
pub const LEDGER_ABANDON: &str = part(file::LEDGER_RUNS, "abandon");
pub const LEDGER_BEGIN_RUN: &str = part(file::LEDGER_RUNS, "begin_run");
pub const LEDGER_FINISH_RUN: &str = part(file::LEDGER_RUNS, "finish_run");
pub const LEDGER_START_STEP: &str = part(file::LEDGER_STEPS, "start_step");
pub const LEDGER_NOTIFY: &str = part(file::LEDGER_STEPS, "notify");
pub const LEDGER_FINISH_STEP: &str = part(file::LEDGER_STEPS, "finish_step");
pub const LEDGER_FAIL_STEPS: &str = part(file::LEDGER_STEPS, "fail_steps");
pub const LEDGER_MISSING: &str = include_str!("../sql/ledger/missing.pg.sql");
pub const LEDGER_KNOWN_PARTS: &str = include_str!("../sql/ledger/known_parts.pg.sql");
pub const LEDGER_KNOWN_FILES_UNTIL_2: &str = include_str!("../sql/ledger/known_files_until_2.pg.sql");
pub const LEDGER_COMPARED: &str = part(file::LEDGER_PARTS, "compared");
pub const LEDGER_OWN_RUNS: &str = part(file::LEDGER_RUNS, "own_runs");
pub const LEDGER_UNRESOLVED: &str = part(file::LEDGER_FAILURES, "unresolved");
pub const LEDGER_UNREAD: &str = part(file::LEDGER_FAILURES, "unread");
pub const LEDGER_FAILED_RECORD: &str = part(file::LEDGER_FAILURES, "failed_record");
pub const LEDGER_ADD_ARCHIVED: &str = part(file::LEDGER_PARTS, "add_archived");
pub const LEDGER_CLOSED: &str = part(file::LEDGER_PARTS, "closed");
pub const LEDGER_REWRITTEN: &str = part(file::LEDGER_PARTS, "rewritten");
pub const LEDGER_SAVE_PLAN: &str = part(file::LEDGER_PARTS, "save_plan");
pub const LEDGER_SAVED_PLAN: &str = part(file::LEDGER_PARTS, "saved_plan");
pub const LEDGER_CLAIM_REQUEST: &str = part(file::LEDGER_PARTS, "claim_request");
pub const LEDGER_FORGET_PLAN: &str = part(file::LEDGER_PARTS, "forget_plan");
pub const LEDGER_ORDER_KEYS: &str = part(file::LEDGER_PARTS, "order_keys");
pub const LEDGER_UNCOMMITTED: &str = part(file::LEDGER_PARTS, "uncommitted");
pub const LEDGER_ADD_PART: &str = part(file::LEDGER_PARTS, "add_part");
pub const LEDGER_ADOPT_PARTS: &str = part(file::LEDGER_PARTS, "adopt_parts");
pub const LEDGER_PART_PARSED: &str = part(file::LEDGER_PARTS, "part_parsed");
pub const LEDGER_FAILED_AGAIN: &str = part(file::LEDGER_FAILURES, "failed_again");
pub const LEDGER_REMEMBERED: &str = part(file::LEDGER_CHANGES, "remembered");
pub const LEDGER_PUBLISHED: &str = part(file::LEDGER_STEPS, "published");
pub const LEDGER_COMMITTED: &str = part(file::LEDGER_STEPS, "committed");
pub const LEDGER_EXISTS: &str = part(file::LEDGER_SCHEMA, "exists");
pub const LEDGER_OPEN: &str = part(file::LEDGER_FAILURES, "open");
pub const LEDGER_OPEN_OF: &str = part(file::LEDGER_FAILURES, "open_of");
pub const LEDGER_NEW_ELEMENTS: &str = part(file::LEDGER_PARTS, "new_elements");
pub const LEDGER_VIEW_RUNS: &str = part(file::LEDGER_VIEWS, "view_runs");
pub const LEDGER_VIEW_RUN: &str = include_str!("../sql/ledger/view_run.pg.sql");
pub const LEDGER_VIEW_TIMINGS: &str = part(file::LEDGER_VIEWS, "view_timings");
pub const LEDGER_VIEW_PART: &str = part(file::LEDGER_VIEWS, "view_part");
pub const LEDGER_VIEW_FAILURES: &str = part(file::LEDGER_VIEWS, "view_failures");
pub const LEDGER_VIEW_UNREADABLE: &str = part(file::LEDGER_VIEWS, "view_unreadable");
pub const LEDGER_IS_THERE: &str = part(file::LEDGER_VIEWS, "is_there");
pub const LEDGER_VIEW_ORIGIN: &str = part(file::LEDGER_VIEWS, "view_origin");
pub const LEDGER_FIND_RUN: &str = part(file::LEDGER_RUNS, "find_run");
pub const LEDGER_ADD_GUARDS: &str = part(file::LEDGER_CHANGES, "add_guards");
pub const LEDGER_ADD_CHANGES: &str = part(file::LEDGER_CHANGES, "add_changes");
pub const LEDGER_ADD_FAILURES: &str = part(file::LEDGER_FAILURES, "add_failures");
pub const LEDGER_ADD_REFERENCE: &str = include_str!("../sql/ledger/add_reference.pg.sql");
pub const LEDGER_CURRENT_REFERENCE: &str = include_str!("../sql/ledger/current_reference.pg.sql");
pub const LEDGER_SCHEMA_EXISTS: &str = part(file::LEDGER_SCHEMA, "schema_exists");
pub const LEDGER_CREATE_SCHEMA: &str = part(file::LEDGER_SCHEMA, "create_schema");
pub const LEDGER_VERSION: &str = part(file::LEDGER_SCHEMA, "version");
pub const LEDGER_HAS_ANSWERS: &str = part(file::LEDGER_ANSWERS, "has");
pub const LEDGER_KNOWN_ANSWERS: &str = part(file::LEDGER_ANSWERS, "known");
pub const LEDGER_REMEMBER_ANSWERS: &str = part(file::LEDGER_ANSWERS, "remember");
pub const LEDGER_APPLIED: &str = part(file::LEDGER_SCHEMA, "applied");

pub const PROMOTE_SAMPLES: &str = part(file::PROMOTE_CHANGES, "samples");
pub const PURGE_MISSING: &str = part(file::PURGE, "missing");
pub const PURGE_DERIVED: &str = part(file::PURGE, "derived");
pub const PURGE_DERIVED_LEFT: &str = part(file::PURGE, "derived_left");
pub const PURGED: &str = part(file::PURGE, "purged");
pub const PURGE_CHANGE: &str = part(file::PURGE, "change");
pub const GOLDEN_TABLE: &str = part(file::GOLDEN, "table");
pub const GOLDEN_COPY: &str = part(file::GOLDEN, "copy");
pub const GOLDEN_COMPARE: &str = part(file::GOLDEN, "compare");

/// DuckDB; the tables `records` and `failed` are the same in every dataset's staging store.
pub const STAGED_TABLES: &str = part(file::STAGED, "tables");
pub const STAGED_KNOWN: &str = part(file::STAGED, "known");
pub const STAGED_MERGE: &str = part(file::STAGED, "merge");
pub const STAGED_SLICES: &str = part(file::STAGED, "slices");
pub const STAGED_REPLACE: &str = part(file::STAGED, "replace");
pub const STAGED_ALL: &str = part(file::STAGED, "all");
pub const STAGED_ARRAY_LITERAL: &str = part(file::STAGED, "array_literal");
pub const STAGED_RECORDS: &str = part(file::STAGED, "records");
pub const STAGED_QUESTIONS: &str = part(file::ENRICHMENT, "questions");
pub const STAGED_OPEN: &str = part(file::ENRICHMENT, "open");
pub const STAGED_LIVE_RECORDS: &str = part(file::ENRICHMENT, "records");
pub const STAGED_ANSWERS: &str = part(file::ENRICHMENT, "answers");
pub const STAGED_ANSWERED: &str = part(file::ENRICHMENT, "answered");
pub const STAGED_PARQUET: &str = include_str!("../sql/staged/parquet.duckdb.sql");
pub const STAGED_LINKS: &str = include_str!("../sql/staged/links.duckdb.sql");
pub const STAGED_COUNTS: &str = part(file::STAGED, "counts");
pub const STAGED_FAILURES: &str = part(file::STAGED, "failures");

pub const LOAD_RECORDS_TABLE: &str = part(file::LOAD, "records");
pub const LOAD_DROP: &str = part(file::LOAD, "drop");
pub const LOAD_UNLOGGED: &str = part(file::LOAD, "unlogged");
pub const LOAD_COPY: &str = part(file::LOAD, "copy");
pub const LOAD_ANALYZE: &str = part(file::LOAD, "analyze");
pub const LOAD_ANALYZE_STAGED: &str = part(file::LOAD, "analyze_staged");
pub const LOAD_KNOWN: &str = part(file::LOAD, "known");
pub const LOAD_HAS_ROWS: &str = part(file::LOAD, "has_rows");

pub const SERVE_SESSION: &str = part(file::SERVE, "session");
pub const SERVE_LISTEN: &str = part(file::SERVE, "listen");
pub const SERVE_UNREADABLE: &str = part(file::SERVE, "unreadable");
pub const SERVE_MAY_WRITE: &str = part(file::SERVE, "may_write");
pub const SERVE_RUN: &str = part(file::SERVE, "run");
pub const SERVE_PLACES: &str = part(file::SERVE, "places");
pub const SERVE_DAYS: &str = part(file::SERVE, "days");
pub const SERVE_LOADED: &str = part(file::SERVE, "loaded");
pub const SERVE_SUMS: &str = part(file::SERVE, "sums");
pub const SERVE_POINTS: &str = part(file::SERVE, "points");
pub const SERVE_DAY_CELLS: &str = part(file::SERVE, "day_cells");
pub const SERVE_MONTH_CELLS: &str = part(file::SERVE, "month_cells");
pub const SERVE_MONTH_POINTS: &str = part(file::SERVE, "month_points");
pub const SERVE_ATOMS: &str = part(file::SERVE, "atoms");
pub const SERVE_LARGER_ATOMS: &str = part(file::SERVE, "larger_atoms");
pub const SUMS_PASSED_OVER: &str = part(file::SUMS, "passed_over");
pub const SUMS_PLACES_DIFFER: &str = part(file::SUMS, "places_differ");
pub const SUMS_PUT_PLACES: &str = part(file::SUMS, "put_places");
pub const SUMS_COUNTED: &str = part(file::SUMS, "counted");
pub const SUMS_BEGIN: &str = part(file::SUMS, "begin");
pub const SUMS_GONE: &str = part(file::SUMS, "gone");
pub const SUMS_COME: &str = part(file::SUMS, "come");
pub const SUMS_ALL: &str = part(file::SUMS, "all");
pub const SUMS_CLEAR: &str = part(file::SUMS, "clear");
pub const SUMS_CELLS: &str = part(file::SUMS, "cells");
pub const SUMS_APPLY: &str = part(file::SUMS, "apply");
pub const SUMS_ANALYZE: &str = part(file::SUMS, "analyze");
pub const SUMS_BELOW_NOTHING: &str = part(file::SUMS, "below_nothing");
pub const SUMS_DAYS: &str = part(file::SUMS, "days");
pub const SUMS_PIECES: &str = part(file::SUMS, "pieces");

pub const SCHEMA_COLUMNS: &str = include_str!("../sql/schema/columns.pg.sql");
pub const SCHEMA_KEYS: &str = include_str!("../sql/schema/keys.pg.sql");
pub const SCHEMA_DUPLICATES: &str = part(file::SCHEMA, "duplicates");
pub const SCHEMA_ORPHANS: &str = part(file::SCHEMA, "orphans");
pub const SCHEMA_ATTACHED: &str = include_str!("../sql/schema/attached.pg.sql");
pub const SCHEMA_CONSTRAINTS: &str = include_str!("../sql/schema/constraints.pg.sql");
pub const SCHEMA_VIEW: &str = include_str!("../sql/schema/view.pg.sql");
pub const SCHEMA_GRANTS: &str = include_str!("../sql/schema/grants.pg.sql");
pub const SCHEMA_KEYED: &str = part(file::SCHEMA, "keyed");

// The preflight; its parameters are PostgreSQL's own, but for a setting's value.
pub const CHECK_SESSION: &str = part(file::CHECK, "session");
pub const CHECK_SETTINGS: &str = part(file::CHECK, "settings");
pub const CHECK_RIGHTS: &str = include_str!("../sql/check/rights.pg.sql");
pub const CHECK_OWNERS: &str = part(file::CHECK, "owners");
pub const CHECK_SERVER: &str = part(file::CHECK, "server");
pub const CHECK_PUBLICATIONS: &str = include_str!("../sql/check/publications.pg.sql");
pub const CHECK_FOREIGN_KEYS: &str = part(file::CHECK, "foreign_keys");
pub const CHECK_ROW_SECURITY: &str = part(file::CHECK, "row_security");
pub const CHECK_PARTS: &str = include_str!("../sql/check/parts.pg.sql");

/// Their parameters are PostgreSQL's own ($1, …).
pub const AWS_S3_FUNCTIONS: &str = part(file::AWS_S3, "functions");
pub const AWS_S3_IMPORT: &str = part(file::AWS_S3, "import");
pub const AWS_S3_EXPORT: &str = part(file::AWS_S3, "export");

/// Their parameters are PostgreSQL's own ($1, …).
pub const SESSION_END: &str = part(file::SESSION, "end");
pub const SESSION_LOOK: &str = part(file::SESSION, "look");
pub const SESSION_PROGRESS: &str = part(file::SESSION, "progress");
pub const SESSION_WHO: &str = part(file::SESSION, "who");

pub const BACKFILL_OPEN: &str = part(file::BACKFILL, "open");
pub const BACKFILL_NEXT: &str = part(file::BACKFILL, "next");
pub const BACKFILL_UNFINISHED: &str = part(file::BACKFILL, "unfinished");
pub const BACKFILL_TO_FINISH: &str = part(file::BACKFILL, "to_finish");
pub const BACKFILL_COMPLETED: &str = part(file::BACKFILL, "completed");
pub const BACKFILL_ANSWERS: &str = part(file::BACKFILL, "answers");

/// Its parameters are PostgreSQL's own ($1, …).
pub const MAP_RUN: &str = include_str!("../sql/map/run.pg.sql");
pub const REFERENCE_CLEAR: &str = include_str!("../sql/reference/clear.pg.sql");
pub const REFERENCE_COUNT: &str = include_str!("../sql/reference/count.duckdb.sql");
pub const REFERENCE_FAULTS: &str = include_str!("../sql/reference/faults.pg.sql");
pub const REFERENCE_ROWS: &str = include_str!("../sql/reference/rows.pg.sql");
pub const REFERENCE_EXPORT: &str = include_str!("../sql/reference/export.duckdb.sql");

pub const DEMO: &str = include_str!("../sql/demo/rows.pg.sql");
pub const DEMO_COMPANIES: &str = include_str!("../sql/demo/companies.pg.sql");
pub const DEMO_COMPANIES_LOOK: &str = part(file::DEMO_TRANSFORM, "look_at_raw");
pub const DEMO_WORKER: &str = part(file::DEMO_TRANSFORM, "worker");
pub const DEMO_HISTORIES: &str = include_str!("../sql/commits/made_up.pg.sql");
pub const DEMO_RANKS: &str = include_str!("../sql/demo/ranks.pg.sql");
pub const DEMO_SIMILAR: &str = include_str!("../sql/demo/similar.pg.sql");
pub const DEMO_CLEAN: &str = part(file::DEMO_TRANSFORM, "clean");
pub const DEMO_CHANGED: &str = include_str!("../sql/demo/changed.pg.sql");
pub const DEMO_YIELDS: &str = include_str!("../sql/demo/yields.pg.sql");

pub const PUBLISH_NEWEST: &str = part(file::PUBLISH, "newest");
pub const PUBLISH_READ_ONLY: &str = part(file::PUBLISH, "read_only");
pub const PUBLISH_ORDER: &str = part(file::PUBLISH, "order");
pub const PUBLISH_THERE: &str = part(file::PUBLISH, "there");
pub const PUBLISH_DICTIONARY: &str = include_str!("../sql/publish/dictionary.pg.sql");
pub const PUBLISH_COPY: &str = part(file::PUBLISH, "copy");
pub const PUBLISH_COPY_ALL: &str = part(file::PUBLISH, "copy_all");
/// Its parameters are PostgreSQL's own ($1, …).
pub const PUBLISH_TABLES: &str = part(file::PUBLISH, "tables");
pub const PUBLISH_COPY_PARTS: &str = part(file::PUBLISH, "copy_parts");
pub const PUBLISH_COPY_RANGE: &str = part(file::PUBLISH, "copy_range");
pub const PUBLISH_VALUES: &str = part(file::PUBLISH, "values");
pub const PUBLISH_COPY_SLICE: &str = part(file::PUBLISH, "copy_slice");
pub const PUBLISH_COPY_SORTED: &str = part(file::PUBLISH, "copy_sorted");
pub const PUBLISH_DIGITS: &str = part(file::PUBLISH, "digits");
pub const PUBLISH_ARRAY_ELEMENTS: &str = part(file::PUBLISH_PARQUET, "array_elements");
pub const PUBLISH_PARQUET: &str = part(file::PUBLISH_PARQUET, "parquet");
pub const PUBLISH_COUNT: &str = part(file::PUBLISH_PARQUET, "count");
pub const PUBLISH_LOCK: &str = part(file::PUBLISH, "lock");
pub const PUBLISH_EXPORT_SNAPSHOT: &str = part(file::PUBLISH, "export_snapshot");
pub const PUBLISH_IMPORT_SNAPSHOT: &str = part(file::PUBLISH, "import_snapshot");

pub const PROMOTE_STAGED_LOCK: &str = part(file::PROMOTE_PREPARE, "staged_lock");
pub const PROMOTE_STAGED_COUNT: &str = part(file::PROMOTE_PREPARE, "staged_count");
pub const PROMOTE_BEFORE: &str = part(file::PROMOTE_PREPARE, "before");
pub const PROMOTE_IDENTIFY: &str = part(file::PROMOTE_PREPARE, "identify");
pub const PROMOTE_READ_GUARDS: &str = part(file::PROMOTE_READ, "read_guards");
pub const PROMOTE_READ_CHANGES: &str = part(file::PROMOTE_READ, "read_changes");
pub const PROMOTE_READ_RECORDS: &str = part(file::PROMOTE_READ, "read_records");
pub const PROMOTE_BEGIN: &str = part(file::PROMOTE_MERGE, "begin");
pub const PROMOTE_REMOVE: &str = part(file::PROMOTE_MERGE, "remove");
pub const PROMOTE_TAKE: &str = part(file::PROMOTE_MERGE, "take");
pub const PROMOTE_TAKE_PARENT: &str = part(file::PROMOTE_MERGE, "take_parent");
pub const PROMOTE_TAKE_UPDATE: &str = part(file::PROMOTE_MERGE, "take_update");
pub const PROMOTE_PARENT: &str = part(file::PROMOTE_MERGE, "parent");
pub const PROMOTE_PARENT_UPDATE: &str = part(file::PROMOTE_MERGE, "parent_update");
pub const PROMOTE_PARENT_INSERT: &str = part(file::PROMOTE_MERGE, "parent_insert");
pub const PROMOTE_PARENT_COUNTED: &str = part(file::PROMOTE_MERGE, "parent_counted");
pub const PROMOTE_INSERT: &str = part(file::PROMOTE_MERGE, "insert");
pub const PROMOTE_CHANGES: &str = part(file::PROMOTE_CHANGES, "changes");
pub const PROMOTE_WHOLE: &str = part(file::PROMOTE_CHANGES, "whole");
pub const PROMOTE_KEPT: &str = part(file::PROMOTE_CHANGES, "kept");
pub const PROMOTE_COUNTED: &str = part(file::PROMOTE_VERIFY, "counted");
pub const PROMOTE_VERIFY: &str = part(file::PROMOTE_VERIFY, "verify");
pub const PROMOTE_VERIFY_LEDGER: &str = part(file::PROMOTE_VERIFY, "verify_ledger");
pub const PROMOTE_LEDGER: &str = include_str!("../sql/promote/ledger.pg.sql");
pub const PROMOTE_REPLACE: &str = include_str!("../sql/promote/replace.pg.sql");
pub const PROMOTE_REPLACE_ALL: &str = include_str!("../sql/promote/replace_all.pg.sql");
pub const PROMOTE_SLICE_ORIGIN: &str = include_str!("../sql/promote/slice_origin.pg.sql");
pub const PROMOTE_SLICE_TABLES: &str = part(file::PROMOTE_SLICES, "slice_tables");
pub const PROMOTE_SLICE_VALUES: &str = part(file::PROMOTE_SLICES, "slice_values");
pub const PROMOTE_SLICE_PARTS: &str = part(file::PROMOTE_SLICES, "slice_parts");
pub const PROMOTE_SLICE_KNOWN: &str = part(file::PROMOTE_SLICES, "slice_known");
pub const PROMOTE_SLICE_FAILED: &str = part(file::PROMOTE_SLICES, "slice_failed");
pub const PROMOTE_SLICE_DOUBTED: &str = part(file::PROMOTE_SLICES, "slice_doubted");
pub const PROMOTE_SLICE_PLAN: &str = part(file::PROMOTE_SLICES, "slice_plan");
pub const PROMOTE_SLICE_COUNTED: &str = part(file::PROMOTE_SLICES, "slice_counted");
pub const PROMOTE_SLICE_BEFORE: &str = part(file::PROMOTE_SLICES, "slice_before");
pub const PROMOTE_SLICE_IN_DOUBT: &str = part(file::PROMOTE_SLICES, "slice_in_doubt");
pub const PROMOTE_SLICE_NOTE: &str = part(file::PROMOTE_SLICES, "slice_note");
pub const PROMOTE_SLICE_OPEN: &str = part(file::PROMOTE_SLICES, "slice_open");
pub const PROMOTE_SLICE_SETTLE: &str = part(file::PROMOTE_SLICES, "slice_settle");
pub const PROMOTE_DROP_TABLE: &str = part(file::PROMOTE_DERIVE, "drop_table");
pub const PROMOTE_DROP_VIEW: &str = part(file::PROMOTE_DERIVE, "drop_view");
pub const PROMOTE_COMPLETED: &str = part(file::PROMOTE_DERIVE, "completed");
pub const PROMOTE_COMPLETED_TOO: &str = part(file::PROMOTE_DERIVE, "completed_too");
pub const PROMOTE_LEFT_BEHIND: &str = part(file::PROMOTE_DERIVE, "left_behind");
pub const PROMOTE_CLEAR: &str = part(file::PROMOTE_DERIVE, "clear");
pub const PROMOTE_COMMENTS: &str = part(file::PROMOTE_COMMENTS, "differing");
pub const PROMOTE_COMMENTS_BEGIN: &str = part(file::PROMOTE_COMMENTS, "begin");
pub const PROMOTE_COMMENTS_END: &str = part(file::PROMOTE_COMMENTS, "end");
pub const PROMOTE_COMMENTS_GIVE_UP: &str = part(file::PROMOTE_COMMENTS, "give_up");
pub const PROMOTE_GUARDS: &str = include_str!("../sql/promote/guards.pg.sql");
pub const PROMOTE_CONSTRAINTS: &str = part(file::PROMOTE_VERIFY, "constraints");

/// Its parameters are PostgreSQL's own ($1, …), as those of the other statements are.
pub const IMAGES_BEGIN: &str = part(file::IMAGES, "begin");
pub const IMAGES_FITTING: &str = part(file::IMAGES, "fitting");
pub const IMAGES_MAY_MAKE: &str = part(file::IMAGES, "may_make");
pub const IMAGES_ADD: &str = part(file::IMAGES, "add");
pub const IMAGES_MAKE: &str = part(file::IMAGES, "make");
pub const IMAGES_NONE: &str = part(file::IMAGES, "none");
pub const IMAGES_PATCHED: &str = part(file::IMAGES, "patched");
pub const IMAGES_SIZE: &str = part(file::IMAGES, "size");
pub const IMAGES_HELD: &str = part(file::IMAGES, "held");
pub const IMAGES_ALL: &str = part(file::IMAGES, "images");
pub const IMAGES_FORGET: &str = part(file::IMAGES, "forget");
pub const IMAGES_FORGET_RECORDS: &str = part(file::IMAGES, "forget_records");
pub const IMAGES_LEFT: &str = part(file::IMAGES, "left");
pub const IMAGES_EXPIRED: &str = part(file::IMAGES, "expired");
pub const IMAGES_EXPIRE: &str = part(file::IMAGES, "expire");
pub const IMAGES_EXPIRE_RECORDS: &str = part(file::IMAGES, "expire_records");
pub const IMAGES_RECORDS: &str = part(file::IMAGES, "records");
pub const IMAGES_REPLACED: &str = part(file::IMAGES, "replaced");
pub const IMAGES_SLICES_BEFORE: &str = part(file::IMAGES, "slices_before");
pub const IMAGES_SLICES_AFTER: &str = part(file::IMAGES, "slices_after");

pub const UNDO_RUN: &str = part(file::UNDO, "run");
pub const UNDO_NONE_SEALED: &str = part(file::UNDO, "none_sealed");
pub const UNDO_UNDOING: &str = part(file::UNDO, "undoing");
pub const UNDO_BATCHES: &str = part(file::UNDO, "batches");
pub const UNDO_UNDONE: &str = part(file::UNDO, "undone");
pub const UNDO_LATER: &str = part(file::UNDO, "later");
pub const UNDO_IMAGES_THEN: &str = part(file::UNDO, "images_then");
pub const UNDO_ROWS_NOW: &str = part(file::UNDO, "rows_now");
pub const UNDO_CHANGED: &str = part(file::UNDO, "changed");
pub const UNDO_LATER_PARTS: &str = part(file::UNDO, "later_parts");
pub const UNDO_COLUMNS: &str = part(file::UNDO, "columns");
pub const UNDO_STAGE: &str = part(file::UNDO, "stage");
pub const UNDO_STAGE_ROWS: &str = part(file::UNDO, "stage_rows");
pub const UNDO_STAGED: &str = part(file::UNDO, "staged");
pub const UNDO_LOST: &str = part(file::UNDO, "lost");
pub const UNDO_PLAN: &str = part(file::UNDO, "plan");
pub const UNDO_RECORDS: &str = part(file::UNDO, "records");
pub const UNDO_KEPT: &str = part(file::UNDO, "kept");
pub const UNDO_LEDGER: &str = part(file::UNDO, "ledger");
pub const UNDO_COUNTS: &str = part(file::UNDO, "counts");
pub const UNDO_EDITED: &str = part(file::UNDO, "edited");
pub const UNDO_WRITTEN: &str = part(file::UNDO, "written");

pub const REFUSED_BUDGET: &str = part(file::REFUSED, "budget");
pub const REFUSED_OWNER: &str = part(file::REFUSED, "owner");
pub const REFUSED_REFERRED: &str = part(file::REFUSED, "referred");
pub const REFUSED_NUMBERED: &str = part(file::REFUSED, "numbered");
pub const REFUSED_EXPRESSIONS: &str = include_str!("../sql/refused/expressions.pg.sql");
pub const REFUSED_FIND: &str = part(file::REFUSED, "find");
pub const REFUSED_PLAN_SOME: &str = part(file::REFUSED, "plan_some");
pub const REFUSED_REMOVE_PARENTS: &str = part(file::REFUSED, "remove_parents");
pub const REFUSED_INDEX: &str = part(file::REFUSED, "index");
pub const REFUSED_PARENT: &str = part(file::REFUSED, "parent");
pub const REFUSED_CHILD: &str = part(file::REFUSED, "child");
pub const REFUSED_LOOK: &str = part(file::REFUSED, "look");
pub const REFUSED_PLACE: &str = part(file::REFUSED, "place");

pub const TRANSFORM_ENLIST: &str = part(file::TRANSFORM_CLAIMS, "enlist");
pub const TRANSFORM_BEAT: &str = part(file::TRANSFORM_CLAIMS, "beat");
pub const TRANSFORM_HELD: &str = part(file::TRANSFORM_CLAIMS, "held");
pub const TRANSFORM_LEAVE: &str = part(file::TRANSFORM_CLAIMS, "leave");
pub const TRANSFORM_CLAIM: &str = part(file::TRANSFORM_CLAIMS, "claim");
pub const TRANSFORM_MEMBERS: &str = part(file::TRANSFORM_CLAIMS, "members");
pub const TRANSFORM_TAKE_OVER: &str = part(file::TRANSFORM_CLAIMS, "take_over");
pub const TRANSFORM_END_SESSIONS: &str = part(file::TRANSFORM_CLAIMS, "end_sessions");
pub const TRANSFORM_OPEN_GROUPS: &str = part(file::TRANSFORM_CLAIMS, "open_groups");
pub const TRANSFORM_FENCE: &str = part(file::TRANSFORM_FINISHING, "fence");
pub const TRANSFORM_FENCE_VERSION: &str = part(file::TRANSFORM_FINISHING, "fence_version");
pub const TRANSFORM_OUTCOME: &str = part(file::TRANSFORM_FINISHING, "outcome");
pub const TRANSFORM_LOCK_ROWS: &str = part(file::TRANSFORM_FINISHING, "lock_rows");
pub const TRANSFORM_REMOVE: &str = part(file::TRANSFORM_FINISHING, "remove");
pub const TRANSFORM_WRITE: &str = part(file::TRANSFORM_FINISHING, "write");
pub const TRANSFORM_KEPT: &str = part(file::TRANSFORM_FINISHING, "kept");
pub const TRANSFORM_PARTITIONS_DONE: &str = part(file::TRANSFORM_FINISHING, "partitions");
pub const TRANSFORM_GROUP_DONE: &str = part(file::TRANSFORM_FINISHING, "done");
pub const TRANSFORM_GROUP_FAILED: &str = part(file::TRANSFORM_FINISHING, "failed");
pub const TRANSFORM_GROUP_SPLIT: &str = part(file::TRANSFORM_FINISHING, "split");
pub const TRANSFORM_PUT_OFF: &str = part(file::TRANSFORM_FINISHING, "put_off");
pub const TRANSFORM_JOIN: &str = part(file::TRANSFORM_FINISHING, "join");
pub const TRANSFORM_READ_BY_KEY: &str = part(file::TRANSFORM_READING, "by_key");
pub const TRANSFORM_READ_BY_PAGES: &str = part(file::TRANSFORM_READING, "by_pages");
pub const TRANSFORM_RELATION: &str = part(file::TRANSFORM_LOOKING, "relation");
pub const TRANSFORM_COLUMNS: &str = part(file::TRANSFORM_LOOKING, "columns");
pub const TRANSFORM_KEY: &str = part(file::TRANSFORM_LOOKING, "key");
pub const TRANSFORM_PARTITIONS: &str = part(file::TRANSFORM_LOOKING, "partitions");
pub const TRANSFORM_BY_KEY_ALONE: &str = part(file::TRANSFORM_LOOKING, "by_key_alone");
pub const TRANSFORM_BY_KEY_ALWAYS: &str = part(file::TRANSFORM_LOOKING, "by_key_always");
pub const TRANSFORM_PAGES: &str = part(file::TRANSFORM_LOOKING, "pages");
pub const TRANSFORM_CHANGES: &str = part(file::TRANSFORM_LOOKING, "changes");
pub const TRANSFORM_OBSTACLES: &str = part(file::TRANSFORM_LOOKING, "obstacles");
pub const TRANSFORM_OBSTACLES_IN_PLACE: &str = part(file::TRANSFORM_LOOKING, "obstacles_in_place");
pub const TRANSFORM_RIGHTS: &str = part(file::TRANSFORM_LOOKING, "rights");
pub const TRANSFORM_LOCK_JOB: &str = part(file::TRANSFORM_VERSIONS, "lock_job");
pub const TRANSFORM_NEWEST: &str = part(file::TRANSFORM_VERSIONS, "newest");
pub const TRANSFORM_KNOWN: &str = part(file::TRANSFORM_VERSIONS, "known");
pub const TRANSFORM_GOES_ON: &str = part(file::TRANSFORM_VERSIONS, "goes_on");
pub const TRANSFORM_IS_OURS: &str = part(file::TRANSFORM_VERSIONS, "is_ours");
pub const TRANSFORM_TABLE: &str = part(file::TRANSFORM_VERSIONS, "table");
pub const TRANSFORM_NOTE_TABLE: &str = part(file::TRANSFORM_VERSIONS, "note_table");
pub const TRANSFORM_OTHER_JOB: &str = part(file::TRANSFORM_VERSIONS, "other_job");
pub const TRANSFORM_SHARED: &str = part(file::TRANSFORM_VERSIONS, "shared");
pub const TRANSFORM_OVERWRITTEN: &str = part(file::TRANSFORM_VERSIONS, "overwritten");
pub const TRANSFORM_SUPERSEDE: &str = part(file::TRANSFORM_VERSIONS, "supersede");
pub const TRANSFORM_BEGIN: &str = part(file::TRANSFORM_VERSIONS, "begin");
pub const TRANSFORM_ADD_GROUPS: &str = part(file::TRANSFORM_VERSIONS, "add_groups");
pub const TRANSFORM_ADD_PARTITIONS: &str = part(file::TRANSFORM_VERSIONS, "add_partitions");
pub const TRANSFORM_LOOK_AT_PLAN: &str = part(file::TRANSFORM_VERSIONS, "look_at_plan");
pub const TRANSFORM_SET_STATE: &str = part(file::TRANSFORM_VERSIONS, "set_state");
pub const TRANSFORM_MAKERS: &str = part(file::TRANSFORM_VERSIONS, "makers");
pub const TRANSFORM_GIVE_UP: &str = part(file::TRANSFORM_VERSIONS, "give_up");
pub const TRANSFORM_FORGET_OLD: &str = part(file::TRANSFORM_VERSIONS, "forget_old");
pub const TRANSFORM_STATUS: &str = include_str!("../sql/transform/status.pg.sql");
pub const TRANSFORM_RETRY: &str = part(file::TRANSFORM_VERSIONS, "retry");
pub const TRANSFORM_WHOLE_AGAIN: &str = part(file::TRANSFORM_VERSIONS, "whole_again");
pub const TRANSFORM_MEMBERS_AGAIN: &str = part(file::TRANSFORM_VERSIONS, "members_again");
pub const TRANSFORM_GROUPS_AGAIN: &str = part(file::TRANSFORM_VERSIONS, "groups_again");
pub const TRANSFORM_CHANGED: &str = part(file::TRANSFORM_VERSIONS, "changed");
pub const TRANSFORM_SWAPPED: &str = part(file::TRANSFORM_VERSIONS, "swapped");
pub const TRANSFORM_COUNTED: &str = part(file::TRANSFORM_SWAPPING, "counted");
pub const TRANSFORM_NOW: &str = part(file::TRANSFORM_SWAPPING, "now");
pub const TRANSFORM_READERS: &str = part(file::TRANSFORM_SWAPPING, "readers");
pub const TRANSFORM_VIEWS: &str = part(file::TRANSFORM_SWAPPING, "views");
pub const TRANSFORM_CARRIED: &str = part(file::TRANSFORM_SWAPPING, "carried");
pub const TRANSFORM_LOCK_VERSION: &str = part(file::TRANSFORM_SWAPPING, "lock_version");
pub const TRANSFORM_LOCK_TABLE: &str = part(file::TRANSFORM_SWAPPING, "lock_table");
pub const TRANSFORM_HOLDERS: &str = part(file::TRANSFORM_SWAPPING, "holders");
pub const TRANSFORM_RENAME: &str = part(file::TRANSFORM_SWAPPING, "rename");
pub const TRANSFORM_DROP_VIEW: &str = part(file::TRANSFORM_SWAPPING, "drop_view");
pub const TRANSFORM_COMMENT_VIEW: &str = part(file::TRANSFORM_SWAPPING, "comment_view");
pub const TRANSFORM_LEFTOVERS: &str = part(file::TRANSFORM_SWAPPING, "leftovers");
pub const TRANSFORM_WHOLE: &str = part(file::TRANSFORM_SWAPPING, "whole");
pub const TRANSFORM_LOOK_AT_ROWS: &str = part(file::TRANSFORM_SWAPPING, "look_at_rows");
pub const TRANSFORM_LEFT_TABLES: &str = part(file::TRANSFORM_SWAPPING, "left_tables");
pub const TRANSFORM_DROP_TABLE: &str = part(file::TRANSFORM_SWAPPING, "drop_table");
pub const TRANSFORM_LAG: &str = part(file::TRANSFORM_SWAPPING, "lag");
pub const TRANSFORM_TRUTH_TABLE: &str = part(file::TRANSFORM_TESTING, "truth_table");
pub const TRANSFORM_TRUTH_COPY: &str = part(file::TRANSFORM_TESTING, "truth_copy");
pub const TRANSFORM_CELLS: &str = part(file::TRANSFORM_TESTING, "cells");
pub const BUCKETS_RANGE: &str = part(file::TRANSFORM_BUCKETS, "range");
pub const BUCKETS_CLAIM_NEAR: &str = part(file::TRANSFORM_BUCKETS, "claim_near");
pub const BUCKETS_ADD_FILES: &str = part(file::TRANSFORM_BUCKETS, "add_files");
pub const BUCKETS_SKIPPED: &str = part(file::TRANSFORM_BUCKETS, "skipped");
pub const BUCKETS_FILES: &str = part(file::TRANSFORM_BUCKETS, "files");
pub const BUCKETS_GAPS: &str = part(file::TRANSFORM_BUCKETS, "gaps");
pub const BUCKETS_FILLED: &str = part(file::TRANSFORM_BUCKETS, "filled");
pub const BUCKETS_PLACE: &str = part(file::TRANSFORM_BUCKETS, "place");
pub const BUCKETS_LEFT: &str = part(file::TRANSFORM_BUCKETS, "left");
pub const BUCKETS_REMOVED: &str = part(file::TRANSFORM_BUCKETS, "removed");
pub const BUCKETS_RANGE_TABLE: &str = part(file::TRANSFORM_BUCKETING, "range");
pub const BUCKETS_SORTED: &str = part(file::TRANSFORM_BUCKETING, "sorted");
pub const BUCKETS_COUNTS: &str = part(file::TRANSFORM_BUCKETING, "counts");
pub const BUCKETS_FILE: &str = part(file::TRANSFORM_BUCKETING, "file");
pub const BUCKETS_WHOLE: &str = part(file::TRANSFORM_BUCKETING, "whole");
pub const BUCKETS_COUNTED: &str = part(file::TRANSFORM_BUCKETING, "counted");
pub const BUCKETS_PARTITIONS: &str = part(file::TRANSFORM_BUCKETING, "partitions");
pub const TRANSFORM_PLACES: &str = part(file::TRANSFORM_CLEANING, "places");
pub const TRANSFORM_RAW: &str = part(file::TRANSFORM_CLEANING, "raw");
pub const TRANSFORM_CLEANED: &str = part(file::TRANSFORM_CLEANING, "cleaned");
pub const TRANSFORM_CLEAN: &str = part(file::TRANSFORM_CLEANING, "clean");
