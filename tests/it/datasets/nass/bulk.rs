//! Bulk files give the same records, from a folder or by HTTP, whatever happens to them on the way.

use std::fs;
use std::sync::Arc;

use merganser::datasets::nass::bulk::{self, SECTORS};
use merganser::datasets::nass::columns::{SECTOR, VALUE, YEAR, position};
use merganser::datasets::nass::quickstats::records::StatRecords;

use super::world::{World, lines, packed, records};
use crate::support::nass_values::real_values;
use crate::support::pipeline::Ran;
use crate::support::quickstats::{Kind, Trouble};

const DAY: &str = "2026-01-02";
const CROPS: &str = "sector_desc=CROPS";

async fn world(hint: &str, all: &StatRecords) -> World {
    let world = World::new(hint, all.clone(), 2_000).await;
    world.write_bulk("crops", DAY, all);
    world
}

impl World {
    /// A run over these years that reads the bulk file of the server's only sector.
    async fn by_http(&self, more: &[&str]) -> Ran {
        let url = self.server.bulk_url();
        let bulk = ["--via", "bulk", "--bulk-url", url.as_str(), "--filter", CROPS];
        self.run("2014", "2015", &[&bulk[..], more].concat()).await
    }

    /// Fails if a cell of one table differs from the other's.
    async fn are_the_same(&self, table: &str) {
        let differs = format!(
            "select count(*) from ((table nass_facts except all table {table})
            union all (table {table} except all table nass_facts)) as differs"
        );
        assert_eq!(self.pipeline.one(&differs).await, "0");
    }

    /// The ranges of bulk files that were asked for, with the answers' codes.
    fn ranges(&self) -> Vec<(Option<String>, u16)> {
        let asked = self.server.log().into_iter().filter(|asked| asked.kind == Kind::Bulk);
        asked.map(|asked| (asked.range, asked.status)).collect()
    }
}

/// Every cell is the same, and the API is not asked.
#[tokio::test]
async fn bulk_files_give_the_same_rows_from_a_folder_and_by_http() {
    let all = records(2013..=2015, 300);
    let world = world("nass bulk", &all).await;
    // An older file, and one that repeats what the sectors have, are not read.
    world.write_bulk("crops", "2025-01-02", &records(2001..=2014, 10));
    fs::write(world.bulk().join("qs.census2022_20260102.txt.gz"), packed(&lines(&all))).unwrap();
    let url = format!("dir:{}", world.bulk().display());
    let corn = ["--filter", "commodity_desc=CORN"];
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str(), "--table", "from_folder", "--filter", CROPS];
    world.run("2014", "2015", &[&bulk[..], &corn].concat()).await.exits(0);
    assert_eq!(world.server.log(), []);
    world.by_http(&[&["--table", "by_http"][..], &corn].concat()).await.exits(0);
    assert_eq!(world.ranges(), [(None, 200)]);
    assert_eq!(world.server.calls(Kind::Count) + world.server.calls(Kind::Data), 0);
    world.run("2014", "2015", &corn).await.exits(0);
    world.are_the_same("from_folder").await;
    world.are_the_same("by_http").await;
    let counted = "select count(*) from by_http where commodity_desc = 'CORN' and year > 2013";
    assert_eq!(world.pipeline.one(counted).await, "1500");
    let from = "select string_agg(distinct source, ' ') from etl.parts where name like 'qs.%' and source like 'http%'";
    assert_eq!(world.pipeline.one(from).await, world.server.bulk_url().trim_end_matches('/'));
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    let world = world("nass bulk cut", &records(2014..=2015, 600)).await;
    world.server.trouble(Kind::Bulk, 1..=2, Trouble::Cut);
    world.server.trouble(Kind::Bulk, 3..=3, Trouble::Failing(503));
    world.by_http(&[]).await.exits(0);
    world.holds(2014..=2015).await;
    let ranges = world.ranges();
    assert_eq!(ranges.iter().map(|(_, status)| *status).collect::<Vec<_>>(), [200, 206, 503, 206]);
    let size = fs::metadata(world.bulk().join("qs.crops_20260102.txt.gz")).unwrap().len();
    let begin = |at: usize| -> u64 {
        let range = ranges[at].0.as_deref().unwrap();
        range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap()
    };
    assert!(begin(1) > 0 && begin(1) < begin(3) && begin(3) < size, "{ranges:?} of {size}");
    assert_eq!(begin(2), begin(3), "the failed request gave no bytes");
}

