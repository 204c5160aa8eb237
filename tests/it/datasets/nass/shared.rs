//! Answers in the archive that hold more than a run wants, and runs at the same time.

use super::world::{World, records};
use crate::support::quickstats::Kind;

/// A part of a larger answer is taken from the archive, after one count shows that nothing changed.
#[tokio::test]
async fn what_lies_in_one_larger_answer_is_taken_from_it() {
    let world = World::new("nass larger", records(2013..=2015, 100), 2_000).await;
    world.run("2013", "2015", &["--table", "all_years"]).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 1);
    world.server.forget();
    world.run("2014", "2014", &[]).await.exits(0);
    assert_eq!((world.server.calls(Kind::Count), world.server.calls(Kind::Data)), (2, 0));
    world.holds(2014..=2014).await;
    let counted =
        "select concat_ws(' ', expected_records, records_seen, records_loaded, slice::text like '%2014%')
        from etl.parts order by part_id desc limit 1";
    assert_eq!(world.pipeline.one(counted).await, "498 498 498 t");
    // Another year of the same answer is added, and nothing of the first goes.
    world.run("2015", "2015", &[]).await.exits(0);
    world.holds(2014..=2015).await;
    // The large part is processed again with the filter that it was fetched for.
    world.server.forget();
    world.pipeline.execute("delete from all_years where year = 2013").await;
    world.pipeline.other(&["reprocess", "nass", "2013*", "--force", "--table", "all_years"]).await.exits(0);
    assert_eq!(world.pipeline.one("select count(*) from all_years").await, "1494");
    assert_eq!(world.server.log(), []);
    // The year was revised, as its count shows.
    world.server.change(|api| api.records = std::sync::Arc::new(records(2013..=2015, 103)));
    world.run("2014", "2014", &[]).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 1);
}

/// Two tables have locks of their own: overlapping years are fetched at the same time, into one archive.
#[tokio::test]
async fn two_tables_are_filled_at_once_from_one_archive() {
    let world = World::new("nass at once", records(2013..=2016, 300), 1_000).await;
    let other = ["--table", "others"];
    let (one, two) = tokio::join!(world.run("2013", "2015", &[]), world.run("2014", "2016", &other));
    one.exits(0);
    two.exits(0);
    world.holds(2013..=2015).await;
    let years = "select string_agg(year || ':' || n, ' ' order by year)
        from (select year, count(*) as n from others group by year) as years";
    assert_eq!(world.pipeline.one(years).await, "2014:1500 2015:1500 2016:1500");
    world.server.forget();
    world.run("2013", "2015", &[]).await.exits(0);
    world.run("2014", "2016", &other).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 0);
}

/// The target of another table has a name that no command takes: what is typed is the dataset and the table.
#[tokio::test]
async fn what_another_table_lacks_is_added_by_the_command_that_is_named() {
    let world = World::new("nass adopt", records(2014..=2014, 30), 2_000).await;
    let url = world.server.api_url();
    let table = ["--table", "nearly"];
    world.run("2014", "2014", &table).await.exits(0);
    world.pipeline.execute("alter table nearly drop constraint nearly_pkey").await;
    let command = "merganser adopt nass --table nearly";
    world.run("2014", "2014", &table).await.says(&format!("{command} --fix adds it"));
    let check = ["check", "nass", "--from", "2014", "--api-url", &url, "--table", "nearly"];
    world.pipeline.other(&check).await.says(&format!("{command} shows the SQL"));
    let adopt = ["adopt", "nass", "--table", "nearly"];
    world.pipeline.other(&adopt).await.exits(0).says(&format!("so does {command} --fix:"));
    world.pipeline.other(&[&adopt[..], &["--fix"]].concat()).await.exits(0).says("primary key (record_id)");
    let key = "select count(*) from pg_constraint where conrelid = 'nearly'::regclass and contype = 'p'";
    assert_eq!(world.pipeline.one(key).await, "1");
    let run = world.pipeline.one("select run_id from etl.runs where kind = 'run' order by 1 limit 1").await;
    world
        .pipeline
        .other(&["undo", &run, "--allow", "drop"])
        .await
        .says("No run takes these files again.\n")
        .says("brings all of it back");
}

