//! Every SQL file, and every part of one that joins several, says what it takes, and runs as its header says: a script by
//! psql with its variables, a statement by `prepare`, and what DuckDB takes in its library. So a person can run what the
//! program runs.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use merganser::clients::duckdb::{DuckError, DuckLimits, Staging};
use merganser::dataset::reference::ReferenceColumn;
use merganser::datasets::oca::OCA;
use merganser::sql;

use crate::support::postgres;

mod pieces;

use pieces::{Piece, pieces};

#[test]
fn every_header_says_purpose_engine_inputs_and_outputs() {
    for piece in pieces() {
        let keys: Vec<_> = piece.header.keys().map(String::as_str).collect();
        assert_eq!(keys, ["Engine", "Inputs", "Outputs", "Purpose"], "{}", piece.name);
        if piece.is_postgres() {
            assert!(piece.is_script() != piece.is_statement(), "{}: {}", piece.name, piece.header["Engine"]);
        }
        let said = &piece.header["Inputs"];
        for input in piece.inputs() {
            let named = [input.clone(), format!(":\"{}\"", &input[1..]), format!(":'{}'", &input[1..])];
            assert!(
                named.iter().any(|name| said.contains(name)),
                "{}: its inputs do not name {input}",
                piece.name
            );
            let is_parameter = input.starts_with('$');
            assert!(!is_parameter || piece.is_statement(), "{} has {input} and is no statement", piece.name);
        }
    }
}

#[test]
fn no_file_and_no_part_is_without_a_use() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut used = fs::read_to_string(src.join("sql.rs")).unwrap();
    for dataset in fs::read_dir(src.join("datasets")).unwrap().flatten().filter(|entry| entry.path().is_dir())
    {
        for file in fs::read_dir(dataset.path()).unwrap().flatten() {
            used += &fs::read_to_string(file.path()).unwrap_or_default();
        }
    }
    let mut names = BTreeSet::new();
    for piece in pieces() {
        let included = used.lines().find(|line| line.contains(&format!("sql/{}\"", piece.file)));
        let included = included.unwrap_or_else(|| panic!("{} is never included", piece.file));
        if let Some((_, part)) = piece.name.split_once(':') {
            let (_, constant) = included.split_once("const ").unwrap();
            let (constant, _) = constant.split_once(':').unwrap();
            let call = format!("part(file::{constant}, \"{part}\")");
            assert!(used.contains(&call), "nothing takes {} with {call}", piece.name);
        }
        assert!(names.insert(piece.name.clone()), "{} is there twice", piece.name);
    }
}

