//! The SQL of the engine, and the one place where a name or a value becomes part of SQL text.
//!
//! Scripts use psql's own variables, so each runs by hand too: `:"name"` is a quoted identifier,
//! `:'name'` a quoted literal, `:name` text as it is (a list of quoted columns, a number).

use crate::dataset::{ColumnType, Dataset, Table};

pub const MIGRATIONS_TABLE: &str = include_str!("../sql/ledger/migrations/table.pg.sql");
/// Numbered migrations of the ledger, in order; append-only.
pub const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_ledger", include_str!("../sql/ledger/migrations/0001_ledger.pg.sql")),
    ("0002_posted", include_str!("../sql/ledger/migrations/0002_posted.pg.sql")),
    ("0003_parts", include_str!("../sql/ledger/migrations/0003_parts.pg.sql")),
];

// The ledger's statements; their parameters are PostgreSQL's own ($1, …).
pub const LEDGER_LOCK: &str = include_str!("../sql/ledger/lock.pg.sql");
pub const LEDGER_LOCK_RUNS: &str = include_str!("../sql/ledger/lock_runs.pg.sql");
pub const LEDGER_LOCK_PROMOTION: &str = include_str!("../sql/ledger/lock_promotion.pg.sql");
pub const LEDGER_FENCE: &str = include_str!("../sql/ledger/fence.pg.sql");
pub const LEDGER_CONFIRM: &str = include_str!("../sql/ledger/confirm.pg.sql");
pub const LEDGER_HOLDER: &str = include_str!("../sql/ledger/holder.pg.sql");
pub const LEDGER_ABANDON: &str = include_str!("../sql/ledger/abandon.pg.sql");
pub const LEDGER_BEGIN_RUN: &str = include_str!("../sql/ledger/begin_run.pg.sql");
pub const LEDGER_FINISH_RUN: &str = include_str!("../sql/ledger/finish_run.pg.sql");
pub const LEDGER_START_STEP: &str = include_str!("../sql/ledger/start_step.pg.sql");
pub const LEDGER_FINISH_STEP: &str = include_str!("../sql/ledger/finish_step.pg.sql");
pub const LEDGER_FAIL_STEPS: &str = include_str!("../sql/ledger/fail_steps.pg.sql");
pub const LEDGER_KNOWN_PARTS: &str = include_str!("../sql/ledger/known_parts.pg.sql");
pub const LEDGER_KNOWN_FILES_UNTIL_2: &str = include_str!("../sql/ledger/known_files_until_2.pg.sql");
pub const LEDGER_COMPARED: &str = include_str!("../sql/ledger/compared.pg.sql");
pub const LEDGER_OWN_RUNS: &str = include_str!("../sql/ledger/own_runs.pg.sql");
pub const LEDGER_UNRESOLVED: &str = include_str!("../sql/ledger/unresolved.pg.sql");
pub const LEDGER_FAILED_RECORD: &str = include_str!("../sql/ledger/failed_record.pg.sql");
pub const LEDGER_ADD_PART: &str = include_str!("../sql/ledger/add_part.pg.sql");
pub const LEDGER_ADOPT_PARTS: &str = include_str!("../sql/ledger/adopt_parts.pg.sql");
pub const LEDGER_PART_PARSED: &str = include_str!("../sql/ledger/part_parsed.pg.sql");
pub const LEDGER_FAILED_AGAIN: &str = include_str!("../sql/ledger/failed_again.pg.sql");
pub const LEDGER_REMEMBERED: &str = include_str!("../sql/ledger/remembered.pg.sql");
pub const LEDGER_PUBLISHED: &str = include_str!("../sql/ledger/published.pg.sql");
pub const LEDGER_COMMITTED: &str = include_str!("../sql/ledger/committed.pg.sql");
pub const LEDGER_EXISTS: &str = include_str!("../sql/ledger/exists.pg.sql");
pub const LEDGER_OPEN: &str = include_str!("../sql/ledger/open.pg.sql");
pub const LEDGER_NEW_ELEMENTS: &str = include_str!("../sql/ledger/new_elements.pg.sql");
pub const LEDGER_VIEW_RUNS: &str = include_str!("../sql/ledger/view_runs.pg.sql");
pub const LEDGER_VIEW_RUN: &str = include_str!("../sql/ledger/view_run.pg.sql");
pub const LEDGER_VIEW_TIMINGS: &str = include_str!("../sql/ledger/view_timings.pg.sql");
pub const LEDGER_VIEW_PART: &str = include_str!("../sql/ledger/view_part.pg.sql");
pub const LEDGER_VIEW_FAILURES: &str = include_str!("../sql/ledger/view_failures.pg.sql");
pub const LEDGER_VIEW_ORIGIN: &str = include_str!("../sql/ledger/view_origin.pg.sql");
pub const LEDGER_FIND_RUN: &str = include_str!("../sql/ledger/find_run.pg.sql");
pub const LEDGER_ADD_GUARDS: &str = include_str!("../sql/ledger/add_guards.pg.sql");
pub const LEDGER_ADD_CHANGES: &str = include_str!("../sql/ledger/add_changes.pg.sql");
pub const LEDGER_ADD_FAILURES: &str = include_str!("../sql/ledger/add_failures.pg.sql");
pub const LEDGER_SCHEMA_EXISTS: &str = include_str!("../sql/ledger/schema_exists.pg.sql");
pub const LEDGER_CREATE_SCHEMA: &str = include_str!("../sql/ledger/create_schema.pg.sql");
pub const LEDGER_VERSION: &str = include_str!("../sql/ledger/version.pg.sql");
pub const LEDGER_APPLIED: &str = include_str!("../sql/ledger/applied.pg.sql");

