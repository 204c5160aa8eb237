//! Every SQL file says what it takes, and runs as its header says: a script by psql with its variables, a statement by
//! `prepare`, and what DuckDB takes in its library. So a person can run what the program runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use merganser::clients::duckdb::{DuckError, DuckLimits, Staging};
use merganser::datasets::oca::OCA;
use merganser::sql;

use crate::support::postgres;

/// An SQL file and its header.
struct File {
    /// Below `sql/`.
    name: String,
    text: String,
    /// Key of the header -> its text.
    header: BTreeMap<String, String>,
}

impl File {
    fn read(path: &Path, root: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let mut header: BTreeMap<String, String> = BTreeMap::new();
        let mut key = String::new();
        for line in text.lines().map_while(|line| line.strip_prefix("--")) {
            if let Some((word, rest)) = line.trim_start().split_once(':').filter(|(word, _)| is_key(word)) {
                key = word.to_owned();
                header.insert(key.clone(), rest.trim().to_owned());
            } else if let Some(value) = header.get_mut(&key) {
                *value = format!("{value} {}", line.trim());
            }
        }
        Self { name, text, header }
    }

    fn is_postgres(&self) -> bool {
        self.name.ends_with(".pg.sql")
    }

    fn is_duckdb(&self) -> bool {
        self.name.ends_with(".duckdb.sql")
    }

    fn is_statement(&self) -> bool {
        self.header["Engine"].contains("a statement (prepare)")
    }

    fn is_script(&self) -> bool {
        self.header["Engine"].contains("a script (psql -v)")
    }

    /// What stands in for the reader: `$1`, `:name`, `:"name"` and `:'name'`.
    fn inputs(&self) -> BTreeSet<String> {
        let mut inputs = BTreeSet::new();
        let code = self.text.lines().filter(|line| !line.trim_start().starts_with("--"));
        for line in code {
            let bytes = line.as_bytes();
            for (at, _) in line.char_indices() {
                let rest = &line[at..];
                let before = at.checked_sub(1).map(|at| bytes[at]);
                if let Some(number) = rest.strip_prefix('$') {
                    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
                    if end > 0 {
                        inputs.insert(format!("${}", &number[..end]));
                    }
                } else if rest.starts_with(':')
                    && before != Some(b':')
                    && before.is_none_or(|b| !b.is_ascii_alphanumeric())
                {
                    let inner = rest[1..].trim_start_matches(['"', '\'']);
                    let end =
                        inner.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(inner.len());
                    if end > 0 && !rest[1..].starts_with(':') {
                        inputs.insert(format!(":{}", &inner[..end]));
                    }
                }
            }
        }
        inputs
    }
}

fn is_key(word: &str) -> bool {
    ["Purpose", "Engine", "Inputs", "Outputs"].contains(&word.trim())
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(File::read(&path, &root)),
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(files.len() > 80, "{}", files.len());
    files
}

#[test]
fn every_header_says_purpose_engine_inputs_and_outputs() {
    for file in files() {
        let keys: Vec<_> = file.header.keys().map(String::as_str).collect();
        assert_eq!(keys, ["Engine", "Inputs", "Outputs", "Purpose"], "{}", file.name);
        if file.is_postgres() {
            assert!(file.is_script() != file.is_statement(), "{}: {}", file.name, file.header["Engine"]);
        }
        let said = &file.header["Inputs"];
        for input in file.inputs() {
            let named = [input.clone(), format!(":\"{}\"", &input[1..]), format!(":'{}'", &input[1..])];
            assert!(
                named.iter().any(|name| said.contains(name)),
                "{}: its inputs do not name {input}",
                file.name
            );
            let is_parameter = input.starts_with('$');
            assert!(!is_parameter || file.is_statement(), "{} has {input} and is no statement", file.name);
        }
    }
}

#[test]
fn no_file_is_without_a_use() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut used = fs::read_to_string(src.join("sql.rs")).unwrap();
    for dataset in fs::read_dir(src.join("datasets")).unwrap().flatten() {
        for part in ["mod.rs", "derived.rs"] {
            used += &fs::read_to_string(dataset.path().join(part)).unwrap_or_default();
        }
    }
    for file in files() {
        assert!(used.contains(&format!("sql/{}\"", file.name)), "{} is never included", file.name);
    }
}

