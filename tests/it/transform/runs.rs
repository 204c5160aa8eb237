//! From a raw table to a clean one, and the messages on the way.

use super::world::World;

#[tokio::test]
async fn the_clean_table_is_what_the_cleaning_in_one_piece_makes() {
    let world = World::new("transform_runs", 20_000).await;
    let said = world.expect(0, &["plan"]);
    assert!(said.contains("20,000 rows of public.companies_raw"), "{said}");
    assert!(
        said.contains("NULL (40 rows), empty (60 rows)")
            && said.contains("` 10001`")
            && said.contains("`10001 `"),
        "{said}"
    );
    assert!(!said.contains("warning: no index"), "{said}");
    // A plan changes only the ledger, and a second plan says that there is one.
    assert_eq!(
        world.one("select count(*) from pg_tables where tablename like 'companies_clean%'").await,
        "0"
    );
    assert!(world.expect(0, &["plan"]).contains("was planned at"));
    let planned = world.status();
    assert_eq!((&planned["state"], &planned["partitions"]["done"]), (&"planned".into(), &0.into()));

    let said = world.expect(0, &["work"]);
    assert!(said.contains("is in place as public.companies_clean"), "{said}");
    world.assert_whole().await;
    let status = world.status();
    assert_eq!(status["state"], "swapped");
    assert_eq!(status["partitions"]["done"], status["partitions"]["total"]);
    let rows = &status["rows"];
    let figure = |name: &str| rows[name].as_i64().unwrap();
    assert_eq!((figure("in"), figure("out"), figure("dropped")), (20_000, 19_600, 400));
    assert_eq!(figure("in") + figure("made"), figure("out") + figure("dropped") + figure("failed"));
    let text = world.expect(0, &["status"]);
    assert!(text.contains("swapped") && text.contains("largest:") && text.contains("slowest:"), "{text}");
    // The ledger has each partition, with its cost.
    let counted = "select count(*) from etl.transform_partitions as p join etl.transform_groups as g using (version_id, group_no)
        where g.attempts = 1 and g.bytes_in > 0 and g.finished_at >= g.claimed_at and g.peak_memory_bytes > 0
            and p.rows_in = p.rows_planned and g.error is null";
    assert_eq!(world.one(counted).await, status["partitions"]["total"].to_string());
    // Another worker finds nothing to do.
    assert!(world.expect(0, &["work"]).contains("is in place"));
    // The run has ended in the ledger, and other commands show it.
    assert_eq!(world.one("select status from etl.runs where kind = 'transform'").await, "completed");
}

#[tokio::test]
async fn one_partition_at_a_time_comes_to_the_same() {
    let world = World::new("transform_single", 3_000).await;
    world.edit("job.toml", "[clean]\n", "[clean]\ngrouped = false\n");
    // With one partition at a time, the query may look across all rows of it.
    world.edit("clean.duckdb.sql", "partition by zip_code order by id", "order by id");
    world.expect(0, &["run", "--workers", "1"]);
    world.assert_whole().await;
}

#[tokio::test]
async fn several_workers_and_giants_in_parts_come_to_the_same() {
    let world = World::new("transform_workers", 30_000).await;
    world.edit("job.toml", "group_rows = 400", "group_rows = 100");
    world.edit("job.toml", "[clean]\n", "[clean]\nrow_wise = true\n");
    world.edit("clean.duckdb.sql", "row_number() over (partition by zip_code order by id)", "id");
    let said = world.expect(0, &["run", "--workers", "3"]);
    assert!(said.contains("giants that are split by pages"), "{said}");
    let truth =
        super::world::IN_ONE_PIECE.replace("row_number() over (partition by zip_code order by id)", "id");
    assert_eq!(world.differing("companies_clean", &truth).await, "0 too many, 0 missing");
    assert_ne!(world.one("select count(*) from etl.transform_partitions where part_no > 0").await, "0");
    assert_eq!(world.one("select count(distinct worker_id) > 1 from etl.transform_groups").await, "true");
}

