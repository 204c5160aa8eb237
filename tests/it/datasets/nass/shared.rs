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
    ] {
        assert!(ran.stderr.contains(words), "no {words} in {}", ran.stderr);
    }
}