/// The names that the scripts are run with here.
const VARIABLES: &[(&str, &str)] = &[
    ("schema", "by_hand"),
    ("ledger", "by_hand_etl"),
    ("staging", "by_hand_staging"),
    ("key", "indexnumberid"),
    ("dataset", "oca"),
    ("record", "case"),
    ("records", "oca_records"),
    ("is_replaced", "false"),
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
    ("compared", "indexnumberid"),
    ("max_deletes_percent", "10"),
    ("max_deletes_records", "9"),
    ("first", "1"),
    ("end", "2"),
    ("limit", "10"),
    ("conditions", "(1, false)"),
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
async fn each_file_runs_as_its_header_says() {
    let files = files();
    let text = |name: &str| {
        let file = files.iter().find(|file| file.name == name);
        file.unwrap_or_else(|| panic!("no {name}")).text.clone()
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
        run(&mut session, "ledger/create_schema.pg.sql", "");
    }
    run(&mut session, "ledger/migrations/table.pg.sql", "");
    for file in files.iter().filter(|file| file.name.starts_with("ledger/migrations/0")) {
        run(&mut session, &file.name, "");
    }
    session.0 += "begin;\n";
    run(&mut session, "oca/4_tables.pg.sql", "");
    run(&mut session, "oca/5_keys.pg.sql", "");
    for derived in ["10_summary", "11_lots", "12_tracts"] {
        run(&mut session, &format!("oca/{derived}.pg.sql"), "");
        run(&mut session, &format!("oca/{derived}_keys.pg.sql"), "");
    }
    for view in ["public", "with_bbl", "with_ct"] {
        run(&mut session, &format!("oca/13_addresses_{view}.pg.sql"), "");
    }
    session.0 += "commit;\n";
    session.set("schema", "by_hand_staging");
    run(&mut session, "oca/4_tables.pg.sql", "");
    run(&mut session, "oca/10_summary.pg.sql", "");
    session.set("schema", "by_hand");
    run(&mut session, "load/1_records.pg.sql", "oca_records");
    for table in OCA.tables {
        run(&mut session, "load/2_unlogged.pg.sql", table.name);
        run(&mut session, "load/3_copy.pg.sql", table.name);
        run(&mut session, "load/4_analyze.pg.sql", table.name);
    }
    session.0 += "insert into by_hand_etl.runs (run_id, dataset, target_schema, kind, host)\n\
        values (:'run_id', :'dataset', :'schema', 'run', 'here');\nbegin;\n";
    let (parent, children) = OCA.tables.split_first().unwrap();
    run(&mut session, "promote/0_before.pg.sql", parent.name);
    run(&mut session, "promote/0_identify.pg.sql", "");
    // The other way of promotion plans in the same places.
    run(&mut session, "promote/replace.pg.sql", parent.name);
    run(&mut session, "promote/slice_origin.pg.sql", "");
    session.0 += "drop table pg_temp.plan, pg_temp.counted, pg_temp.replacing;\n";
    run(&mut session, "oca/6_promote.pg.sql", "");
    run(&mut session, "promote/1_begin.pg.sql", parent.name);
    for table in children {
        run(&mut session, "promote/2_remove.pg.sql", table.name);
    }
    for part in ["3_parent", "3_update", "3_insert", "3_counted"] {
        run(&mut session, &format!("promote/{part}.pg.sql"), parent.name);
    }
    for table in children {
        run(&mut session, "promote/4_insert.pg.sql", table.name);
    }
    run(&mut session, "oca/10_summary_rows.pg.sql", "");
    session.0 += "delete from by_hand_etl.table_changes;\n";
    run(&mut session, "promote/5_whole.pg.sql", "oca_case_summary");
    let mut rest: Vec<&File> = files.iter().filter(|file| file.is_postgres()).collect();
    for table in OCA.tables {
        run(&mut session, "promote/5_changes.pg.sql", table.name);
        run(&mut session, "golden/1_table.pg.sql", table.name);
        run(&mut session, "golden/2_copy.pg.sql", table.name);
        run(&mut session, "golden/3_compare.pg.sql", table.name);
    }
    run(&mut session, "promote/5_kept.pg.sql", "oca_metadata");
    run(&mut session, "promote/6_ledger.pg.sql", "");
    run(&mut session, "promote/guards.pg.sql", "");
    run(&mut session, "oca/8_guards.pg.sql", "");
    // The search for records that the database refuses.
    run(&mut session, "refused/4_numbered.pg.sql", "");
    for part in ["6_find", "7_plan_some", "8_remove_parents", "9_index", "10_parent"] {
        run(&mut session, &format!("refused/{part}.pg.sql"), parent.name);
    }
    for table in children {
        run(&mut session, "refused/11_child.pg.sql", table.name);
    }
    run(&mut session, "oca/9_purge.pg.sql", "");
    run(&mut session, "purge/derived.pg.sql", "oca_case_summary");
    run(&mut session, "purge/derived_left.pg.sql", "oca_case_summary");
    run(&mut session, "promote/drop_view.pg.sql", "oca_addresses_public");
    run(&mut session, "promote/drop_table.pg.sql", "oca_case_summary");
    session.0 += "delete from by_hand_etl.table_changes;\n";
    let ends = ["check/2_settings.pg.sql", "load/0_drop.pg.sql"];
    rest.retain(|file| !ran.contains(&file.name) && !ends.contains(&file.name.as_str()));
    for (number, file) in rest.iter().enumerate() {
        session.0 += &format!("\\echo {}\n", file.name);
        if file.is_script() {
            session.script(&file.text, parent.name);
        } else if file.name == "ledger/known_files_until_2.pg.sql" {
            // Of an older ledger; takeover_ledger runs it there.
            continue;
        } else if file.name.starts_with("aws_s3/") {
            // Amazon's functions are not there; its other half is tested with functions that stand in for them.
            continue;
        } else {
            session.0 +=
                &format!("prepare statement_{number} as\n{};\n", file.text.trim_end().trim_end_matches(';'));
        }
    }
    session.0 += "rollback;\n";
    for name in ends {
        session.0 += &format!("\\echo {name}\n");
        session.script(&text(name), "oca_records");
    }
    let database = postgres::database("sql_files").await;
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

/// The DuckDB files, in the order in which a run takes them.
const IN_DUCKDB: [&str; 10] = [
    "staged/1_tables.duckdb.sql",
    "oca/1_stage.duckdb.sql",
    "oca/2_check.duckdb.sql",
    "staged/counts.duckdb.sql",
    "staged/failures.duckdb.sql",
    "staged/2_replace.duckdb.sql",
    "staged/2_merge.duckdb.sql",
    "staged/3_array_literal.duckdb.sql",
    "staged/4_records.duckdb.sql",
    "oca/3_export.duckdb.sql",
];

/// As the program runs them: scripts, queries that give rows, and the statements of the export beside each other.
#[test]
fn each_duckdb_file_runs_on_an_empty_store() {
    let files = files();
    let known: BTreeSet<_> = files.iter().filter(|file| file.is_duckdb()).map(|f| f.name.as_str()).collect();
    assert_eq!(
        known,
        BTreeSet::from(IN_DUCKDB),
        "a DuckDB file that is not run here, or one that is not there"
    );
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("csv");
    fs::create_dir(&dir).unwrap();
    let staging = Staging::create(folder.path(), DuckLimits { memory_mib: 256, threads: 2 }).unwrap();
    let variables =
        [("dir", dir.to_str().unwrap()), ("records", "oca_records"), ("limit", "10"), ("offset", "0")];
    for name in IN_DUCKDB {
        let text = &files.iter().find(|file| file.name == name).unwrap().text;
        if ["staged/counts.duckdb.sql", "staged/failures.duckdb.sql"].contains(&name) {
            let rows = staging.query(name, &sql::render(text, &variables), |_| Ok(())).unwrap();
            assert!(rows.is_empty(), "{name} gives {} rows of nothing", rows.len());
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
