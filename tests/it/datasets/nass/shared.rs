//! What runs share: answers of the archive that hold more than is wanted, and runs at once.

use super::world::{World, records};
use crate::support::quickstats::Kind;

/// A part of one large answer is taken from the archive: one count says that nothing changed.
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
    // Another year of the same answer comes beside it, and nothing of the first goes.
    world.run("2015", "2015", &[]).await.exits(0);
    world.holds(2014..=2015).await;
    // The large part itself is processed again as what it was asked for.
    world.server.forget();
    world.pipeline.execute("delete from all_years where year = 2013").await;
    world.pipeline.other(&["reprocess", "nass", "2013*", "--force", "--table", "all_years"]).await.exits(0);
    assert_eq!(world.pipeline.one("select count(*) from all_years").await, "1494");
    assert_eq!(world.server.log(), []);
    // It was revised, and its count says so.
    world.server.change(|api| api.records = std::sync::Arc::new(records(2013..=2015, 103)));
    world.run("2014", "2014", &[]).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 1);
}

/// Two tables have locks of their own: overlapping years are gathered at once, into one archive.
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

/// A value that is not there is refused before any record is asked for; each list and each count is a call.
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
    // It is in the archive: nobody is asked whether there is such a value.
    world.server.forget();
    world.run("2014", "2014", &["--filter", "commodity_desc=corn"]).await.exits(0);
    assert_eq!(world.server.calls(Kind::Values), 0);
}

/// So few records an answer that a county and year cannot be split any further: the part is named, and nothing is fetched for nothing.
#[tokio::test]
async fn what_cannot_be_split_is_named() {
    let world = World::new("nass unsplittable", records(2014..=2014, 300), 10).await;
    let ran = world.run("2014", "2014", &[]).await;
    assert_ne!(ran.code, 0);
    for words in [
        "more than the 10 of one answer, and cannot be split further",
        "county_code",
        "The database is unchanged.",
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
        for via in ["api", "bulk"] {
            let ran = world.run("2014", "2014", &[&filters[..], &["--via", via]].concat()).await.exits(2);
            assert!(ran.stderr.contains(words), "{}", ran.stderr);
        }
    }
    assert_eq!(world.server.log(), []);
}