/// The names that the scripts are run with here.
const VARIABLES: &[(&str, &str)] = &[
    ("schema", "by_hand"),
    ("ledger", "by_hand_etl"),
    ("staging", "by_hand_staging"),
    ("key", "indexnumberid"),
    ("dataset", "oca"),
    ("hashes", "{}"),
    ("names", "{}"),
    ("name_hashes", "{}"),
    ("removed_names", "{}"),
    ("record", "case"),
    ("records", "oca_records"),
    ("is_replaced", "false"),
    ("is_sliced", "false"),
    ("is_together", "false"),
    ("as_of", "2026-10-01"),
    ("is_undo", "false"),
    ("had", "had_rows"),
    ("touched_no", "rows_no"),
    ("keeps_images", "true"),
    ("overriding", ""),
    ("keeps_deleted", "false"),
    ("images", "by_hand_etl"),
    ("before_oca_metadata", "before_oca_metadata"),
    ("undo_no", "1"),
    ("image", "before_oca_index"),
    ("in_slices", "false"),
    ("in_doubt", "false"),
    ("slice_rows", "null"),
    ("kept", "oca_metadata"),
    ("run_id", "00000000-0000-7000-8000-000000000000"),
    ("batch", "1"),
    ("overwrite_newer", "false"),
    ("allow", ""),
    ("allowed_by", "nobody"),
    ("feed_days", "60"),
    ("max_drop_percent", "10"),
    ("max_drop_rows", "10"),
    ("max_failures_percent", "5"),
    ("max_failures_records", "10"),
    ("limit_ms", "10000"),
    ("parent", "oca_index"),
    ("kms_key", ""),
    ("source", "by_hand_staging"),
    ("into", "by_hand"),
    ("dictionary", "[{\"table\": \"oca_index\", \"column\": null, \"about\": \"a case\"}]"),
    ("remembered", "null::bigint"),
    ("rows_before", "0"),
    ("staged", "0"),
    ("updated", "0"),
    ("inserted", "0"),
    ("removed", "0"),
    ("compared", "indexnumberid"),
    ("max_deletes_percent", "10"),
    ("max_deletes_records", "9"),
    ("first", "1"),
    ("end", "2"),
    ("limit", "10"),
    ("conditions", "(1, false)"),
    ("enrichment", "geocode"),
    ("ways", "[]"),
    ("since", ""),
    ("fields", "street1, street2, city, state, postalcode"),
    ("geocode_required", "90"),
    ("tables", "by_hand.oca_index, by_hand.oca_events"),
    ("nowait", "nowait"),
    ("from_tid", "(0,0)"),
    ("to_tid", "(1024,0)"),
    ("header", "true"),
    ("column", "primaryclaimtotal"),
    ("is_value", "= 1"),
    ("order", "indexnumberid"),
    ("key_type", "text"),
    ("keys", "{a}"),
    ("with_null", "true"),
    ("condition", "(true)"),
    ("expressions", "indexnumberid, xmin::text::bigint"),
    ("written", "xmin::text::bigint"),
    ("first_page", "0"),
    ("end_page", "1"),
    ("comment", "a view"),
    ("version_id", "00000000-0000-7000-8000-000000000000"),
    ("before_datapoint_places", "before_datapoint_places"),
    ("places", "oca_filing_places"),
    ("place_days", "oca_filing_place_days"),
    ("zone_days", "oca_filing_zone_days"),
    ("days", "oca_filing_days"),
    ("atoms", "oca_filing_atoms"),
    ("place_months", "datapoint_place_months"),
    ("zone_months", "datapoint_zone_months"),
    ("earlier_days", "364"),
    ("newest", "2026-10-01"),
    ("sign", "1"),
];

/// What psql is given: the lines of a session.
struct Session(String);

impl Session {
    fn set(&mut self, name: &str, value: &str) {
        self.0 += &format!("\\set {name} '{}'\n", value.replace('\'', "''"));
    }

    /// A script, for a table.
    fn script(&mut self, text: &str, table: &str) {
        self.set("table", table);
        let known = OCA.tables.iter().find(|known| known.name == table);
        if let Some(table) = known {
            let texts: Vec<_> =
                table.columns.iter().map(|c| format!("{}::text", sql::identifier(c.name))).collect();
            self.set("columns", &sql::columns(table));
            self.set("assignments", &sql::assignments(table, "indexnumberid"));
            self.set("texts", &texts.join(", "));
        }
        self.0 += text.trim_end();
        if !text.trim_end().ends_with(';') {
            self.0 += ";";
        }
        self.0 += "\n";
        if text.contains("from stdin") {
            self.0 += "\\.\n";
        }
    }
}