pub const PROMOTE_SAMPLES: &str = include_str!("../sql/promote/samples.pg.sql");
pub const PURGE_MISSING: &str = include_str!("../sql/purge/missing.pg.sql");
pub const PURGE_DERIVED: &str = include_str!("../sql/purge/derived.pg.sql");
pub const PURGE_DERIVED_LEFT: &str = include_str!("../sql/purge/derived_left.pg.sql");
pub const PURGED: &str = include_str!("../sql/purge/purged.pg.sql");
pub const PURGE_CHANGE: &str = include_str!("../sql/purge/change.pg.sql");
pub const GOLDEN_TABLE: &str = include_str!("../sql/golden/1_table.pg.sql");
pub const GOLDEN_COPY: &str = include_str!("../sql/golden/2_copy.pg.sql");
pub const GOLDEN_COMPARE: &str = include_str!("../sql/golden/3_compare.pg.sql");

/// DuckDB; the tables `records` and `failed` are the same in every dataset's staging store.
pub const STAGED_TABLES: &str = include_str!("../sql/staged/1_tables.duckdb.sql");
pub const STAGED_MERGE: &str = include_str!("../sql/staged/2_merge.duckdb.sql");
pub const STAGED_REPLACE: &str = include_str!("../sql/staged/2_replace.duckdb.sql");
pub const STAGED_ARRAY_LITERAL: &str = include_str!("../sql/staged/3_array_literal.duckdb.sql");
pub const STAGED_RECORDS: &str = include_str!("../sql/staged/4_records.duckdb.sql");
pub const STAGED_COUNTS: &str = include_str!("../sql/staged/counts.duckdb.sql");
pub const STAGED_FAILURES: &str = include_str!("../sql/staged/failures.duckdb.sql");

pub const LOAD_RECORDS_TABLE: &str = include_str!("../sql/load/1_records.pg.sql");
pub const LOAD_DROP: &str = include_str!("../sql/load/0_drop.pg.sql");
pub const LOAD_UNLOGGED: &str = include_str!("../sql/load/2_unlogged.pg.sql");
pub const LOAD_COPY: &str = include_str!("../sql/load/3_copy.pg.sql");
pub const LOAD_ANALYZE: &str = include_str!("../sql/load/4_analyze.pg.sql");
pub const LOAD_HAS_ROWS: &str = include_str!("../sql/load/6_has_rows.pg.sql");