#[tokio::test]
async fn a_file_that_changes_between_two_ranges_begins_anew() {
    let world = world("nass bulk changed", &records(2014..=2015, 600)).await;
    let newer = records(2014..=2015, 500);
    let path = world.bulk().join("qs.crops_20260102.txt.gz");
    let bytes = Arc::new(packed(&lines(&newer)));
    world.server.trouble(Kind::Bulk, 1..=1, Trouble::Cut);
    world.server.trouble(Kind::Bulk, 2..=2, Trouble::Writes(path, bytes));
    world.by_http(&[]).await.exits(0);
    world.server.change(|api| api.records = Arc::new(newer));
    world.holds(2014..=2015).await;
    assert_eq!(world.ranges().last().unwrap(), &(None, 200));
}

/// Without ranges and ETags, a broken download begins again, and is never joined from two halves.
#[tokio::test]
async fn a_server_without_ranges_gives_the_same_rows() {
    let world = world("nass bulk plain", &records(2014..=2015, 300)).await;
    world.server.trouble(Kind::Bulk, 1..=1, Trouble::Cut);
    world.server.trouble(Kind::Bulk, 2..=9, Trouble::Plain);
    world.by_http(&[]).await.exits(0);
    world.holds(2014..=2015).await;
}

/// A file that is no whole bulk file changes nothing, and the message says what is wrong.
#[tokio::test]
async fn a_bulk_file_that_is_none_changes_nothing() {
    let all = records(2014..=2015, 100);
    let world = world("nass bulk bad", &all).await;
    world.by_http(&[]).await.exits(0);
    let whole = lines(&all);
    let bytes = packed(&whole);
    let half = &bytes[..bytes.len() / 2];
    let headless = packed(&whole[whole.iter().position(|c| *c == b'\n').unwrap() + 1..]);
    let path = world.bulk().join("qs.crops_20260102.txt.gz");
    for (bytes, words) in [
        (half, "it breaks off"),
        (&headless, "does not begin with the names of its columns"),
        (b"<html>We are busy.</html>", "is a web page"),
        (b"", "is empty"),
    ] {
        fs::write(&path, bytes).unwrap();
        let ran = world.by_http(&[]).await;
        assert!(ran.code != 0 && ran.stderr.contains(words), "{} {}", ran.code, ran.stderr);
        world.holds(2014..=2015).await;
    }
    fs::remove_file(&path).unwrap();
    let ran = world.by_http(&[]).await.exits(1);
    assert!(ran.stderr.contains("has no bulk file of crops"), "{}", ran.stderr);
    let nowhere = format!("{}nowhere/", world.server.bulk_url());
    let ran = world
        .run("2014", "2015", &["--via", "bulk", "--bulk-url", &nowhere, "--filter", CROPS])
        .await
        .exits(1);
    assert!(ran.stderr.contains("HTTP 404") && ran.stderr.contains("with a browser"), "{}", ran.stderr);
    world.server.forget();
    world.server.trouble(Kind::Other, 1..=9, Trouble::Failing(401));
    let ran = world.by_http(&[]).await.exits(1).says("HTTP 401");
    ran.says("check that the address is right and public");
    let ran =
        world.run("2014", "2015", &["--via", "bulk", "--bulk-url", "http://example.org/"]).await.exits(2);
    assert!(ran.stderr.contains("begins with https://"), "{}", ran.stderr);
    world.holds(2014..=2015).await;
}

/// A byte-order mark, small letters, a line with 38 columns and one whose year cannot be read: readable lines are loaded, and
/// the others are failed records.
#[tokio::test]
async fn a_bulk_file_with_flaws_is_read_but_for_them() {
    let all = records(2014..=2015, 100);
    let world = world("nass bulk flaws", &all).await;
    let text = String::from_utf8(lines(&all)).unwrap();
    let (header, rest) = text.split_once('\n').unwrap();
    let flawed = format!("\u{feff}{}\r\n{rest}", header.to_lowercase());
    world.write_lines("crops", DAY, flawed.as_bytes());
    world.by_http(&[]).await.exits(0);
    world.holds(2014..=2015).await;
    let (line, behind) = rest.split_once('\n').unwrap();
    let short = format!("{header}\n{}\n{behind}", line.rsplit_once('\t').unwrap().0);
    world.write_lines("crops", DAY, short.as_bytes());
    world.by_http(&[]).await.exits(3);
    // Nobody can say which row the failed line was, so the old row stays.
    world.holds(2014..=2015).await;
    let failed = "select ordinal || ' ' || reason from etl.failed_records where resolved_at is null";
    assert_eq!(world.pipeline.one(failed).await, "1 it has 38 columns, and the header has 39");
    // The archive does not have the file, so the way out is another run.
    world.pipeline.other(&["failures"]).await.exits(0).says("removed: merganser run nass … --via bulk\n");
    for words in [&["retry", "nass"][..], &["reprocess", "nass", "qs.*", "--force"]] {
        let ran = world.pipeline.other(words).await.exits(1);
        for said in
            ["is a bulk file, which is not archived", "merganser run nass … --via bulk reads it again"]
        {
            assert!(ran.stderr.contains(said), "{}", ran.stderr);
        }
        let status = world.pipeline.other(&["status", "last"]).await.exits(0);
        assert!(status.stdout.contains("Next: merganser run nass … --via bulk"), "{}", status.stdout);
    }
    let mut cells: Vec<_> = line.split('\t').collect();
    for year in ["20Z4", ""] {
        cells[YEAR] = year;
        let unreadable = format!("{header}\n{}\n{behind}", cells.join("\t"));
        world.write_lines("crops", DAY, unreadable.as_bytes());
        world.by_http(&[]).await.exits(3);
        world.holds(2014..=2015).await;
    }
}