/// In the order in which a run takes them, on empty tables. What is not here is a statement of its own.
#[tokio::test]
async fn each_file_and_part_runs_as_its_header_says() {
    let pieces = pieces();
    let text = |name: &str| {
        let piece = pieces.iter().find(|piece| piece.name == name);
        piece.unwrap_or_else(|| panic!("no {name}")).text.clone()
    };
    let mut ran: BTreeSet<String> = BTreeSet::new();
    let mut session =
        Session(String::from("\\set ON_ERROR_STOP on\nset search_path = pg_catalog, pg_temp;\n"));
    for (name, value) in VARIABLES {
        session.set(name, value);
    }
    let mut run = |session: &mut Session, name: &str, table: &str| {
        session.0 += &format!("\\echo {name} {table}\n");
        session.script(&text(name), table);
        ran.insert(name.to_owned());
    };
    for schema in ["by_hand", "by_hand_etl", "by_hand_staging"] {
        session.set("name", schema);
        run(&mut session, "ledger/schema:create_schema", "");
    }
    run(&mut session, "ledger/migrations/table.pg.sql", "");
    for piece in pieces.iter().filter(|piece| piece.name.starts_with("ledger/migrations/0")) {
        run(&mut session, &piece.name, "");
    }
    session.0 += "begin;\n";
    run(&mut session, "oca/4_tables.pg.sql", "");
    run(&mut session, "oca/5_keys.pg.sql", "");
    run(&mut session, "nass/4_tables.pg.sql", "");
    run(&mut session, "nass/5_keys.pg.sql", "");
    for file in ["4_tables", "5_keys", "10_identities", "10_identities_keys", "10_removed", "10_removed_keys"]
    {
        run(&mut session, &format!("commits/{file}.pg.sql"), "");
    }
    for view in ["11_people", "12_co_authors"] {
        run(&mut session, &format!("commits/{view}.pg.sql"), "");
    }
    run(&mut session, "catalog/4_tables.pg.sql", "");
    run(&mut session, "catalog/5_keys.pg.sql", "");
    run(&mut session, "metrics/4_tables.pg.sql", "");
    run(&mut session, "metrics/5_keys.pg.sql", "");
    for view in ["10_neighbours", "11_paths", "12_similar"] {
        run(&mut session, &format!("metrics/{view}.pg.sql"), "");
    }
    run(&mut session, "commits/made_up.pg.sql", "");
    run(&mut session, "metrics/inputs.pg.sql", "");
    run(&mut session, "datapoints/4_tables.pg.sql", "");
    run(&mut session, "datapoints/5_keys.pg.sql", "");
    run(&mut session, "datapoints/10_months.pg.sql", "");
    for derived in ["10_summary", "11_lots", "12_tracts"] {
        run(&mut session, &format!("oca/{derived}.pg.sql"), "");
        run(&mut session, &format!("oca/{derived}_keys.pg.sql"), "");
    }
    for view in ["public", "with_bbl", "with_ct"] {
        run(&mut session, &format!("oca/13_addresses_{view}.pg.sql"), "");
    }
    run(&mut session, "oca/14_filings.pg.sql", "");
    session.0 += "commit;\n";
    session.set("schema", "by_hand_staging");
    run(&mut session, "oca/4_tables.pg.sql", "");
    run(&mut session, "oca/10_summary.pg.sql", "");
    run(&mut session, "commits/4_tables.pg.sql", "");
    run(&mut session, "datapoints/4_staging.pg.sql", "");
    session.set("schema", "by_hand");
    run(&mut session, "load/load:records", "commits_records");
    run(&mut session, "load/load:records", "datapoints_records");
    run(&mut session, "load/load:records", "oca_records");
    for table in OCA.tables {
        run(&mut session, "load/load:unlogged", table.name);
        run(&mut session, "load/load:copy", table.name);
        run(&mut session, "load/load:analyze", table.name);
    }
    for table in OCA.own_tables() {
        session.set("image", &format!("before_{}", table.name));
        run(&mut session, "undo/images:make", table.name);
    }
    session.0 += "insert into by_hand_etl.runs (run_id, dataset, target_schema, kind, host)\n\
        values (:'run_id', :'dataset', :'schema', 'run', 'here');\nbegin;\n";
    let (parent, children) = OCA.tables.split_first().unwrap();
    run(&mut session, "promote/prepare:before", parent.name);
    run(&mut session, "promote/prepare:identify", "");
    // The other way of promotion plans in the same places.
    run(&mut session, "promote/replace.pg.sql", parent.name);
    run(&mut session, "promote/slice_origin.pg.sql", "");
    session.0 += "drop table pg_temp.plan, pg_temp.counted, pg_temp.replacing;\n";
    run(&mut session, "promote/replace_all.pg.sql", parent.name);
    session.0 += "drop table pg_temp.plan, pg_temp.counted, pg_temp.replacing;\n";
    for part in ["tables", "plan", "before", "in_doubt", "counted"] {
        run(&mut session, &format!("promote/slices:slice_{part}"), parent.name);
    }
    session.0 += "drop table pg_temp.plan, pg_temp.counted, pg_temp.slice_rows, pg_temp.slice_in_doubt;\n";
    // A merge of another dataset, likewise.
    run(&mut session, "commits/6_promote.pg.sql", "");
    run(&mut session, "commits/6_kept.pg.sql", "");
    run(&mut session, "promote/derive:completed", "");
    run(&mut session, "commits/8_alone.pg.sql", "");
    run(&mut session, "commits/8_reached.pg.sql", "");
    run(&mut session, "commits/6_sealed.pg.sql", "");
    run(&mut session, "commits/7_purge.pg.sql", "");
    session.0 += "drop table pg_temp.purged;\n";
    run(&mut session, "commits/7_person.pg.sql", "");
    session.0 += "drop view pg_temp.completed, pg_temp.sealed_records;\n\
        drop table pg_temp.plan, pg_temp.counted, pg_temp.told, pg_temp.told_repositories, pg_temp.reached,\n\
        pg_temp.whole, pg_temp.purged, pg_temp.removed, pg_temp.named;\n";
    session.0 += "insert into by_hand_etl.undo_batches (run_id, batch, dataset, target_schema)\n\
        values (:'run_id', 1, :'dataset', :'schema');\n";
    session.0 += "savepoint datapoints;\n";
    session.set("image", "before_datapoint_places");
    run(&mut session, "undo/images:make", "datapoint_places");
    run(&mut session, "datapoints/6_promote.pg.sql", "");
    run(&mut session, "promote/derive:completed", "");
    for name in ["7_zones", "8_months", "6_kept", "6_sealed", "9_purge", "9_verify"] {
        run(&mut session, &format!("datapoints/{name}.pg.sql"), "");
    }
    session.0 += "rollback to savepoint datapoints;\n";
    run(&mut session, "oca/6_promote.pg.sql", "");
    run(&mut session, "promote/merge:begin", parent.name);
    run(&mut session, "undo/images:records", "");
    run(&mut session, "undo/images:replaced", "");
    session.0 += "savepoint counted;\ndrop table pg_temp.counted;\n";
    run(&mut session, "sums/sums:counted", "");
    session.0 += "rollback to savepoint counted;\n";
    for part in ["begin", "gone"] {
        run(&mut session, &format!("sums/sums:{part}"), "");
    }
    run(&mut session, "oca/15_filed.pg.sql", "");
    for part in ["cells", "come", "apply", "clear", "all", "analyze", "days", "pieces"] {
        run(&mut session, &format!("sums/sums:{part}"), "");
    }
    run(&mut session, "oca/6_sealed.pg.sql", "");
    for table in children {
        session.set("before", &format!("before_{}", table.name));
        run(&mut session, "promote/merge:remove", table.name);
        run(&mut session, "promote/merge:take", table.name);
    }
    session.set("before", "before_oca_index");
    for part in ["parent", "take_parent", "parent_update", "take_update", "parent_insert", "parent_counted"] {
        run(&mut session, &format!("promote/merge:{part}"), parent.name);
    }
    for table in children {
        run(&mut session, "promote/merge:insert", table.name);
    }
    session.set("rows", "10");
    run(&mut session, "demo/companies.pg.sql", "");
    run(&mut session, "demo/transform:look_at_raw", "");
    session.0 += "create table by_hand.companies_clean (zip_code text, name text, is_largest boolean);\n";
    // A job whose raw and clean table is the same here.
    for part in [
        "look:partitions",
        "look:pages",
        "read:by_key",
        "read:by_pages",
        "buckets:range",
        "finish:remove",
        "finish:write",
    ] {
        run(&mut session, &format!("transform/{part}"), parent.name);
    }
    for part in [
        "test:truth_table",
        "test:truth_copy",
        "test:cells",
        "swap:leftovers",
        "swap:look_at_rows",
        "swap:lock_table",
    ] {
        run(&mut session, &format!("transform/{part}"), parent.name);
    }
    session.0 += "create table by_hand.replaced (id text);\ncreate view by_hand.seen as select 1 as one;\n";
    session.set("name", "renamed");
    run(&mut session, "transform/swap:rename", "replaced");
    run(&mut session, "transform/swap:drop_table", "renamed");
    run(&mut session, "transform/swap:comment_view", "seen");
    run(&mut session, "transform/swap:drop_view", "seen");
    let mut rest: Vec<&Piece> = pieces.iter().filter(|piece| piece.is_postgres()).collect();
    run(&mut session, "oca/10_summary_rows.pg.sql", "");
    session.0 += "delete from by_hand_etl.table_changes;\n";
    run(&mut session, "promote/changes:whole", "oca_case_summary");
    for table in OCA.tables {
        run(&mut session, "promote/changes:changes", table.name);
        run(&mut session, "golden/golden:table", table.name);
        run(&mut session, "golden/golden:copy", table.name);
        run(&mut session, "golden/golden:compare", table.name);
    }
    run(&mut session, "promote/changes:kept", "oca_metadata");
    run(&mut session, "promote/ledger.pg.sql", "");
    run(&mut session, "undo/images:slices_before", "");
    run(&mut session, "promote/guards.pg.sql", "");
    run(&mut session, "oca/8_guards.pg.sql", "");
    // The search for records that the database refuses.
    run(&mut session, "refused/refused:numbered", "");
    for part in ["find", "plan_some", "remove_parents", "index", "parent"] {
        run(&mut session, &format!("refused/refused:{part}"), parent.name);
    }
    for table in children {
        run(&mut session, "refused/refused:child", table.name);
    }
    run(&mut session, "oca/geocode/address_key.pg.sql", "");
    run(&mut session, "oca/9_purge.pg.sql", "");
    run(&mut session, "oca/geocode/backfill_open.pg.sql", "");
    run(&mut session, "oca/geocode/backfill_take.pg.sql", "");
    run(&mut session, "promote/derive:completed", "");
    run(&mut session, "undo/images:patched", "oca_addresses");
    run(&mut session, "oca/9_geometry.pg.sql", "");
    session.0 += "drop view pg_temp.completed;\n";
    run(&mut session, "purge/purge:derived", "oca_case_summary");
    run(&mut session, "purge/purge:derived_left", "oca_case_summary");
    for part in ["begin", "end", "begin", "give_up"] {
        run(&mut session, &format!("promote/comments:{part}"), "");
    }
    run(&mut session, "promote/derive:clear", "oca_case_summary");
    run(&mut session, "promote/derive:drop_view", "oca_addresses_public");
    run(&mut session, "promote/derive:drop_table", "oca_case_summary");
    session.0 += "delete from by_hand_etl.table_changes;\n";
    session.0 += "savepoint undo;\n\
        drop table pg_temp.plan, pg_temp.counted, pg_temp.touched, pg_temp.blocked, pg_temp.removed;\n";
    for part in ["undoing", "undone", "later", "changed", "plan", "counts"] {
        run(&mut session, &format!("undo/undo:{part}"), "");
    }
    run(&mut session, "promote/merge:begin", parent.name);
    for table in OCA.own_tables() {
        session.set("image", &format!("before_{}", table.name));
        session.set("before", &format!("before_{}", table.name));
        session.set("columns", &sql::columns(table));
        session.set("assignments", &sql::assignments(table, "indexnumberid"));
        session.set("nullable", "alter column indexnumberid drop not null");
        for part in ["stage", "stage_rows", "staged", "lost", "images_then", "rows_now", "edited", "written"]
        {
            run(&mut session, &format!("undo/undo:{part}"), table.name);
        }
    }
    run(&mut session, "undo/undo:records", parent.name);
    session.set("columns", &sql::columns(OCA.kept().first().unwrap()));
    session.set("assignments", &sql::assignments(OCA.kept().first().unwrap(), "indexnumberid"));
    run(&mut session, "undo/undo:kept", "oca_metadata");
    run(&mut session, "undo/undo:ledger", "");
    session.0 += "rollback to savepoint undo;\n";
    // What is prepared asks for it.
    run(&mut session, "undo/undo:undoing", "");
    session.set("image", "no_image_oca_metadata");
    run(&mut session, "undo/images:none", "oca_metadata");
    session.set("image", "before_oca_index");
    let import = "publish/publish:import_snapshot";
    let ends = ["check/check:settings", "load/load:drop", "publish/publish:read_only", import];
    rest.retain(|piece| !ran.contains(&piece.name) && !ends.contains(&piece.name.as_str()));
    for (number, piece) in rest.iter().enumerate() {
        session.0 += &format!("\\echo {}\n", piece.name);
        if piece.is_script() {
            session.script(&piece.text, parent.name);
        } else if piece.name == "ledger/known_files_until_2.pg.sql" {
            // Of an older ledger; takeover_ledger runs it there.
            continue;
        } else if piece.name.starts_with("aws_s3/") {
            // Amazon's functions are not there; its other half is tested with functions that stand in for them.
            continue;
        } else {
            session.0 +=
                &format!("prepare statement_{number} as\n{};\n", piece.text.trim_end().trim_end_matches(';'));
        }
    }
    session.0 += "rollback;\n";
    let database = postgres::database("sql_files").await;
    // What another connection sees.
    let other = database.client().await;
    other.batch_execute("begin isolation level repeatable read").await.unwrap();
    let exported = other.query_one(&text("publish/publish:export_snapshot"), &[]).await.unwrap();
    session.set("snapshot", exported.get(0));
    for name in ends {
        session.0 += &format!("\\echo {name}\n");
        if name == import {
            session.0 += "begin isolation level repeatable read;\n";
        }
        session.script(&text(name), "oca_records");
    }
    let mut psql = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null"])
        .arg(database.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql is there, with the server's programs");
    let mut stdin = psql.stdin.take().unwrap();
    let lines = session.0;
    let write = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = psql.wait_with_output().unwrap();
    let _ = write.join().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "after {:?}:\n{wrong}", said.lines().last());
}

