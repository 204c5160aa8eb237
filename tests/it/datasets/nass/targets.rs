//! Which tables a run may be sent into, and how they are named in what is to be typed next.

use super::world::{World, lines, records};

#[tokio::test]
async fn our_own_schemas_take_no_tables_and_hints_name_the_schema() {
    let world = World::new("nass own schemas", records(2014..=2014, 30), 2_000).await;
    let url = world.server.api_url();
    for (table, said) in [
        ("etl_staging.zz", "schema etl_staging is for the tables of a run under way"),
        ("etl.zz", "schema etl is for the ledger"),
        ("pg_catalog.zz", "cannot be the name of a schema"),
    ] {
        let ran = world.run("2014", "2014", &["--table", table]).await.exits(2);
        assert!(ran.stderr.contains(said) && ran.stderr.contains("Nothing was done."), "{}", ran.stderr);
        for words in [
            &["check", "nass", "--from", "2014", "--api-url", &url][..],
            &["reprocess", "nass", "*"],
            &["retry", "nass"],
            &["adopt", "nass"],
            &["map", "nass", "--by", "county", "--out", "x.svg"],
        ] {
            world.pipeline.other(&[words, &["--table", table]].concat()).await.exits(2).says(said);
        }
    }
    world.run("2014", "2014", &["--schema", "etl_staging"]).await.exits(2).says("--schema (DB_SCHEMA)");
    world
        .pipeline
        .other(&["reprocess", "oca", "*", "--schema", "etl_staging"])
        .await
        .exits(2)
        .says("run under way");
    assert_eq!(world.server.log(), []);

    let table = ["--table", "figures.facts"];
    world.run("2014", "2014", &table).await.exits(0);
    world.pipeline.execute("alter table figures.facts drop constraint facts_pkey").await;
    let command = "merganser adopt nass --table figures.facts";
    world.run("2014", "2014", &table).await.says(&format!("{command} --fix adds it"));
    let check = ["check", "nass", "--from", "2014", "--api-url", &url];
    world.pipeline.other(&[&check[..], &table].concat()).await.says(&format!("{command} shows the SQL"));
    let adopted = world.pipeline.other(&[&["adopt", "nass"], &table[..]].concat()).await.exits(0);
    adopted.says(&format!("so does {command} --fix:"));
}

/// A name that is a word of SQL, or one that our own SQL uses.
#[tokio::test]
async fn a_table_may_have_a_word_of_the_language_as_its_name() {
    let world = World::new("nass words", records(2014..=2014, 30), 2_000).await;
    let url = world.server.api_url();
    world.run("2014", "2014", &[]).await.exits(0);
    let facts = world.pipeline.one("select count(*) from nass_facts").await;
    for table in ["select", "order", "desc", "user", "twice"] {
        world.run("2014", "2014", &["--table", table]).await.exits(0);
        assert_eq!(world.pipeline.one(&format!("select count(*) from \"{table}\"")).await, facts);
    }
    let table = ["--table", "select"];
    world.pipeline.other(&[&["reprocess", "nass", "2014*", "--force"], &table[..]].concat()).await.exits(0);
    let check = ["check", "nass", "--from", "2014", "--api-url", &url];
    world.pipeline.other(&[&check[..], &table].concat()).await.says("the 1 of schema public are as expected");
    for table in ["files", "records", "sealed", "failed", "losers"] {
        let ran = world.run("2014", "2014", &["--table", table]).await.exits(2);
        assert!(ran.stderr.contains("choose another one"), "{}", ran.stderr);
    }
}

/// Failed records of two tables, one of which was filled from bulk files: each has its own way out.
#[tokio::test]
async fn failed_records_of_another_table_are_listed_and_taken_again_on_their_own() {
    let mut all = records(2014..=2015, 100);
    let text = String::from_utf8(lines(&all)).unwrap();
    let (header, rest) = text.split_once('\n').unwrap();
    let (line, behind) = rest.split_once('\n').unwrap();
    let short = format!("{header}\n{}\n{behind}", line.rsplit_once('\t').unwrap().0);
    all.set(7, merganser::datasets::nass::columns::VALUE, "about ten");
    let world = World::new("nass two failures", all, 2_000).await;
    world.write_lines("crops", "2026-01-02", short.as_bytes());
    world.run("2014", "2015", &[]).await.exits(3);
    let url = format!("dir:{}", world.bulk().display());
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str(), "--filter", "sector_desc=CROPS"];
    world.run("2014", "2015", &[&bulk[..], &["--table", "figures.b"]].concat()).await.exits(3);
    let (retry, again) = ("merganser retry nass", "merganser run nass --table figures.b … --via bulk");
    let both = world.pipeline.other(&["failures"]).await.exits(0);
    let next = both.stdout.lines().last().unwrap();
    let (_, next) = next.split_once("when the cause is removed: ").unwrap();
    let mut commands: Vec<_> = next.split("; ").collect();
    commands.sort_unstable();
    assert_eq!(commands, [retry, again]);
    let of = async |more: &[&str]| {
        let words = [&["failures", "--dataset", "nass"], more].concat();
        world.pipeline.other(&words).await.exits(0).stdout
    };
    let first = of(&[]).await;
    assert!(first.contains("about ten") && first.ends_with(&format!("removed: {retry}\n")), "{first}");
    for table in ["b", "figures.b"] {
        let second = of(&["--table", table]).await;
        assert!(
            second.contains("38 columns") && second.ends_with(&format!("removed: {again}\n")),
            "{second}"
        );
        assert!(!second.contains("about ten"), "{second}");
    }
    assert_eq!(of(&["--table", "public.b"]).await, "No failed records.\n");
    world.pipeline.other(&["failures", "--table", "b"]).await.exits(2).says("--dataset");
}