/// Each sector has a file of its own, and not all are of one day. One that is missing is no reason to delete what came of it,
/// and one that has not changed is none to leave the others as they were.
#[tokio::test]
async fn every_sector_comes_from_its_file_and_none_may_be_missing() {
    let all = sectors(100);
    let mut revised = all.clone();
    let first = (0..all.len()).find(|row| all.field(*row, SECTOR) == "CROPS").unwrap();
    revised.set(first, VALUE, "77,777");
    // One record goes.
    revised.remove(first + SECTORS.len());
    let world = World::new("nass sectors", all.clone(), 2_000).await;
    let write = |day: &str, records: &StatRecords, sectors: &[(&str, &str)]| {
        for (sector, name) in sectors {
            let path = world.bulk().join(bulk::file_name(name, day.parse().unwrap()));
            bulk::pack(records, sector, fs::File::create(path).unwrap()).unwrap();
        }
    };
    let (crops, environmental) = (&SECTORS[1..2], &SECTORS[4..]);
    write(DAY, &all, &SECTORS[..4]);
    write("2026-01-01", &all, environmental);
    let url = format!("dir:{}", world.bulk().display());
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str()];
    world.run("2014", "2015", &bulk).await.exits(0);
    world.holds(2014..=2015).await;
    let count = "select count(*) from nass_facts where sector_desc = 'ENVIRONMENTAL'";
    let before = world.pipeline.one(count).await;
    assert_ne!(before, "0");

    // A newer file of one sector alone.
    write("2026-01-05", &revised, crops);
    world.server.change(|api| api.records = Arc::new(revised));
    world.run("2014", "2015", &bulk).await.exits(0);
    world.holds(2014..=2015).await;

    // The same files again mend what somebody has deleted, also where another file is newer.
    world.pipeline.execute("delete from nass_facts where sector_desc = 'ENVIRONMENTAL'").await;
    world.run("2014", "2015", &bulk).await.exits(0);
    world.holds(2014..=2015).await;

    fs::remove_file(world.bulk().join("qs.environmental_20260101.txt.gz")).unwrap();
    let ran = world.run("2014", "2015", &bulk).await.exits(1);
    for words in ["has no bulk file of environmental", "--filter sector_desc=CROPS", "database is unchanged"]
    {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    assert_eq!(world.pipeline.one(count).await, before);
    world.run("2014", "2015", &[&bulk[..], &["--filter", CROPS]].concat()).await.exits(0);
    assert_eq!(world.pipeline.one(count).await, before);
}

/// What a file says nothing of is doubted where production has rows of it, not where it has rows of other sectors.
#[tokio::test]
async fn a_bulk_file_without_a_wanted_record_is_held_against_the_rows_of_its_sector() {
    let all = records(2014..=2015, 100);
    let world = world("nass bulk empty", &all).await;
    for (_, name) in SECTORS.iter().filter(|(_, name)| *name != "crops") {
        world.write_bulk(name, DAY, &StatRecords::default());
    }
    let url = format!("dir:{}", world.bulk().display());
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str()];
    for _ in 0..2 {
        let ran = world.run("2014", "2015", &bulk).await.exits(0);
        assert!(!ran.stderr.contains("is that right"), "{}", ran.stderr);
    }
    world.write_bulk("crops", DAY, &StatRecords::default());
    let ran = world.run("2014", "2015", &bulk).await.exits(1);
    let doubt = "qs.crops_20260102.txt.gz holds no fact, and production does: is that right?";
    assert_eq!(ran.stderr.matches("is that right?").count(), 1, "{}", ran.stderr);
    ran.says(doubt).says("if it is right: merganser run nass ").says("--allow drop\n");
    world.holds(2014..=2015).await;
}

