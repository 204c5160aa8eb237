//! Wrong jobs, and tables that a job cannot clean.

use super::world::World;

#[tokio::test]
async fn what_cannot_be_is_refused_by_the_plan_and_changes_nothing() {
    let world = World::new("transform_bad", 1_000).await;
    let refused = |code: i32, words: &[&str]| {
        let said = world.expect(code, &["plan"]);
        for word in words {
            assert!(said.contains(word), "no `{word}` in: {said}");
        }
    };
    let with = async |file: &str, from: &str, to: &str, code: i32, words: &[&str]| {
        let before = std::fs::read_to_string(world.folder.path().join(file)).unwrap();
        world.edit(file, from, to);
        refused(code, words);
        world.put(file, &before);
    };
    with(
        "job.toml",
        "key = \"zip_code\"",
        "kye = \"zip_code\"",
        2,
        &["[source] has no field `kye`", "did you mean `key`?"],
    )
    .await;
    for own in ["etl", "etl_staging"] {
        let (from, to) = ("public.companies_clean", format!("{own}.companies_clean"));
        with("job.toml", from, &to, 2, &[&format!("[target] table: schema {own} is for the ")]).await;
    }
    with(
        "job.toml",
        "group_rows = 400",
        "group_rows = 0",
        2,
        &["group_rows must be 1 or more", "docs/transform.md says what it takes"],
    )
    .await;
    with("job.toml", "sql = \"clean", "sql = \"none", 2, &["none.duckdb.sql cannot be read"]).await;
    with(
        "job.toml",
        "companies_raw",
        "companies_wra",
        1,
        &["there is no table public.companies_wra", "The database is unchanged"],
    )
    .await;
    with(
        "job.toml",
        "key = \"zip_code\"",
        "key = \"zip_cod\"",
        1,
        &["has no column `zip_cod`", "did you mean `zip_code`?"],
    )
    .await;
    with("job.toml", "key = \"zip_code\"", "key = \"revenue\"", 1, &["cannot be a key", "numeric(14,2)"])
        .await;
    with(
        "job.toml",
        "[target]\ntable = \"public.",
        "[target]\ntable = \"nowhere.",
        1,
        &["there is no schema nowhere"],
    )
    .await;
    with("clean.duckdb.sql", "select id", "selec id", 1, &["the cleaning cannot be", "syntax error"]).await;
    with(
        "clean.duckdb.sql",
        "upper(trim(name))",
        "upper(trim(nmae))",
        1,
        &["the cleaning cannot be", "nmae"],
    )
    .await;
    with(
        "clean.duckdb.sql",
        "1 as version",
        "1 as versoin",
        1,
        &["a column `versoin`", "did you mean `version`?"],
    )
    .await;
    with("clean.duckdb.sql", ", 1 as version", "", 1, &["does not give `version`, which must have a value"])
        .await;
    with("clean.duckdb.sql", "id, zip_code,", "id,", 1, &["does not give `zip_code`, the key"]).await;
    with(
        "clean.duckdb.sql",
        "partition by zip_code order by id",
        "order by id",
        1,
        &["different rows for the partition", "partition by zip_code"],
    )
    .await;
    with(
        "companies_clean.pg.sql",
        ":\"schema\".:\"table\" (\nid",
        "public.other (\nid",
        1,
        &["run companies_clean.pg.sql failed", "does not exist"],
    )
    .await;
    with("companies_clean.pg.sql", "id bigint primary", "id bigin primary", 1, &["bigin"]).await;
    with(
        "companies_clean.pg.sql",
        "zip_code text",
        "zip_code varchar(9)",
        1,
        &["carried unchanged, byte for byte"],
    )
    .await;
    // None of them left anything behind.
    let left = "select count(*) from pg_tables where schemaname = 'public'";
    assert_eq!(world.one(left).await, "1");
    assert_eq!(world.one("select count(*) from etl.transform_versions").await, "0");
    assert_eq!(world.one("select count(*) from etl.runs").await, "0");
}