pub const SCHEMA_COLUMNS: &str = include_str!("../sql/schema/1_columns.pg.sql");
pub const SCHEMA_KEYS: &str = include_str!("../sql/schema/2_keys.pg.sql");
pub const SCHEMA_DUPLICATES: &str = include_str!("../sql/schema/3_duplicates.pg.sql");
pub const SCHEMA_ORPHANS: &str = include_str!("../sql/schema/4_orphans.pg.sql");
pub const SCHEMA_ATTACHED: &str = include_str!("../sql/schema/5_attached.pg.sql");
pub const SCHEMA_CONSTRAINTS: &str = include_str!("../sql/schema/6_constraints.pg.sql");
pub const SCHEMA_KEYED: &str = include_str!("../sql/schema/7_keyed.pg.sql");
pub const SCHEMA_VIEW: &str = include_str!("../sql/schema/8_view.pg.sql");
pub const SCHEMA_GRANTS: &str = include_str!("../sql/schema/9_grants.pg.sql");

// The preflight; its parameters are PostgreSQL's own, but for a setting's value.
pub const CHECK_SESSION: &str = include_str!("../sql/check/1_session.pg.sql");
pub const CHECK_SETTINGS: &str = include_str!("../sql/check/2_settings.pg.sql");
pub const CHECK_RIGHTS: &str = include_str!("../sql/check/3_rights.pg.sql");
pub const CHECK_OWNERS: &str = include_str!("../sql/check/4_owners.pg.sql");
pub const CHECK_SERVER: &str = include_str!("../sql/check/5_server.pg.sql");
pub const CHECK_PUBLICATIONS: &str = include_str!("../sql/check/6_publications.pg.sql");
pub const CHECK_FOREIGN_KEYS: &str = include_str!("../sql/check/7_foreign_keys.pg.sql");
pub const CHECK_ROW_SECURITY: &str = include_str!("../sql/check/9_row_security.pg.sql");
pub const CHECK_PARTS: &str = include_str!("../sql/check/8_parts.pg.sql");

/// Their parameters are PostgreSQL's own ($1, …).
pub const AWS_S3_FUNCTIONS: &str = include_str!("../sql/aws_s3/0_functions.pg.sql");
pub const AWS_S3_IMPORT: &str = include_str!("../sql/aws_s3/1_import.pg.sql");
pub const AWS_S3_EXPORT: &str = include_str!("../sql/aws_s3/2_export.pg.sql");

/// Their parameters are PostgreSQL's own ($1, …).
pub const SESSION_END: &str = include_str!("../sql/session/end.pg.sql");
pub const SESSION_LOOK: &str = include_str!("../sql/session/look.pg.sql");
pub const SESSION_WHO: &str = include_str!("../sql/session/who.pg.sql");

pub const DEMO: &str = include_str!("../sql/demo/rows.pg.sql");

pub const PUBLISH_NEWEST: &str = include_str!("../sql/publish/newest.pg.sql");
pub const PUBLISH_ORDER: &str = include_str!("../sql/publish/order.pg.sql");
pub const PUBLISH_COPY: &str = include_str!("../sql/publish/copy.pg.sql");
pub const PUBLISH_COPY_ALL: &str = include_str!("../sql/publish/copy_all.pg.sql");
/// Its parameters are PostgreSQL's own ($1, …).
pub const PUBLISH_PARTS: &str = include_str!("../sql/publish/parts.pg.sql");
/// Its parameters are PostgreSQL's own ($1, …).
pub const PUBLISH_THERE: &str = include_str!("../sql/publish/there.pg.sql");
pub const PUBLISH_DICTIONARY: &str = include_str!("../sql/publish/dictionary.pg.sql");
pub const PUBLISH_COPY_PARTS: &str = include_str!("../sql/publish/copy_parts.pg.sql");