/// As by the API: what is misspelt is refused, and no row goes. What one file of several has is enough.
#[tokio::test]
async fn a_value_that_no_bulk_file_has_is_refused_with_what_is_near() {
    let mut all = sectors(100);
    let (sector, commodity) = (SECTOR, position("commodity_desc").unwrap());
    for row in 0..all.len() {
        if all.field(row, sector) == "ENVIRONMENTAL" {
            all.set(row, commodity, "WATER");
        }
    }
    let world = World::new("nass bulk values", all.clone(), 2_000).await;
    for (sector, name) in SECTORS {
        let path = world.bulk().join(bulk::file_name(name, DAY.parse().unwrap()));
        bulk::pack(&all, sector, fs::File::create(path).unwrap()).unwrap();
    }
    let url = format!("dir:{}", world.bulk().display());
    let run = async |filter: &str| {
        let bulk = ["--via", "bulk", "--bulk-url", url.as_str(), "--filter", filter];
        world.run("2014", "2015", &bulk).await
    };
    run("commodity_desc=WATER").await.exits(0);
    let rows = "select count(*) from nass_facts";
    let before = world.pipeline.one(rows).await;
    assert_ne!(before, "0");
    for (filter, words) in [
        ("commodity_desc=CRON", "commodity_desc is never CRON; near to it: CORN"),
        ("commodity_desc=WATTER", "commodity_desc is never WATTER; near to it: WATER"),
        ("commodity_desc__NE=OAT", "commodity_desc is never OAT; near to it: OATS"),
        ("class_desc=NOTHING LIKE IT", "class_desc is never NOTHING LIKE IT"),
    ] {
        let ran = run(filter).await.exits(2);
        assert!(ran.stderr.contains(words) && ran.stderr.contains("unchanged"), "{}", ran.stderr);
        assert_eq!(world.pipeline.one(rows).await, before);
    }
    // It is in another sector, which was not read.
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str(), "--filter", CROPS];
    let ran = world.run("2014", "2015", &[&bulk[..], &["--filter", "commodity_desc=WATER"]].concat()).await;
    let ran = ran.exits(2);
    for said in [
        "only qs.crops_20260102.txt.gz was read, and there commodity_desc is never WATER",
        "widen those that leave files out",
    ] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

/// Records of all sectors, one after the other.
fn sectors(a_state: usize) -> StatRecords {
    let mut all = records(2014..=2015, a_state);
    for row in 0..all.len() {
        all.set(row, SECTOR, SECTORS[row % SECTORS.len()].0);
    }
    all
}

/// A file whose rows were taken back is not taken again, nor is an older one in its place.
#[tokio::test]
async fn a_bulk_file_that_was_undone_is_not_replaced_by_an_older_one() {
    let all = records(2014..=2015, 100);
    let world = world("nass bulk undone", &all).await;
    world.write_bulk("crops", "2025-12-30", &records(2014..=2015, 90));
    world.by_http(&[]).await.exits(0);
    let run = world.pipeline.one("select run_id from etl.runs").await;
    world.pipeline.other(&["undo", &run, "--allow", "drop"]).await.exits(0);
    let ran = world.by_http(&[]).await.exits(1);
    assert!(ran.stderr.contains("the data of qs.crops_20260102.txt.gz was undone"), "{}", ran.stderr);
    assert_eq!(world.pipeline.one("select count(*) from nass_facts").await, "0");
    world.write_bulk("crops", "2026-01-03", &all);
    world.by_http(&[]).await.exits(0);
    world.holds(2014..=2015).await;
}

