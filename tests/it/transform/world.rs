//! A job in a folder, and a raw table with very uneven partitions.

use std::process::{Child, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::support::postgres::{self, TestDatabase};
use crate::support::{command, merganser};

const JOB: &str = "name = \"companies\"\n\
    [source]\n\
    table = \"public.companies_raw\"\n\
    key = \"zip_code\"\n\
    group_rows = 400\n\
    [target]\n\
    table = \"public.companies_clean\"\n\
    create = \"companies_clean.pg.sql\"\n\
    [clean]\n\
    sql = \"clean.duckdb.sql\"\n";

const CREATE: &str = "create table :\"schema\".:\"table\" (\n\
    id bigint primary key, zip_code text, zip text, name text not null, founded date, revenue numeric(14, 2),\n\
    seen timestamptz, rank bigint, version integer not null\n);\n\
    create index on :\"schema\".:\"table\" (zip_code);\n";

/// Looks across the rows of a partition, drops some rows, and turns values that cannot be read into NULL.
const CLEAN: &str = "select id, zip_code, trim(zip_code) as zip, upper(trim(name)) as name,\n\
    try_cast(founded as date) as founded, revenue, seen,\n\
    row_number() over (partition by zip_code order by id) as rank, 1 as version\n\
    from raw where name is not null;\n";

/// The same in one PostgreSQL statement.
pub const IN_ONE_PIECE: &str = "select id, zip_code, btrim(zip_code), upper(btrim(name)),\n\
    case when founded ~ '^\\d{4}-' then founded::date end, revenue, seen,\n\
    row_number() over (partition by zip_code order by id), 1\n\
    from companies_raw where name is not null";

const RAW: &str = "
    create table companies_raw (
        id bigint, zip_code text, name text, founded text, revenue numeric(14, 2), seen timestamptz, extra jsonb
    );
    insert into companies_raw
    select
        i,
        case
            when i % 500 = 0 then null when i % 333 = 0 then '' when i % 250 = 0 then ' 10001' when i % 251 = 0 then '10001 '
            else lpad(floor(power((i * 7919 % 10007) / 10007.0, 3) * 300)::text, 5, '0')
        end,
        case when i % 50 = 0 then null else '  firm ' || i || E'\\t\\\\ \"x\" ' end,
        case when i % 7 = 0 then 'unknown' else (date '1950-01-01' + i)::text end,
        i / 100.0,
        timestamptz '2020-01-01' + make_interval(secs => i * 1.5),
        '{\"a\": 1}'
    from generate_series(1, ROWS) as i;
    create index on companies_raw (zip_code);
    analyze companies_raw;";

/// A job and its database.
pub struct World {
    pub folder: TempDir,
    pub database: TestDatabase,
    pub client: Client,
}

impl World {
    /// With this many raw rows.
    pub async fn new(hint: &str, rows: u32) -> Self {
        Self::on(postgres::plain_database(hint).await, rows).await
    }

    /// The same in an existing database.
    pub async fn on(database: TestDatabase, rows: u32) -> Self {
        let client = database.client().await;
        client.batch_execute(&RAW.replace("ROWS", &rows.to_string())).await.expect("a raw table");
        let world = Self { folder: tempfile::tempdir().expect("a folder"), database, client };
        world.put("job.toml", JOB);
        world.put("companies_clean.pg.sql", CREATE);
        world.put("clean.duckdb.sql", CLEAN);
        world
    }

    /// Writes a file of the job.
    pub fn put(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).expect("a file can be written");
    }

    /// Changes a file of the job.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.folder.path().join(file)).expect("it is there");
        assert!(text.contains(from), "{file} has no {from}");
        self.put(file, &text.replace(from, to));
    }

    fn args(&self, words: &[&str]) -> Vec<String> {
        let (action, more) = words.split_first().expect("a word");
        let job = self.folder.path().display().to_string();
        let more = more.iter().map(|word| (*word).to_owned());
        ["transform".to_owned(), (*action).to_owned(), job].into_iter().chain(more).collect()
    }

    /// `merganser transform ACTION JOB MORE…`.
    pub fn transform(&self, words: &[&str]) -> Output {
        merganser(self.args(words), [("DATABASE_URL", self.database.url())])
    }

    /// The same, started in the background, with faults.
    pub fn start(&self, words: &[&str], faults: &str) -> Child {
        let envs = [("DATABASE_URL", self.database.url()), ("FAULTS", faults.to_owned())];
        let mut command = command(self.args(words), envs);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    }

    /// Runs a command that must end with this exit code, and returns both its outputs.
    pub fn expect(&self, code: i32, words: &[&str]) -> String {
        let output = self.transform(words);
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        said
    }

    /// `merganser transform status JOB --json`.
    pub fn status(&self) -> Value {
        let output = self.transform(&["status", "--json"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// The first column of a query's rows, as text.
    pub async fn column(&self, query: &str) -> Vec<String> {
        let rows = self.client.query(query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
        rows.iter().map(|row| row.try_get::<_, Option<String>>(0).unwrap().unwrap_or("NULL".into())).collect()
    }

    /// The one value of a query, as text.
    pub async fn one(&self, query: &str) -> String {
        let column = self.column(&format!("select ({query})::text")).await;
        column.into_iter().next().expect("one row")
    }

    /// Runs statements.
    pub async fn run(&self, text: &str) {
        self.client.batch_execute(text).await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }

    /// The numbers of rows that only the clean table has and that only the cleaning in one piece has.
    pub async fn differing(&self, table: &str, in_one_piece: &str) -> String {
        let count = format!(
            "select (select count(*) from (select * from {table} except all ({in_one_piece})) as a)
                 || ' too many, ' || (select count(*) from (({in_one_piece}) except all select * from {table}) as b) || ' missing'"
        );
        self.one(&count).await
    }

    /// The clean table must equal the one that cleaning in one piece makes.
    pub async fn assert_whole(&self) {
        assert_eq!(self.differing("companies_clean", IN_ONE_PIECE).await, "0 too many, 0 missing");
    }
}