pub const PROMOTE_STAGED_LOCK: &str = include_str!("../sql/promote/staged_lock.pg.sql");
pub const PROMOTE_STAGED_COUNT: &str = include_str!("../sql/promote/staged_count.pg.sql");
pub const PROMOTE_BEFORE: &str = include_str!("../sql/promote/0_before.pg.sql");
pub const PROMOTE_IDENTIFY: &str = include_str!("../sql/promote/0_identify.pg.sql");
pub const PROMOTE_READ_GUARDS: &str = include_str!("../sql/promote/9_read_guards.pg.sql");
pub const PROMOTE_READ_CHANGES: &str = include_str!("../sql/promote/7_read_changes.pg.sql");
pub const PROMOTE_READ_RECORDS: &str = include_str!("../sql/promote/8_read_records.pg.sql");
pub const PROMOTE_BEGIN: &str = include_str!("../sql/promote/1_begin.pg.sql");
pub const PROMOTE_REMOVE: &str = include_str!("../sql/promote/2_remove.pg.sql");
pub const PROMOTE_PARENT: &str = include_str!("../sql/promote/3_parent.pg.sql");
pub const PROMOTE_PARENT_UPDATE: &str = include_str!("../sql/promote/3_update.pg.sql");
pub const PROMOTE_PARENT_INSERT: &str = include_str!("../sql/promote/3_insert.pg.sql");
pub const PROMOTE_PARENT_COUNTED: &str = include_str!("../sql/promote/3_counted.pg.sql");
pub const PROMOTE_INSERT: &str = include_str!("../sql/promote/4_insert.pg.sql");
pub const PROMOTE_CHANGES: &str = include_str!("../sql/promote/5_changes.pg.sql");
pub const PROMOTE_WHOLE: &str = include_str!("../sql/promote/5_whole.pg.sql");
pub const PROMOTE_KEPT: &str = include_str!("../sql/promote/5_kept.pg.sql");
pub const PROMOTE_COUNTED: &str = include_str!("../sql/promote/7_counted.pg.sql");
pub const PROMOTE_VERIFY: &str = include_str!("../sql/promote/7_verify.pg.sql");
pub const PROMOTE_VERIFY_LEDGER: &str = include_str!("../sql/promote/7_verify_ledger.pg.sql");
pub const PROMOTE_LEDGER: &str = include_str!("../sql/promote/6_ledger.pg.sql");
pub const PROMOTE_REPLACE: &str = include_str!("../sql/promote/replace.pg.sql");
pub const PROMOTE_SLICE_ORIGIN: &str = include_str!("../sql/promote/slice_origin.pg.sql");
pub const PROMOTE_GUARDS: &str = include_str!("../sql/promote/guards.pg.sql");
pub const PROMOTE_DROP_TABLE: &str = include_str!("../sql/promote/drop_table.pg.sql");
pub const PROMOTE_DROP_VIEW: &str = include_str!("../sql/promote/drop_view.pg.sql");
/// Its parameters are PostgreSQL's own ($1, …).
pub const PROMOTE_COMMENTS: &str = include_str!("../sql/promote/8_comments.pg.sql");
pub const PROMOTE_CONSTRAINTS: &str = include_str!("../sql/promote/constraints.pg.sql");

pub const REFUSED_BUDGET: &str = include_str!("../sql/refused/1_budget.pg.sql");
pub const REFUSED_OWNER: &str = include_str!("../sql/refused/2_owner.pg.sql");
pub const REFUSED_REFERRED: &str = include_str!("../sql/refused/3_referred.pg.sql");
pub const REFUSED_NUMBERED: &str = include_str!("../sql/refused/4_numbered.pg.sql");
pub const REFUSED_EXPRESSIONS: &str = include_str!("../sql/refused/5_expressions.pg.sql");
pub const REFUSED_FIND: &str = include_str!("../sql/refused/6_find.pg.sql");
pub const REFUSED_PLAN_SOME: &str = include_str!("../sql/refused/7_plan_some.pg.sql");
pub const REFUSED_REMOVE_PARENTS: &str = include_str!("../sql/refused/8_remove_parents.pg.sql");
pub const REFUSED_INDEX: &str = include_str!("../sql/refused/9_index.pg.sql");
pub const REFUSED_PARENT: &str = include_str!("../sql/refused/10_parent.pg.sql");
pub const REFUSED_CHILD: &str = include_str!("../sql/refused/11_child.pg.sql");
pub const REFUSED_LOOK: &str = include_str!("../sql/refused/12_look.pg.sql");
pub const REFUSED_PLACE: &str = include_str!("../sql/refused/13_place.pg.sql");

/// A name as a quoted SQL identifier, for PostgreSQL and DuckDB alike.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as an SQL literal, for PostgreSQL (with `standard_conforming_strings`) and DuckDB alike.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The staged columns of a table as a list of identifiers.
pub fn columns(table: &Table) -> String {
    table.staged().map(|c| identifier(c.name)).collect::<Vec<_>>().join(", ")
}