/// A value that does not exist is refused before any record is asked for, with one call for its list and one for the
/// count.
#[tokio::test]
async fn a_value_that_is_not_there_is_refused_with_what_is_near() {
    let world = World::new("nass values", records(2014..=2014, 30), 2_000).await;
    for (filter, words) in [
        ("commodity_desc=CRON", "commodity_desc is never CRON; near to it: CORN"),
        ("commodity_desc__NE=OAT", "commodity_desc is never OAT; near to it: OATS"),
        ("class_desc=CLAS 12", "class_desc is never CLAS 12; near to it: CLASS 12"),
    ] {
        let ran = world.run("2014", "2014", &["--filter", filter]).await.exits(2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert_eq!((world.server.calls(Kind::Values), world.server.calls(Kind::Count)), (1, 1));
        assert_eq!(world.server.calls(Kind::Data), 0);
        world.server.forget();
    }
    world.run("2014", "2014", &["--filter", "commodity_desc=corn"]).await.exits(0);
    assert_eq!(
        world.pipeline.one("select string_agg(distinct commodity_desc, ' ') from nass_facts").await,
        "CORN"
    );
    // The answer is in the archive, so the service is not asked whether the value exists.
    world.server.forget();
    world.run("2014", "2014", &["--filter", "commodity_desc=corn"]).await.exits(0);
    assert_eq!(world.server.calls(Kind::Values), 0);
}

/// One answer holds so few records that a county and year cannot be split further: the message names the part, and
/// nothing is fetched in vain.
#[tokio::test]
async fn what_cannot_be_split_is_named() {
    let world = World::new("nass unsplittable", records(2014..=2014, 300), 10).await;
    let ran = world.run("2014", "2014", &[]).await;
    assert_ne!(ran.code, 0);
    for words in [
        "more than the 10 of one answer, and cannot be split further",
        "county_code",
        "The database is unchanged.",
        "or take the bulk files with --via bulk",
    ] {
        assert!(ran.stderr.contains(words), "no {words} in {}", ran.stderr);
    }
}

/// What is compared is the same for the service, for a record and for the rows that are replaced, so both ways give equal rows,
/// also where a second run replaces them.
#[tokio::test]
async fn bounds_mean_the_same_for_the_service_the_records_and_the_table() {
    let all = records(2014..=2014, 300);
    let world = World::new("nass bounds", all.clone(), 500).await;
    world.write_bulk("crops", "2026-01-02", &all);
    let url = world.server.bulk_url();
    let crops = ["--filter", "sector_desc=CROPS"];
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str(), "--table", "by_bulk"];
    for (filters, expected) in [
        (&["county_code__GE=021", "county_code__LE=041"][..], "county_code between '021' and '041'"),
        (&["county_code__LT=005"], "coalesce(county_code, '') < '005'"),
        (&["state_alpha__GT=CA"], "state_alpha > 'CA'"),
        (
            &["asd_code__GE=30", "state_alpha__NE=TX", "county_code__NE=998"],
            "asd_code >= '30' and state_alpha <> 'TX' and county_code is distinct from '998'",
        ),
        (
            &["class_desc__NOT_LIKE=%1%", "county_code__GT=050"],
            "class_desc not like '%1%' and county_code > '050'",
        ),
    ] {
        let filters: Vec<_> = filters.iter().flat_map(|filter| ["--filter", filter]).collect();
        for _ in 0..2 {
            world.run("2014", "2014", &filters).await.exits(0);
            world.run("2014", "2014", &[&bulk[..], &crops, &filters].concat()).await.exits(0);
        }
        let counts = "select (select count(*) from nass_facts where not (EXPECTED)) || ' ' || (select count(*) from
            (select * from nass_facts except select * from by_bulk) as a) || ' ' || (select count(*) from
            (select * from by_bulk except select * from nass_facts) as b) || ' ' || ((select count(*) from nass_facts) > 0)";
        let counts = counts.replace("EXPECTED", expected);
        assert_eq!(world.pipeline.one(&counts).await, "0 0 0 true", "{filters:?}");
        world.pipeline.execute("truncate nass_facts, by_bulk").await;
        let told = world.pipeline.one("select count(*) from etl.parts where status like '%fail%'").await;
        assert_eq!(told, "0", "{filters:?}: a record that was not asked for came");
    }
}

#[tokio::test]
async fn what_the_service_takes_in_another_way_is_refused_before_it_is_asked() {
    let world = World::new("nass twice", records(2014..=2014, 10), 2_000).await;
    for (filters, words) in [
        (
            ["commodity_desc__NE=CORN", "commodity_desc__NE=OATS"],
            "compares commodity_desc in the same way more than once",
        ),
        (["county_code__GE=10", "county_code__LE=20"], "each county_code has 3 digits"),
    ] {
        let filters: Vec<_> = filters.iter().flat_map(|filter| ["--filter", filter]).collect();
        for via in [&["--via", "api"][..], &["--via", "bulk", "--bulk-url", "dir:."]] {
            let ran = world.run("2014", "2014", &[&filters[..], via].concat()).await.exits(2);
            assert!(ran.stderr.contains(words), "{}", ran.stderr);
        }
    }
    assert_eq!(world.server.log(), []);
}