/// What DuckDB takes, in the order in which a run takes them.
const IN_DUCKDB: &[&str] = &[
    "staged/staged:tables",
    "oca/1_stage.duckdb.sql",
    "oca/2_check.duckdb.sql",
    "nass/1_stage.duckdb.sql",
    "nass/2_check.duckdb.sql",
    "commits/1_stage.duckdb.sql",
    "catalog/1_stage.duckdb.sql",
    "staged/links.duckdb.sql",
    "catalog/2_check.duckdb.sql",
    "metrics/1_stage.duckdb.sql",
    "datapoints/1_stage.duckdb.sql",
    "staged/staged:known",
    "datapoints/2_check.duckdb.sql",
    "staged/staged:counts",
    "staged/staged:failures",
    "oca/geocode/1_words.duckdb.sql",
    "oca/reference/1_directory.duckdb.sql",
    "oca/geocode/5_keys.duckdb.sql",
    "oca/reference/2_ranges.duckdb.sql",
    "oca/reference/3_lots.duckdb.sql",
    "reference/count.duckdb.sql",
    "reference/export.duckdb.sql",
    "oca/reference/4_range_changes.duckdb.sql",
    "oca/reference/4_lot_changes.duckdb.sql",
    "oca/reference/5_lots_csv.duckdb.sql",
    "oca/reference/6_tracts.duckdb.sql",
    "oca/reference/7_tracts_csv.duckdb.sql",
    "staged/staged:replace",
    "staged/staged:slices",
    "staged/staged:all",
    "staged/staged:merge",
    "oca/geocode/questions.duckdb.sql",
    "oca/geocode/open.duckdb.sql",
    "staged/enrichment:questions",
    "staged/enrichment:records",
    "staged/enrichment:open",
    "oca/geocode/2_reference.duckdb.sql",
    "oca/geocode/3_places.duckdb.sql",
    "oca/geocode/4_lines.duckdb.sql",
    "oca/geocode/6_match.duckdb.sql",
    "oca/geocode/7_answers.duckdb.sql",
    "oca/geocode/8_take.duckdb.sql",
    "oca/geocode/9_close.duckdb.sql",
    "staged/enrichment:answers",
    "staged/enrichment:unanswered",
    "oca/geocode/apply.duckdb.sql",
    "staged/enrichment:answered",
    "staged/staged:array_literal",
    "staged/staged:records",
    "staged/parquet.duckdb.sql",
    "oca/3_export.duckdb.sql",
    "nass/3_export.duckdb.sql",
    "commits/3_export.duckdb.sql",
    "catalog/3_export.duckdb.sql",
    "metrics/3_export.duckdb.sql",
    "datapoints/3_export.duckdb.sql",
    "publish/parquet:array_elements",
    "publish/parquet:parquet",
    "publish/parquet:count",
    "transform/bucketing:range",
    "transform/bucketing:sorted",
    "transform/bucketing:counts",
    "transform/bucketing:file",
    "transform/bucketing:whole",
    "transform/bucketing:counted",
    "transform/bucketing:partitions",
    "transform/clean:raw",
    "transform/clean:cleaned",
    "transform/clean:clean",
];

