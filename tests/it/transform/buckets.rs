//! A raw table in another order than its key is read once, into buckets. Workers die, files are damaged and rows change
//! meanwhile, and the clean table still equals the one that cleaning in one piece makes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::world::World;
use crate::support::fire::{Fault, Fire};
use crate::support::s3;

const ROWS: u32 = 60_000;
const TABLE: &str = "kinds (k int, a smallint, b integer, c bigint, d real, e double precision, f numeric(20, 5), g numeric,
    h date, i time, j timestamp, l timestamptz, m bytea, n varchar(5), o char(4), p boolean, q uuid, r jsonb, s text[])";

/// A raw table in random order, and a folder for the buckets.
struct Scattered {
    world: World,
    store: tempfile::TempDir,
}

impl Scattered {
    async fn new(hint: &str) -> Self {
        let mut world = World::new(hint, ROWS).await;
        world.run("alter table companies_raw set (autovacuum_enabled = false)").await;
        // The servers of tests commit without waiting. Rows count as old once the log is on the disk.
        world.run("checkpoint").await;
        world.run("vacuum analyze companies_raw").await;
        // PostgreSQL counts the reads of a session at its end at the latest.
        world.client = world.database.client().await;
        Self { world, store: tempfile::tempdir().unwrap() }
    }

    fn url(&self) -> String {
        format!("file:{}", self.store.path().display())
    }

    fn words<'w>(&self, words: &[&'w str], url: &'w str) -> Vec<&'w str> {
        let plans = ["plan", "run", "work"].contains(&words[0]);
        let more: &[&str] = if plans { &["--bucket-mib", "1"] } else { &[] };
        [words, &["--store", url], more].concat()
    }

    fn expect(&self, code: i32, words: &[&str]) -> String {
        let url = self.url();
        self.world.expect(code, &self.words(words, &url))
    }

    /// Runs a worker that is killed at a fault point.
    fn dies(&self, words: &[&str], fault: &str) {
        let url = self.url();
        let words = self.words(words, &url);
        let output = self.world.start(&words, &format!("{fault}=kill")).wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), None, "{fault}: {log}");
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(self.store.path(), &mut files);
        files.sort();
        files
    }

    fn parquets(&self) -> Vec<PathBuf> {
        self.files().into_iter().filter(|file| file.extension().is_some_and(|end| end == "parquet")).collect()
    }

    fn manifest(&self) -> Value {
        let files = self.files();
        let manifest = files.iter().find(|file| file.ends_with("manifest.json")).expect("a manifest");
        serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap()
    }

    /// The files must be those that the manifest names, and hold all rows.
    fn assert_files_are_those_of_the_manifest(&self) {
        let manifest = self.manifest();
        let named: BTreeSet<PathBuf> = manifest["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| self.store.path().join(file["key"].as_str().unwrap()))
            .collect();
        assert_eq!(named, self.parquets().into_iter().collect());
        assert_eq!(manifest["rows"], ROWS);
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => collect(&entry.path(), files),
            false => files.push(entry.path()),
        }
    }
}

