//! Bulk files give the same records, from a folder or by HTTP, whatever happens to them on the way.

use std::fs;
use std::sync::Arc;

use merganser::datasets::nass::quickstats::records::StatRecords;

use super::world::{World, lines, packed, records};
use crate::support::pipeline::Ran;
use crate::support::quickstats::{Kind, Trouble};

const DAY: &str = "2026-01-02";

async fn world(hint: &str, all: &StatRecords) -> World {
    let world = World::new(hint, all.clone(), 2_000).await;
    world.write_bulk("crops", DAY, all);
    world
}

impl World {
    /// A run over these years that reads the server's bulk files.
    async fn by_http(&self, more: &[&str]) -> Ran {
        let url = self.server.bulk_url();
        let bulk = ["--via", "bulk", "--bulk-url", url.as_str()];
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
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str(), "--table", "from_folder"];
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
    assert!(ran.stderr.contains("has no bulk file of nass"), "{}", ran.stderr);
    let nowhere = format!("{}nowhere/", world.server.bulk_url());
    let ran = world.run("2014", "2015", &["--via", "bulk", "--bulk-url", &nowhere]).await.exits(1);
    assert!(ran.stderr.contains("HTTP 404") && ran.stderr.contains("with a browser"), "{}", ran.stderr);
    let ran =
        world.run("2014", "2015", &["--via", "bulk", "--bulk-url", "http://example.org/"]).await.exits(2);
    assert!(ran.stderr.contains("begins with https://"), "{}", ran.stderr);
    world.holds(2014..=2015).await;
}

/// A byte-order mark, small letters, and a line with 38 columns: readable lines are loaded, and the short line is a
/// failed record.
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
}

/// For many requests, the run takes the bulk files and says so.
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