/// As the program runs them: scripts, queries that give rows, and the statements of the export beside each other.
#[test]
fn each_duckdb_file_and_part_runs_on_an_empty_store() {
    let pieces = pieces();
    let known: BTreeSet<_> =
        pieces.iter().filter(|piece| piece.is_duckdb()).map(|piece| piece.name.as_str()).collect();
    assert_eq!(
        known,
        IN_DUCKDB.iter().copied().collect(),
        "a DuckDB file that is not run here, or one that is not there"
    );
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("csv");
    fs::create_dir(&dir).unwrap();
    let staging = Staging::create(folder.path(), DuckLimits { memory_mib: 256, threads: 2 }).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    // The files of a reference, without rows.
    let header = |columns: &[ReferenceColumn]| {
        let names: Vec<_> = columns.iter().map(|column| column.names[0]).collect();
        format!("{}\n", names.join(","))
    };
    let reference = OCA.reference.unwrap();
    let mut given = Vec::new();
    for file in reference.inputs.iter().flat_map(|input| input.files) {
        fs::write(path(file.variable), header(file.columns)).unwrap();
        given.push((file.variable, path(file.variable)));
        let named = file.columns.iter().filter_map(|column| Some((column.variable?, column.names[0])));
        given.extend(named.map(|(variable, name)| (variable, sql::identifier(name))));
    }
    given.extend(reference.tables.iter().map(|table| (table.name, path(table.name))));
    given.extend([("before", path("ranges")), ("streets_before", path("streets")), ("csv", path("csv.csv"))]);
    fs::write(path("known"), "postcode,lat,lon,zone\n").unwrap();
    given.push(("file", path("known")));
    let mut variables = vec![
        ("known", "known_datapoint_places"),
        ("dir", dir.to_str().unwrap()),
        ("records", "oca_records"),
        ("limit", "10"),
        ("offset", "0"),
        ("from", "0"),
        ("to", "9"),
        ("way", "pad"),
        ("table", "questions"),
        ("fields", "street1"),
        ("columns", "status"),
        ("status", "status"),
        ("after", ""),
        ("raw_columns", "zip_code varchar"),
        ("query", "select * from raw"),
        ("view", "catalog_addresses"),
        ("is_new", "true"),
    ];
    variables.extend(given.iter().map(|(name, value)| (*name, value.as_str())));
    for name in IN_DUCKDB.iter().copied() {
        let text = &pieces.iter().find(|piece| piece.name == name).unwrap().text;
        let is_query = ["staged/staged:counts", "staged/staged:failures"].contains(&name);
        let is_other = name.ends_with(":unanswered") || name.ends_with(":open");
        if is_query || name.starts_with("staged/enrichment:") && !is_other {
            let rows = staging.query(name, &sql::render(text, &variables), |_| Ok(())).unwrap();
            assert!(rows.is_empty(), "{name} gives {} rows of nothing", rows.len());
        } else if name == "reference/count.duckdb.sql" || name.ends_with("_changes.duckdb.sql") {
            let mut variables = variables.clone();
            let table = ("table", reference.tables[0].name);
            variables.retain(|(name, _)| *name != table.0 && name != &"before");
            let before = path(if name.contains("lot") { "lots" } else { "ranges" });
            variables.extend([table, ("before", before.as_str())]);
            let counts = staging.query(name, &sql::render(text, &variables), |row| row.get::<_, i64>(0));
            assert_eq!(counts.unwrap(), [0], "{name}");
        } else if name == "staged/parquet.duckdb.sql" {
            let parquet = path("given.parquet");
            let copy = format!("copy (select 1 as a, 2 as b, 3 as \"C\") to '{parquet}' (format parquet)");
            staging.run(name, &copy).unwrap();
            let csv = path("given.csv.zst");
            staging.execute(name, text, &[("parquet", &parquet), ("columns", "a,c"), ("csv", &csv)]).unwrap();
            assert_eq!(zstd::decode_all(fs::File::open(csv).unwrap()).unwrap(), b"a,C\n1,3\n");
        } else if name.starts_with("publish/parquet:") {
            let (csv, parquet) = (path("published.csv"), path("published.parquet"));
            fs::write(&csv, "a\n").unwrap();
            let casts = "array_elements(a) as a";
            let variables = [
                ("csv", csv.as_str()),
                ("parquet", &parquet),
                ("texts", "{'a': 'varchar'}"),
                ("casts", casts),
                ("longest", "2097152"),
            ];
            if name.ends_with(":count") {
                let counted = staging.query(name, &sql::render(text, &variables), |row| row.get::<_, u64>(0));
                assert_eq!(counted.unwrap(), [0]);
            } else {
                staging.execute(name, text, &variables).unwrap();
            }
        } else if name.starts_with("transform/bucketing:") {
            let files = format!("['{}']", path("bucket.parquet"));
            let parquet = path(if name.ends_with(":file") { "bucket.parquet" } else { "whole.parquet" });
            let variables = [
                ("raw_columns", "zip_code varchar"),
                ("bucket_no", "0"),
                ("files", files.as_str()),
                ("parquet", &parquet),
                ("hashes", "1, 2"),
                ("least_hash", "1"),
                ("greatest_hash", "2"),
                ("first_page", "0"),
                ("end_page", "1"),
            ];
            staging.execute(name, text, &variables).unwrap();
        } else if name == "staged/enrichment:open" {
            assert_eq!(staging.query(name, text, |row| row.get::<_, i64>(0)).unwrap(), [0]);
        } else if name == "reference/export.duckdb.sql" {
            for table in reference.tables {
                let file = path(table.name);
                let variables = [("table", table.name), ("order", table.order), ("file", file.as_str())];
                staging.execute(name, text, &variables).unwrap();
            }
        } else if name.ends_with("_export.duckdb.sql") {
            let statements: Vec<_> = sql::statements(text).collect();
            staging.execute_each(name, &statements, &variables, || Ok::<_, DuckError>(())).unwrap();
        } else {
            staging.execute(name, text, &variables).unwrap();
        }
    }
    for table in OCA.tables.iter().map(|table| table.name).chain(["oca_records"]) {
        let csv = fs::read_to_string(dir.join(format!("{table}.csv"))).unwrap();
        assert_eq!(csv.lines().count(), 1, "{table}: {csv}");
    }
}