#[tokio::test]
async fn a_target_that_others_depend_on_is_refused_with_what_does() {
    let world = World::new("transform_target", 500).await;
    world.run("create view companies_clean as select 1 as id").await;
    assert!(world.expect(1, &["plan"]).contains("is a view"));
    world.run("drop view companies_clean").await;
    world.expect(0, &["work"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let things = [
        (
            "create materialized view m as select count(*) from companies_clean",
            "drop materialized view m",
            "materialised view public.m",
        ),
        (
            "create table child (id bigint references companies_clean)",
            "drop table child",
            "foreign key child_id_fkey of public.child",
        ),
        (
            "create rule r as on delete to companies_clean do instead nothing",
            "drop rule r on companies_clean",
            "rule r",
        ),
        (
            "create function f(companies_clean) returns int language sql as 'select 1'",
            "drop function f",
            "function public.f(public.companies_clean)",
        ),
    ];
    for (make, drop, words) in things {
        world.run(make).await;
        let said = world.expect(1, &["plan"]);
        assert!(said.contains(words), "no `{words}` in: {said}");
        world.run(drop).await;
    }
    world.expect(0, &["work"]);
}

#[tokio::test]
async fn a_role_without_rights_is_told_which_ones() {
    let world = World::new("transform_rights", 500).await;
    let role = format!("worker_{}", world.database.name());
    world
        .run(&format!(
            "create role {role} login; grant create on database {} to {role}",
            world.database.name()
        ))
        .await;
    let folder = world.folder.path().display().to_string();
    let planned = |more: &[&str]| {
        let args = [&["transform", "plan", &folder], more].concat();
        let args = args.into_iter().map(str::to_owned);
        let output = crate::support::merganser(args, [("DATABASE_URL", world.database.url_as(&role))]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (plan, plan_anew) = (|| planned(&[]), || planned(&["--anew"]));
    let (code, said) = plan();
    assert!(code == Some(1) && said.contains("our role may not read public.companies_raw"), "{said}");
    assert!(said.contains(&format!("grant select on public.companies_raw to {role};")), "{said}");
    world.run(&format!("grant select on companies_raw to {role}")).await;
    let (code, said) = plan();
    assert!(code == Some(1) && said.contains("may not make a table in the schema public"), "{said}");
    assert!(said.contains(&format!("grant create on schema public to {role};")), "{said}");
    world.run(&format!("grant create on schema public to {role}")).await;
    let (code, said) = plan();
    assert_eq!(code, Some(0), "{said}");
    // The owner of the table in place gets the new one, too.
    world
        .run(&format!(
            "create table companies_clean (like companies_raw); create role {role}_2; grant {role}_2 to {role};
            alter table companies_clean owner to {role}_2"
        ))
        .await;
    let (code, said) = plan_anew();
    assert!(
        code == Some(1) && said.contains(&format!("grant create on schema public to {role}_2;")),
        "{said}"
    );
    world.run(&format!("drop owned by {role}, {role}_2; drop role {role}, {role}_2")).await;
}

#[tokio::test]
async fn a_key_that_the_cleaning_changes_is_shown_and_nothing_of_it_is_written() {
    let world = World::new("transform_astray", 2_000).await;
    world.edit(
        "clean.duckdb.sql",
        "id, zip_code,",
        "id, case when id = 901 then 'elsewhere' else zip_code end as zip_code,",
    );
    let said = world.expect(3, &["work"]);
    assert!(said.contains("1 group failed"), "{said}");
    let status = world.status();
    let error = status["poison"][0]["error"].as_str().unwrap();
    assert!(error.contains("a key that no row went in with: zip_code is `elsewhere`"), "{error}");
}

#[tokio::test]
async fn more_rows_and_no_rows_are_counted() {
    let world = World::new("transform_counts", 1_000).await;
    world.put("companies_clean.pg.sql", "create table :\"schema\".:\"table\" (zip_code text, n int);");
    world.put("clean.duckdb.sql", "select zip_code, unnest([1, 2]) as n from raw where zip_code <> '00000'");
    world.expect(0, &["work"]);
    let rows = &world.status()["rows"];
    let figure = |name: &str| rows[name].as_i64().unwrap();
    assert!(figure("made") > 0 && figure("dropped") > 0, "{rows}");
    assert_eq!(figure("in") + figure("made"), figure("out") + figure("dropped") + figure("failed"));
    let count = "select count(*) * 2 from companies_raw where zip_code <> '00000'";
    assert_eq!(world.one("select count(*) from companies_clean").await, world.one(count).await);
}

#[tokio::test]
async fn a_trigger_that_leaves_rows_out_is_found() {
    let world = World::new("transform_trigger", 500).await;
    world.edit(
        "companies_clean.pg.sql",
        "create index on",
        "create function pg_temp.f() returns trigger language plpgsql as $$ begin return null; end $$;\n\
         create or replace function public.leave_out() returns trigger language plpgsql as\n\
         $$ begin if new.id = 3 then return null; end if; return new; end $$;\n\
         create trigger t before insert on :\"schema\".:\"table\" for each row execute function public.leave_out();\n\
         create index on",
    );
    world.expect(3, &["work"]);
    let error = world.status()["poison"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("does a trigger leave some out?"), "{error}");
}

#[tokio::test]
async fn a_cleaning_that_looks_across_partitions_is_refused_however_large_they_are() {
    let world = World::new("transform_across", 3_000).await;
    // No two partitions fit into the sample of a table without an index.
    world
        .run("drop index companies_raw_zip_code_idx; update companies_raw set zip_code = (id % 3)::text")
        .await;
    world.edit("clean.duckdb.sql", "partition by zip_code order by id", "order by id");
    let said = world.expect(1, &["plan"]);
    assert!(said.contains("different rows for the partition"), "{said}");
    world.edit("clean.duckdb.sql", "order by id", "partition by zip_code order by id");
    world.expect(0, &["plan"]);
    // What could not be tried is said.
    world.edit("clean.duckdb.sql", "upper(trim(name))", "(name || 'x')::integer::text");
    let said = world.expect(0, &["plan"]);
    assert!(said.contains("whether it looks across partitions is not known"), "{said}");
}

#[tokio::test]
async fn a_target_key_that_does_not_hold_the_sources_is_refused() {
    let world = World::new("transform_key_type", 500).await;
    world
        .run(
            "create collation nd (provider = icu, locale = 'und', deterministic = false);
            alter table companies_raw alter zip_code type varchar(10)",
        )
        .await;
    let types = [
        ("varchar(10)", None),
        ("varchar(5)", Some("narrower")),
        ("varchar(10) collate public.nd", Some("different texts are equal")),
        ("varchar", None),
    ];
    let script = std::fs::read_to_string(world.folder.path().join("companies_clean.pg.sql")).unwrap();
    for (kind, words) in types {
        world.put("companies_clean.pg.sql", &script.replace("zip_code text", &format!("zip_code {kind}")));
        let said = world.expect(i32::from(words.is_some()), &["plan"]);
        assert!(words.is_none_or(|words| said.contains(words)), "{kind}: {said}");
    }
}

#[tokio::test]
async fn a_script_that_names_an_index_is_told_why_the_second_version_fails() {
    let world = World::new("transform_named", 500).await;
    world.edit("companies_clean.pg.sql", "create index on", "create index by_zip on");
    world.expect(0, &["work"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let said = world.expect(1, &["plan"]);
    assert!(said.contains("by_zip") && said.contains("leave the name"), "{said}");
}