#[tokio::test]
async fn rows_that_lie_anywhere_are_read_once() {
    let scattered = Scattered::new("buckets_once").await;
    let world = &scattered.world;
    assert!(world.expect(0, &["run", "--dry-run"]).contains("A dry run of "));
    let pages: f64 =
        world.one("select relpages from pg_class where relname = 'companies_raw'").await.parse().unwrap();
    let read =
        "select heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit from pg_statio_user_tables
        where relname = 'companies_raw'";
    let before = settled(world, read).await;
    let said = scattered.expect(0, &["plan"]);
    assert!(said.contains("read once, in ") && said.contains("buckets in file:"), "{said}");
    assert!(!said.contains("warning: the rows lie"), "{said}");
    assert!(scattered.expect(0, &["run", "--workers", "2"]).contains("is in place"));
    let share = (settled(world, read).await - before) / pages;
    println!("pages read, of the table's with its index's: {share:.3}");
    let how =
        "select seq_scan || ' passes, ' || idx_scan || ' by the index, visible pages: ' || relallvisible
        from pg_stat_user_tables join pg_class on oid = relid where pg_class.relname = 'companies_raw'";
    assert!((1.0..=1.3).contains(&share), "{share}: {}", world.one(how).await);
    world.assert_whole().await;
    let kinds = "select string_agg(distinct kind || ' ' || status || (bucket_no is null), ', ') from etl.transform_groups";
    assert_eq!(world.one(kinds).await, "partitions donefalse, range donetrue");
    let status = world.status();
    assert!(
        status["ranges"]["total"].as_i64() > Some(3) && status["ranges"]["done"] == status["ranges"]["total"]
    );
    // No file is left in the store.
    assert_eq!(scattered.files(), Vec::<PathBuf>::new());
    // Reading by the key takes a page for each row.
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let before = settled(world, read).await;
    world.expect(0, &["work"]);
    assert!((settled(world, read).await - before) / pages > 5.0);
}

/// Reads the counters of a table until they stand still.
async fn settled(world: &World, query: &str) -> f64 {
    let mut last = -1.0;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        let now: f64 = world.one(query).await.parse().unwrap();
        if now == last {
            return now;
        }
        last = now;
    }
}