/// `column = staged.column` for each staged column of a table but `key`.
pub fn assignments(table: &Table, key: &str) -> String {
    table
        .staged()
        .filter(|c| c.name != key)
        .map(|c| format!("{0} = staged.{0}", identifier(c.name)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The staged columns of a table as texts, each compared byte by byte: 1.5 is not 1.50, and no collation or domain of a
/// column's own has a say.
pub fn texts(table: &Table) -> String {
    let column = |name: &str| format!("{}::text collate \"C\"", identifier(name));
    table.staged().map(|c| column(c.name)).collect::<Vec<_>>().join(", ")
}

/// The staged columns of a table, to compare rows by: texts byte by byte, whatever the collation of a column is.
pub fn compared(table: &Table) -> String {
    let column = |name: &str, kind: ColumnType| match kind {
        ColumnType::Text | ColumnType::TextArray => format!("{0} collate \"C\" as {0}", identifier(name)),
        _ => identifier(name),
    };
    table.staged().map(|c| column(c.name, c.kind)).collect::<Vec<_>>().join(", ")
}

/// What asks for the newest day of which a dataset's production tells: one row and column, a date as text or null.
pub fn newest(dataset: &Dataset, schema: &str, ledger: &str) -> String {
    let variables = [("schema", schema), ("ledger", ledger), ("dataset", dataset.name)];
    render(dataset.scripts.newest.unwrap_or(PUBLISH_NEWEST), &variables)
}

/// A script with its variables put in, as psql would: not inside literals, quoted identifiers, comments or
/// dollar-quoted bodies, and `::` is a cast.
///
/// # Panics
/// When the script names a variable that is not given: our own scripts are tested for it.
pub fn render(script: &str, variables: &[(&str, &str)]) -> String {
    let value = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
            .unwrap_or_else(|| panic!("the script needs the variable {name}"))
    };
    let mut out = String::with_capacity(script.len() + 256);
    let mut rest = script;
    while let Some(at) = rest.find([':', '\'', '"', '-', '$']) {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let skip = match tail.as_bytes() {
            [b'-', b'-', ..] => tail.find('\n').unwrap_or(tail.len()),
            [b'\'', ..] => quoted_end(tail, '\''),
            [b'"', ..] => quoted_end(tail, '"'),
            [b'$', b'$', ..] => tail[2..].find("$$").map_or(tail.len(), |end| end + 4),
            [b':', b':', ..] => 2,
            [b':', quote @ (b'"' | b'\''), ..] => {
                let quote = *quote as char;
                let end = 1 + quoted_end(&tail[1..], quote);
                let text = value(&tail[2..end - 1]);
                out.push_str(&if quote == '"' { identifier(text) } else { literal(text) });
                rest = &tail[end..];
                continue;
            }
            [b':', first, ..] if first.is_ascii_lowercase() => {
                let end = tail[1..]
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .map_or(tail.len(), |end| end + 1);
                out.push_str(value(&tail[1..end]));
                rest = &tail[end..];
                continue;
            }
            _ => 1,
        };
        out.push_str(&tail[..skip]);
        rest = &tail[skip..];
    }
    out.push_str(rest);
    out
}

/// The statements of one of our own scripts: each ends in a `;` at the end of a line, and nothing else has one there.
pub fn statements(script: &str) -> impl Iterator<Item = &str> {
    script.split_inclusive(";\n").filter(|statement| !statement.trim().is_empty())
}

/// Where a quoted text that opens `text` ends; a doubled quote reads as the end and the next start.
fn quoted_end(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_as_psql_does() {
        let script =
            "-- :\"no\" :'no'\nselect ':no', \":no\", a::text, :'lit', :\"id\".:\"id\", :raw, $$ :no $$";
        let text = render(script, &[("lit", "it's"), ("id", "a\"b"), ("raw", "1, 2")]);
        assert_eq!(
            text,
            "-- :\"no\" :'no'\nselect ':no', \":no\", a::text, 'it''s', \"a\"\"b\".\"a\"\"b\", 1, 2, $$ :no $$"
        );
    }

    #[test]
    fn a_name_cannot_break_out_of_its_quotes() {
        assert_eq!(identifier("x\"; drop table y; --"), "\"x\"\"; drop table y; --\"");
        assert_eq!(literal("x'; drop table y; --"), "'x''; drop table y; --'");
    }
}