/// A line without a key may be any row of its sector: none of these is deleted, and that is said. Rows of other sectors are,
/// and a line of another year is no reason to keep any.
#[tokio::test]
async fn a_line_that_may_be_any_row_keeps_those_of_its_sector_and_says_so() {
    let all = sectors(100);
    let world = World::new("nass bulk doubt", all.clone(), 2_000).await;
    let file = |name: &str| world.bulk().join(bulk::file_name(name, DAY.parse().unwrap()));
    let write = |gone: usize, damage: Option<&str>| {
        for (sector, name) in SECTORS {
            let rows = (0..all.len()).filter(|row| all.field(*row, SECTOR) == sector);
            let mut some = StatRecords::default();
            rows.skip(gone).for_each(|row| some.push(&all.fields(row)));
            let mut text = lines(&some);
            if let Some(year) = damage.filter(|_| name == "crops") {
                let mut cells = [""; 39];
                cells[YEAR] = year;
                text.extend(cells[..38].join("\t").bytes().chain(*b"\n"));
            }
            fs::write(file(name), packed(&text)).unwrap();
        }
    };
    let url = format!("dir:{}", world.bulk().display());
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str()];
    let counts = "select count(*) filter (where sector_desc = 'CROPS') || ' ' || count(*) filter (where sector_desc = 'ECONOMICS')
        from nass_facts";
    write(0, None);
    world.run("2014", "2015", &bulk).await.exits(0);
    assert_eq!(world.pipeline.one(counts).await, "199 199");
    write(2, Some("2015"));
    let ran = world.run("2014", "2015", &bulk).await.exits(3);
    assert!(ran.stderr.contains("2 rows kept although no longer named by any fact"), "{}", ran.stderr);
    assert_eq!(world.pipeline.one(counts).await, "199 197");
    let run = world.pipeline.one("select run_id from etl.runs order by started_at desc limit 1").await;
    let status = world.pipeline.other(&["status", &run]).await.exits(0);
    assert!(status.stdout.contains("2 rows kept although not named by any record"), "{}", status.stdout);
    write(3, Some("1999"));
    let ran = world.run("2014", "2015", &bulk).await.exits(0);
    assert!(!ran.stderr.contains("not deleted"), "{}", ran.stderr);
    assert_eq!(world.pipeline.one(counts).await, "196 196");
}

/// Two years of the 308,121 values, by both ways.
#[tokio::test]
async fn the_real_values_are_the_same_by_both_ways() {
    let Some(values) = real_values() else { return };
    let world = World::new("nass real bulk", values.clone(), 50_000).await;
    world.write_bulk("crops", DAY, &values);
    let url = format!("dir:{}", world.bulk().display());
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str(), "--filter", CROPS, "--table", "by_bulk"];
    world.run("2009", "2010", &bulk).await.exits(0);
    world.run("2009", "2010", &["--api-limit", "50000"]).await.exits(0);
    world.holds(2009..=2010).await;
    world.are_the_same("by_bulk").await;
    assert_ne!(world.pipeline.one("select count(*) from by_bulk").await, "0");
}

/// The files of NASS say nothing of the records of another service.
#[tokio::test]
async fn another_service_has_no_bulk_files_but_those_that_are_named() {
    let world = World::new("nass whose bulk", records(2014..=2014, 30), 2_000).await;
    let ran = world.run("2014", "2014", &["--via", "bulk"]).await.exits(2);
    assert!(ran.stderr.contains("name their folder with --bulk-url"), "{}", ran.stderr);
    assert_eq!(world.server.log(), []);
}

/// Many requests: the bulk files are taken, and it is said.
#[tokio::test]
async fn by_itself_a_run_takes_the_bulk_files_where_it_would_ask_for_long() {
    let all = records(2014..=2015, 400);
    let world = world("nass auto", &all).await;
    let url = world.server.bulk_url();
    let auto =
        |limit: &'static str| ["--bulk-url".to_owned(), url.clone(), "--api-limit".into(), limit.into()];
    let run = async |from: &str, limit: &'static str, more: &[&str]| {
        let api = world.server.api_url();
        let words = ["run", "nass", "--from", from, "--to", "2015", "--api-url", &api, "--api-rate", "60000"];
        let words = [&words[..], &["--filter", CROPS]].concat();
        let auto = auto(limit);
        let words: Vec<&str> =
            words.into_iter().chain(auto.iter().map(String::as_str)).chain(more.iter().copied()).collect();
        world.pipeline.other(&words).await
    };
    let ran = run("2014", "100", &["--dry-run"]).await.exits(0);
    assert!(ran.stdout.contains("Asking would take about 104 requests"), "{}", ran.stdout);
    assert_eq!((world.server.calls(Kind::Count), world.server.calls(Kind::Bulk)), (1, 0));
    let ran = run("2014", "100", &[]).await.exits(0);
    assert!(ran.stderr.contains("asking would take about 104 requests"), "{}", ran.stderr);
    assert_eq!((world.server.calls(Kind::Data), world.server.calls(Kind::Bulk)), (0, 1));
    world.holds(2014..=2015).await;
    world.server.forget();
    run("2014", "2000", &[]).await.exits(0);
    assert!(world.server.calls(Kind::Data) > 0 && world.server.calls(Kind::Bulk) == 0);
    // Answers in the archive need no request.
    world.server.forget();
    run("2014", "2000", &[]).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data) + world.server.calls(Kind::Bulk), 0);
    world.holds(2014..=2015).await;
}