#[tokio::test]
async fn a_poison_partition_stops_nobody_and_is_not_success() {
    let world = World::new("transform_poison", 4_000).await;
    world.edit(
        "clean.duckdb.sql",
        "upper(trim(name))",
        "case when zip_code = '00007' then error('bad zip') else upper(trim(name)) end",
    );
    let said = world.expect(3, &["work"]);
    assert!(said.contains("1 group failed again and again"), "{said}");
    let status = world.status();
    let (partitions, poison) = (&status["partitions"], &status["poison"]);
    assert_eq!((&partitions["poison"], &poison[0]["key"]), (&1.into(), &"00007".into()));
    assert!(poison[0]["error"].as_str().unwrap().contains("bad zip"), "{poison}");
    assert_eq!(poison[0]["attempts"], 3);
    assert_eq!(partitions["done"].as_i64().unwrap() + 1, partitions["total"].as_i64().unwrap());
    assert_eq!(world.one("select to_regclass('companies_clean') is null").await, "true");
    assert_eq!(status["rows"]["failed"], poison[0]["rows"]);
    // An operator may have it tried again.
    assert!(world.expect(0, &["retry"]).contains("1 poison group waiting again"));
    world.expect(3, &["work"]);
}

/// A full disk of the server is no fault of the partitions: the worker says so and ends, and nothing is poison.
#[tokio::test]
async fn a_server_that_takes_no_rows_poisons_nothing() {
    let world = World::new("transform_full", 4_000).await;
    let full = "create table disk (is_full boolean);
        insert into disk values (true);
        create function keep() returns trigger language plpgsql as $$
        begin
            if (select is_full from public.disk) and new.zip = '00007' then
                raise exception 'could not extend file' using errcode = '53100';
            end if;
            return new;
        end $$;";
    world.run(full).await;
    world.edit(
        "companies_clean.pg.sql",
        "create index on",
        "create trigger keep before insert on :\"schema\".:\"table\" for each row execute function public.keep();\ncreate index on",
    );
    let said = world.expect(1, &["work"]);
    assert!(said.contains("could not extend file"), "{said}");
    let partitions = &world.status()["partitions"];
    assert_eq!((&partitions["poison"], &partitions["running"]), (&0.into(), &0.into()), "{partitions}");
    assert_eq!(world.one("select max(failures) from etl.transform_groups").await, "0");
    world.run("update disk set is_full = false").await;
    world.expect(0, &["work"]);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_job_is_paused_and_goes_on() {
    let world = World::new("transform_pause", 2_000).await;
    world.expect(1, &["pause"]);
    world.expect(0, &["plan"]);
    world.expect(0, &["pause"]);
    assert!(world.expect(75, &["work"]).contains("is paused"));
    assert_eq!(world.status()["state"], "paused");
    world.expect(1, &["pause"]);
    world.expect(0, &["resume"]);
    world.expect(0, &["work"]);
    world.assert_whole().await;
    // A new version of a paused job is paused, too.
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    world.expect(0, &["plan"]);
    world.expect(0, &["pause"]);
    world.edit("clean.duckdb.sql", "2 as version", "3 as version");
    let said = world.expect(75, &["work"]);
    assert!(said.contains("its new version is paused too: merganser transform resume"), "{said}");
    world.expect(75, &["work"]);
    world.expect(0, &["resume"]);
    world.expect(0, &["work"]);
    assert_eq!(world.one("select min(version) || ' ' || max(version) from companies_clean").await, "3 3");
}

#[tokio::test]
async fn a_dry_run_shows_rows_and_writes_nothing() {
    let world = World::new("transform_dry", 2_000).await;
    let said = world.expect(0, &["work", "--dry-run"]);
    assert!(said.contains("rows in") && said.contains("FIRM "), "{said}");
    assert_eq!(world.one("select to_regclass('etl.transform_versions') is null").await, "true");
    assert_eq!(world.one("select count(*) from pg_tables where schemaname = 'public'").await, "1");
}

#[tokio::test]
async fn partitions_are_replaced_in_place() {
    let world = World::new("transform_in_place", 3_000).await;
    world.expect(1, &["work", "--in-place"]);
    world.expect(0, &["work"]);
    world.run("delete from companies_raw where zip_code = '00001'; update companies_raw set name = 'x' where zip_code = '00002'").await;
    let before = world.one("select 'companies_clean'::regclass::oid").await;
    world.run("create materialized view counted as select count(*) from companies_clean").await;
    world.expect(0, &["work", "--in-place", "--anew"]);
    world.assert_whole().await;
    assert_eq!(world.one("select 'companies_clean'::regclass::oid").await, before);
}

#[tokio::test]
async fn values_of_all_kinds_come_through_unchanged() {
    let world = World::new("transform_kinds", 10).await;
    world
        .run(
            "create table kinds (k int, a smallint, b int, c bigint, d real, e double precision, f numeric(20, 5), g numeric,
                h date, i time, j timestamp, l timestamptz, m bytea, n varchar(5), o char(4), p boolean, q uuid, r jsonb, s text[]);
            insert into kinds values
            (1, -32768, 2147483647, -9223372036854775808, 1.5e-10, 1.7976931348623157e308, -123456789012345.67891,
                12345678901234567890123456789012345678901234567890.123, '0001-01-01', '23:59:59.999999', '0044-03-15 12:00:00 BC',
                'infinity', '\\x00ff', 'äöü', 'a', true, '00000000-0000-0000-0000-000000000001', '{\"a\": [1, null]}', '{a,NULL,\"b c\"}'),
            (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
            (1, 0, 0, 0, 'NaN', '-Infinity', 0, 0, 'infinity', '00:00', '-infinity', '1969-12-31 23:59:59.5+00', '', '', '', false,
                null, 'null', '{}')",
        )
        .await;
    world.put("job.toml", "name = 'kinds'\n[source]\ntable = 'kinds'\nkey = 'k'\n[target]\ntable = 'kinds_clean'\ncreate = 'c.sql'\n[clean]\nsql = 'clean.sql'\n");
    world.put("c.sql", "create table :\"schema\".:\"table\" (like public.kinds);");
    world.put("clean.sql", "select * from raw");
    world.expect(0, &["work"]);
    let rows = |table: &str| format!("select t::text from {table} as t order by 1");
    assert_eq!(world.column(&rows("kinds_clean")).await, world.column(&rows("kinds")).await);
}

#[tokio::test]
async fn a_sample_is_held_against_its_truth() {
    let world = World::new("transform_test", 2_000).await;
    world.expect(2, &["test"]);
    let truth = super::world::IN_ONE_PIECE.replace("companies_raw", "companies_sample");
    world
        .run(&format!(
            "create table companies_sample as select * from companies_raw where id <= 300;
            create table companies_truth (id bigint, zip_code text, zip text, name text, founded date, revenue numeric(14, 2),
                seen timestamptz, rank bigint, version integer);
            insert into companies_truth {truth}"
        ))
        .await;
    let job = std::fs::read_to_string(world.folder.path().join("job.toml")).unwrap();
    let with = |truth: &str, key: &str| {
        world.put(
            "job.toml",
            &format!("{job}[test]\nsource = \"companies_sample\"\ntruth = \"{truth}\"\n{key}\n"),
        );
    };
    for key in ["", "key = \"id\""] {
        with("companies_truth", key);
        assert!(world.expect(0, &["test"]).contains("294 of the truth: the same"));
    }
    world.run("update companies_truth set name = 'OTHER' where id = 7; update companies_truth set founded = '2000-01-01' where id = 14; delete from companies_truth where id = 9").await;
    let said = world.expect(1, &["test"]);
    assert!(said.contains("3 differences.") && said.contains("`7`: name is `FIRM 7"), "{said}");
    assert!(said.contains("`14`: founded is NULL, and should be `2000-01-01`"), "{said}");
    assert!(said.contains("`9`: 1 row that should not be"), "{said}");
    // A truth with fewer columns. A quoted empty cell is an empty text; an unquoted one is NULL.
    world.run("delete from companies_sample where id not in (3, 333)").await;
    world.run("insert into companies_sample select * from companies_raw where id = 333").await;
    world.put("truth.csv", "id,zip_code,revenue\n333,\"\",3.33\n3,00015,0.03\n");
    with("truth.csv", "");
    world.expect(0, &["test"]);
    world.put("truth.csv", "id,zip_code,revenue\n333,,3.33\n3,00015,0.03\n");
    assert!(world.expect(1, &["test"]).contains("there is no row (`333`, NULL, `3.33`)"));
    world.put("truth.csv", "id,zpi_code\n333,\n");
    assert!(world.expect(1, &["test"]).contains("did you mean `zip_code`?"));
    // `test` leaves nothing behind.
    assert_eq!(
        world.one("select count(*) from pg_tables where tablename like 'companies_clean%'").await,
        "0"
    );
}

#[tokio::test]
async fn the_demo_kills_a_worker_and_swaps_a_version() {
    let database = crate::support::postgres::plain_database("transform_demo").await;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("demo").display().to_string();
    let args = ["demo", "transform", "--dir", &folder, "--database-url", &database.url()].map(str::to_owned);
    let output = crate::support::merganser(args, [("MERGANSER_QUIET", "yes")]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("is in place as public.companies_clean").count(), 2, "{said}");
    assert!(said.contains("What to try next"), "{said}");
    let client = database.client().await;
    let row = client
        .query_one("select count(*), count(*) filter (where name = lower(name)) from companies_clean", &[]);
    let row = row.await.unwrap();
    assert!(row.get::<_, i64>(0) > 10_000 && row.get::<_, i64>(0) == row.get::<_, i64>(1));
}