#[tokio::test]
async fn files_of_dead_workers_are_never_read() {
    let scattered = Scattered::new("buckets_dead").await;
    let points =
        ["transform.range_written@2", "transform.range_before_commit@1", "transform.range_finished@1"];
    for point in points {
        scattered.dies(&["work", "--lease", "1", "--keep-buckets"], point);
    }
    assert!(scattered.parquets().len() > 3, "the dead workers left files");
    let said = scattered.expect(0, &["work", "--lease", "1", "--keep-buckets"]);
    assert!(said.contains("was taken from a worker"), "{said}");
    scattered.world.assert_whole().await;
    scattered.assert_files_are_those_of_the_manifest();
    // The files stay until `drop`.
    assert!(scattered.expect(0, &["work"]).contains("is in place"));
    assert!(!scattered.parquets().is_empty());
    assert!(scattered.expect(0, &["drop"]).contains(" of buckets"));
    assert_eq!(scattered.files(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_partition_that_is_not_as_it_was_planned_is_read_by_its_key() {
    let scattered = Scattered::new("buckets_changed").await;
    let world = &scattered.world;
    scattered.expect(0, &["plan"]);
    world
        .run(
            "insert into companies_raw (id, zip_code, name) values (100001, '00017', 'new'), (100002, null, 'new');
            delete from companies_raw where id in (select id from companies_raw where zip_code = '00020' limit 1);
            update companies_raw set name = 'another' where zip_code = '00030'",
        )
        .await;
    let said = scattered.expect(0, &["work"]);
    assert!(said.contains("is not in its bucket as the plan found it"), "{said}");
    world.assert_whole().await;
}

#[tokio::test]
async fn a_bucket_that_is_damaged_is_not_believed() {
    let scattered = Scattered::new("buckets_damaged").await;
    // All ranges are in the buckets when the worker dies.
    scattered.dies(&["work", "--lease", "1"], "transform.claimed@1");
    let files = scattered.parquets();
    let half = fs::read(&files[0]).unwrap();
    fs::write(&files[0], &half[..half.len() / 2]).unwrap();
    fs::remove_file(files.last().unwrap()).unwrap();
    let said = scattered.expect(0, &["work", "--lease", "1"]);
    assert_eq!(said.matches("is damaged").count(), 2, "{said}");
    scattered.world.assert_whole().await;
}

#[tokio::test]
async fn a_value_that_cannot_be_read_costs_its_partition_alone() {
    let scattered = Scattered::new("buckets_nan").await;
    let world = &scattered.world;
    world.run("update companies_raw set revenue = 'NaN' where id = 7777").await;
    let said = scattered.expect(3, &["run", "--workers", "1"]);
    assert!(said.contains("NaN"), "{said}");
    let status = world.status();
    assert_eq!(
        (&status["partitions"]["poison"], &status["partitions"]["failed"]),
        (&1.into(), &0.into()),
        "{status}"
    );
    assert_eq!(world.one("select sum(rows_skipped) from etl.transform_groups").await, "1");
}

#[tokio::test]
async fn giants_are_split_by_the_pages_that_their_rows_came_from() {
    let scattered = Scattered::new("buckets_giant").await;
    let world = &scattered.world;
    world.edit("job.toml", "group_rows = 400", "group_rows = 100");
    world.edit("job.toml", "[clean]\n", "[clean]\nrow_wise = true\n");
    world.edit(
        "clean.duckdb.sql",
        "row_number() over (partition by zip_code order by id) as rank",
        "id as rank",
    );
    let said = scattered.expect(0, &["run", "--workers", "2"]);
    assert!(said.contains("giants that are split by pages"), "{said}");
    let truth =
        super::world::IN_ONE_PIECE.replace("row_number() over (partition by zip_code order by id)", "id");
    assert_eq!(world.differing("companies_clean", &truth).await, "0 too many, 0 missing");
    let parts =
        "select count(*) from etl.transform_groups where first_page is not null and bucket_no is not null";
    assert!(world.one(parts).await.parse::<u32>().unwrap() > 2);
}

#[tokio::test]
async fn types_come_through_buckets_as_they_are() {
    let scattered = Scattered::new("buckets_kinds").await;
    let world = &scattered.world;
    world
        .run(&format!(
            "create table {TABLE};
            insert into kinds values
            (1, -32768, 2147483647, -9223372036854775808, 1.5e-10, 1.7976931348623157e308, -123456789012345.67891,
                12345678901234567890123456789012345678901234567890.123, '0001-01-01', '23:59:59.999999', '0044-03-15 12:00:00 BC',
                'infinity', '\\x00ff', 'äöü', 'a', true, '00000000-0000-0000-0000-000000000001', '{{\"a\": [1, null]}}', '{{a,NULL,\"b c\"}}'),
            (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
            (null, 0, 0, 0, 'NaN', '-Infinity', 0, 0, 'infinity', '00:00', '-infinity', '1969-12-31 23:59:59.5+00', '', '', '', false,
                null, 'null', '{{}}')"
        ))
        .await;
    world.put("c.sql", "create table :\"schema\".:\"table\" (like public.kinds);");
    world.put("clean.sql", "select * from raw");
    let rows = |table: &str| format!("select t::text from {table} as t order by 1");
    let wanted = world.column(&rows("kinds")).await;
    let from_buckets =
        "select count(*) from etl.transform_groups join etl.transform_versions using (version_id)
        where state = 'swapped' and bucket_no is not null";
    for key in ["k", "h", "j", "l", "o", "p", "c"] {
        let job = format!(
            "name = 'kinds'\n[source]\ntable = 'kinds'\nkey = '{key}'\ngroup_rows = 1\n[target]\n\
             table = 'kinds_clean'\ncreate = 'c.sql'\n[clean]\nsql = 'clean.sql'\n"
        );
        world.put("job.toml", &job);
        let said = scattered.expect(0, &["work"]);
        assert!(!said.contains("read by its key"), "{key}: {said}");
        assert_eq!(world.one(from_buckets).await, "3", "{key}");
        assert_eq!(world.column(&rows("kinds_clean")).await, wanted, "{key}");
    }
}

#[tokio::test]
async fn a_store_in_s3_does_the_same_and_another_one_is_refused() {
    let scattered = Scattered::new("buckets_s3").await;
    let bucket = s3::bucket("buckets").await;
    let world = &scattered.world;
    let url = format!("s3://{}/some/where", bucket.name);
    let run = |code: i32, words: &[&str]| {
        let job = world.folder.path().display().to_string();
        let args = ["transform", words[0], &job].into_iter().chain(words[1..].iter().copied());
        let mut envs = bucket.env();
        envs.push(("DATABASE_URL".into(), world.database.url()));
        let output = crate::support::merganser(args, envs);
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        said
    };
    let said = run(1, &["work", "--store", "s3://no-such-bucket-anywhere/x", "--bucket-mib", "1"]);
    assert!(said.contains("no-such-bucket-anywhere"), "{said}");
    assert_eq!(world.one("select count(*) from etl.transform_versions").await, "0");
    run(0, &["plan", "--store", &url, "--bucket-mib", "1"]);
    let said = run(1, &["work", "--store", &scattered.url()]);
    assert!(said.contains(&format!("into buckets in {url}, not in file:")), "{said}");
    // The plan knows the store, so the workers need no option.
    run(0, &["run", "--workers", "2"]);
    world.assert_whole().await;
    assert_eq!(world.status()["ranges"]["poison"], 0);
    let left = "select count(*) from etl.transform_versions where bucket_store is not null";
    assert_eq!(world.one(left).await, "0");
}

/// A store that is away fails no partition, because every partition would fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_for_a_while_is_waited_for() {
    let scattered = Scattered::new("buckets_away").await;
    let bucket = s3::bucket("away").await;
    let fire = Fire::start(&bucket.endpoint).await;
    let world = &scattered.world;
    let url = format!("s3://{}/away", bucket.name);
    let run = |code: i32, words: &[&str]| {
        let job = world.folder.path().display().to_string();
        let args = ["transform", words[0], &job].into_iter().chain(words[1..].iter().copied());
        let mut envs = bucket.env();
        envs.retain(|(name, _)| name != "AWS_ENDPOINT_URL_S3");
        envs.push(("AWS_ENDPOINT_URL_S3".into(), fire.endpoint.clone()));
        envs.push(("DATABASE_URL".into(), world.database.url()));
        let output = crate::support::merganser(args, envs);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        said
    };
    run(0, &["plan", "--store", &url, "--bucket-mib", "1"]);
    let failed = "select count(*) from etl.transform_groups where failures > 0 or error is not null";
    fire.strike("PUT", ".parquet", Fault::Answer(503, "SlowDown"), 60);
    fire.strike("GET", ".parquet", Fault::Answer(503, "SlowDown"), 60);
    let said = run(0, &["work"]);
    assert!(said.matches("the store does not answer, and is asked again").count() >= 4, "{said}");
    assert_eq!(world.one(failed).await, "0");
    world.assert_whole().await;
    // A store that denies access is not waited for, and fails no partition either.
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    run(0, &["plan", "--store", &url, "--bucket-mib", "1"]);
    fire.strike("PUT", ".parquet", Fault::Answer(403, "AccessDenied"), 1);
    assert!(run(1, &["work"]).contains("s3:PutObject"));
    assert_eq!(world.one(failed).await, "0");
    run(0, &["work"]);
    let versions = "select string_agg(distinct version::text, ', ') from companies_clean";
    assert_eq!(world.one(versions).await, "2");
}

#[tokio::test]
async fn a_machine_that_does_not_see_the_store_is_told() {
    let scattered = Scattered::new("buckets_sight").await;
    scattered.expect(0, &["plan"]);
    fs::remove_dir_all(scattered.store.path().join("private")).unwrap();
    let said = scattered.expect(1, &["work"]);
    assert!(said.contains("cannot be seen from this machine"), "{said}");
    // Another version of the cleaning is planned without a store.
    scattered.world.edit("clean.duckdb.sql", "1 as version", "1 as version -- again");
    scattered.world.expect(0, &["work", "--anew"]);
    scattered.world.assert_whole().await;
    scattered.world.expect(2, &["work", "--keep-buckets"]);
}
