//! Whole runs against a service on the loopback address: the table equals the service's records, whatever happens
//! meanwhile.

use std::sync::Arc;
use std::time::Duration;

use merganser::datasets::nass::columns::{VALUE, position};
use merganser::datasets::nass::quickstats::records::StatRecords;

use super::world::{KEY, World, records};
use crate::support::merganser;
use crate::support::nass_values::real_values;
use crate::support::pipeline::Ran;
use crate::support::quickstats::{Kind, Trouble};
use crate::support::receiver::{Receiver, Reply};

#[tokio::test]
async fn what_is_asked_for_becomes_rows_and_a_second_run_asks_for_no_record() {
    let world = World::new("nass whole", records(2013..=2016, 900), 2_000).await;
    let ran = world.run("2014", "2016", &[]).await.exits(0);
    world.holds(2014..=2016).await;
    let full = (900 * 15 / 3_usize * 3).div_ceil(2_000);
    let fetched = world.server.calls(Kind::Data);
    assert!(fetched <= full * 13 / 10, "{fetched} requests for {full} full answers");
    assert!(ran.stdout.contains("Committed: "), "{}", ran.stdout);
    let counted = "select count(*) || ' ' || sum(expected_records - records_loaded) from etl.parts where status = 'done'";
    assert_eq!(world.pipeline.one(counted).await, format!("{fetched} 0"));
    let special = "select string_agg(distinct value_code, ' ') || ' ' || string_agg(distinct cv_code, ' ') || ' '
        || max(fips) || ' ' || count(fips) filter (where county_code = '998') from nass_facts where value is null or cv is null";
    assert_eq!(world.pipeline.one(special).await, "(D) (H) 51059 0");

    world.server.forget();
    let versions = "select md5(string_agg(xmin::text, ' ' order by record_id)) from nass_facts";
    let before = world.pipeline.one(versions).await;
    world.run("2014", "2016", &[]).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 0, "{:?}", world.server.log());
    assert_eq!(world.pipeline.one(versions).await, before, "rows that are the same are not written");
    // Other years are added.
    world.run("2013", "2014", &[]).await.exits(0);
    world.holds(2013..=2016).await;
}

#[tokio::test]
async fn a_revision_replaces_what_it_says_and_nothing_else() {
    let world = World::new("nass revision", records(2014..=2015, 600), 2_000).await;
    world.run("2014", "2015", &[]).await.exits(0);
    world
        .pipeline
        .execute("create table other as select record_id, xmin::text as version from nass_facts")
        .await;
    world.server.change(|api| {
        let mut records = (*api.records).clone();
        let of = |records: &merganser::datasets::nass::quickstats::records::StatRecords,
                  row: usize,
                  name: &str| { records.field(row, position(name).unwrap()).to_owned() };
        let row = (0..records.len()).find(|row| of(&records, *row, "year") == "2015").unwrap();
        records.set(row, position("Value").unwrap(), "77,777");
        records.remove(row + 1);
        api.records = Arc::new(records);
    });
    world.run("2015", "2015", &["--max-age", "0"]).await.exits(0);
    world.holds(2014..=2015).await;
    let touched =
        "select count(*) from nass_facts join other using (record_id) where nass_facts.xmin::text <> version";
    assert_eq!(world.pipeline.one(touched).await, "1");
    let change = "select concat_ws(' ', inserted, replaced, deleted) from etl.table_changes join etl.runs using (run_id)
        order by started_at desc limit 1";
    assert_eq!(world.pipeline.one(change).await, "0 1 1");
}

/// Everything that can go wrong with requests happens, and the rows are the same.
#[tokio::test]
async fn trouble_on_the_way_changes_nothing_of_the_rows() {
    let world = World::new("nass trouble", records(2014..=2015, 600), 2_000).await;
    let (count, data) = (Kind::Count, Kind::Data);
    world.server.trouble(count, 2..=2, Trouble::Html);
    world.server.trouble(count, 4..=4, Trouble::TooMany(Some("1")));
    world.server.trouble(data, 1..=1, Trouble::Html);
    world.server.trouble(data, 2..=2, Trouble::Half);
    world.server.trouble(data, 4..=4, Trouble::Truncated);
    world.server.trouble(data, 6..=6, Trouble::Cut);
    world.server.trouble(data, 7..=8, Trouble::Failing(503));
    world.run("2014", "2015", &[]).await.exits(0);
    world.holds(2014..=2015).await;
}

/// The run is killed during each of its requests and started again. No record is lost or doubled, and only the request
/// that was under way is sent again.
#[tokio::test]
async fn a_run_that_is_killed_goes_on_where_it_was() {
    let whole = World::new("nass unkilled", records(2014..=2015, 400), 2_000).await;
    whole.run("2014", "2015", &[]).await.exits(0);
    let requests = whole.server.log().len();
    let world = World::new("nass killed", records(2014..=2015, 400), 2_000).await;
    let url = world.server.api_url();
    for kill in 1..=requests {
        let sent = world.server.log().len();
        world.server.calm();
        for kind in [Kind::Count, Kind::Data] {
            let next = world.server.calls(kind) + 1;
            world.server.trouble(
                kind,
                next + usize::from(kill % 2 == 0)..=usize::MAX,
                Trouble::Slow(Duration::from_secs(30)),
            );
        }
        let mut words = world.words("2014", "2015", &url);
        words.extend(["--database-url"]);
        let database = world.pipeline.database.url();
        words.push(&database);
        let store = format!("file:{}", world.pipeline.store().display());
        words.extend(["--store", &store]);
        let envs = [("NASS_API_KEY".to_owned(), KEY.to_owned())];
        let mut run = crate::support::command(&words, envs);
        let mut child =
            run.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        let held = async {
            while world.server.log().len() == sent && child.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        };
        tokio::time::timeout(Duration::from_secs(60), held).await.unwrap();
        let is_over = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        if is_over {
            break;
        }
    }
    world.server.calm();
    world.run("2014", "2015", &[]).await.exits(0);
    world.holds(2014..=2015).await;
    assert!(
        world.server.log().len() <= requests * 2 + 1,
        "{} requests, and {requests} are enough",
        world.server.log().len()
    );
}

#[tokio::test]
async fn two_runs_over_overlapping_years_at_once_are_one_after_the_other() {
    let world = World::new("nass overlapping", records(2013..=2016, 300), 2_000).await;
    let (first, second) = tokio::join!(world.run("2013", "2015", &[]), world.run("2014", "2016", &[]));
    let codes = [first.code, second.code];
    assert!(codes.contains(&0) && codes.iter().all(|code| [0, 75].contains(code)), "{codes:?}");
    for (ran, (from, to)) in [(first, ("2013", "2015")), (second, ("2014", "2016"))] {
        if ran.code == 75 {
            world.run(from, to, &[]).await.exits(0);
        }
    }
    world.holds(2013..=2016).await;
}

/// The service no longer has a year that the table has.
#[tokio::test]
async fn nothing_where_rows_stand_meets_the_guard() {
    let world = World::new("nass nothing", records(2014..=2015, 100), 2_000).await;
    world.run("2014", "2015", &[]).await.exits(0);
    world.server.change(|api| api.records = Arc::new(records(2014..=2014, 100)));
    let ran = world.run("2015", "2015", &[]).await.exits(1);
    assert!(ran.stderr.contains("guard drop nass_facts"), "{}", ran.stderr);
    world.server.change(|api| api.records = Arc::new(records(2014..=2015, 100)));
    world.holds(2014..=2015).await;
    world.server.change(|api| api.records = Arc::new(records(2014..=2014, 100)));
    world.run("2015", "2015", &["--allow", "drop"]).await.exits(0);
    world.holds(2014..=2014).await;
}

#[tokio::test]
async fn a_dry_run_shows_the_plan_and_asks_for_no_record() {
    let world = World::new("nass dry", records(2014..=2015, 600), 2_000).await;
    let ran = world.run("2014", "2015", &["--dry-run"]).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 0);
    assert!(ran.stdout.contains("  year = 2014: 3000 records, by state_alpha"), "{}", ran.stdout);
    assert!(ran.stdout.contains("more for records, which takes at least"), "{}", ran.stdout);
    assert!(ran.stdout.contains("; a run sends them again and "), "{}", ran.stdout);
    assert!(!world.pipeline.store().join("private/nass").exists());
    world.run("2014", "2015", &[]).await.exits(0);
    // The archive has all answers now, so the exact change is shown.
    let ran = world.run("2014", "2015", &["--dry-run"]).await.exits(0);
    assert!(ran.stdout.contains("A dry run, rolled back"), "{}", ran.stdout);
}

#[tokio::test]
async fn the_archive_is_processed_again_without_a_request() {
    let world = World::new("nass reprocess", records(2014..=2015, 600), 2_000).await;
    world.run("2014", "2015", &[]).await.exits(0);
    world.server.forget();
    world.pipeline.execute("delete from nass_facts where year = 2014 and state_alpha = 'TX'").await;
    world.pipeline.other(&["reprocess", "nass", "2014-*", "--force"]).await.exits(0);
    world.holds(2014..=2015).await;
    assert_eq!(world.server.log(), []);
}

/// Another table is a target of its own: a run into the first does not touch it, and it asks for nothing that is
/// archived.
#[tokio::test]
async fn another_table_is_a_target_of_its_own() {
    let world = World::new("nass table", records(2014..=2015, 300), 2_000).await;
    world.run("2014", "2014", &[]).await.exits(0);
    world.pipeline.execute("create schema figures").await;
    world.run("2014", "2015", &["--table", "figures.facts_data"]).await.exits(0);
    world.holds(2014..=2014).await;
    assert_eq!(
        world.pipeline.one("select count(distinct year) || ' ' || count(*) from figures.facts_data").await,
        "2 3000"
    );
    let datasets = "select string_agg(distinct dataset || ' ' || target_schema, ', ' order by dataset || ' ' || target_schema) from etl.runs";
    assert_eq!(world.pipeline.one(datasets).await, "nass public, nass_facts_data figures");
    world.server.forget();
    world.run("2014", "2015", &["--table", "figures.facts_data"]).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 0);
    let objects: Vec<_> =
        world.pipeline.objects().into_keys().filter(|key| key.ends_with("manifest.json")).collect();
    assert_eq!(objects, ["public/nass/facts_data/manifest.json", "public/nass/manifest.json"]);
    for (table, words) in [
        ("No Name", "cannot be the name of a table"),
        ("a-b", "cannot be the name of a table"),
        (
            ".x",
            "no schema \
           before the dot",
        ),
    ] {
        let ran = world.run("2014", "2014", &["--table", table]).await.exits(2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    world
        .pipeline
        .execute("create table figures.other (code text); create view figures.seen as select 1 as one")
        .await;
    world.server.forget();
    // Before anything is requested, which may take hours.
    for table in ["figures.other", "figures.seen"] {
        let ran = world.run("2014", "2014", &["--table", table]).await.exits(1);
        for words in ["are not those of nass_", "change the columns, or choose another --table"] {
            assert!(ran.stderr.contains(words), "{table}: {}", ran.stderr);
        }
        assert_eq!(world.server.log(), []);
    }
    assert_eq!(world.pipeline.one("select count(*) from figures.other").await, "0");
}

#[tokio::test]
async fn a_check_tries_the_key_with_one_count() {
    let world = World::new("nass check", records(2014..=2014, 30), 2_000).await;
    let url = world.server.api_url();
    let words = ["check", "nass", "--from", "2014", "--api-url", &url];
    let ran = world.pipeline.other(&words).await.says("no answer in the archive yet");
    assert!(!ran.stdout.contains("ask the sender"), "{}", ran.stdout);
    assert!(ran.stdout.contains("knows the key, and counts 150 records of year = 2014"), "{}", ran.stdout);
    assert_eq!((world.server.calls(Kind::Count), world.server.log().len()), (1, 1));
    // The check works before anybody has chosen years.
    let ran = world.pipeline.other(&["check", "nass", "--api-url", &url]).await;
    assert!(ran.stdout.contains("knows the key, and counts 0 records of state_alpha = RI"), "{}", ran.stdout);
    world.server.change(|api| api.key = Some("another".into()));
    let ran = world.pipeline.other(&words).await;
    assert!(
        ran.stdout.contains("refuses the key in NASS_API_KEY (HTTP 401)") && !ran.stdout.contains(KEY),
        "{}",
        ran.stdout
    );
    assert_ne!(ran.code, 0);
}

/// Records that cannot be read, and records with two versions, fail and keep their old row; a repeated record counts
/// once.
#[tokio::test]
async fn bad_and_double_records_are_told_apart() {
    let world = World::new("nass bad", records(2014..=2014, 100), 2_000).await;
    world.run("2014", "2014", &[]).await.exits(0);
    let before = world
        .pipeline
        .one(
            "select count(*) || ' ' || md5(string_agg(t::text, ',' order by record_id)) from nass_facts as t",
        )
        .await;
    world.server.change(|api| {
        let mut records = (*api.records).clone();
        let value = position("Value").unwrap();
        let copy = |records: &mut StatRecords, row: usize, figure: Option<&str>| {
            let cells: Vec<String> = records.fields(row).iter().map(|cell| (*cell).to_owned()).collect();
            let mut fields: [&str; 39] = std::array::from_fn(|at| cells[at].as_str());
            fields[value] = figure.unwrap_or(fields[value]);
            records.push(&fields);
        };
        // A repeated record, another figure under the same key, and a figure that is no number.
        copy(&mut records, 3, None);
        copy(&mut records, 5, Some("987,654"));
        records.set(7, value, "about ten");
        api.records = Arc::new(records);
    });
    world.run("2014", "2014", &["--max-age", "0"]).await.exits(3);
    let after = world
        .pipeline
        .one(
            "select count(*) || ' ' || md5(string_agg(t::text, ',' order by record_id)) from nass_facts as t",
        )
        .await;
    assert_eq!(after, before);
    let counted = "select concat_ws(' ', expected_records - records_seen, records_failed, records_duplicated, records_superseded)
        from etl.parts order by part_id desc limit 1";
    assert_eq!(world.pipeline.one(counted).await, "0 3 1 1");
    world.server.change(|api| api.records = Arc::new(records(2014..=2014, 100)));
    world.run("2014", "2014", &["--max-age", "0"]).await.exits(0);
    assert_eq!(
        world.pipeline.one("select count(*) from etl.failed_records where resolved_at is null").await,
        "0"
    );
}

/// A constraint that somebody put on the table: the record fails, its row stays, and the others are loaded.
#[tokio::test]
async fn a_record_that_the_database_refuses_keeps_its_row() {
    let world = World::new("nass refusal", records(2014..=2014, 100), 2_000).await;
    world.run("2014", "2014", &[]).await.exits(0);
    world.pipeline.execute("alter table nass_facts add check (value < 500000)").await;
    world.server.change(|api| {
        let mut records = (*api.records).clone();
        records.set(7, position("Value").unwrap(), "1");
        records.set(8, position("Value").unwrap(), "900,000");
        api.records = Arc::new(records);
    });
    world.run("2014", "2014", &["--max-age", "0"]).await.exits(3);
    assert_eq!(world.pipeline.one("select max(value) < 500000 from nass_facts").await, "t");
    assert_eq!(world.pipeline.one("select count(*) from nass_facts where value = 1").await, "1");
    assert_eq!(
        world.pipeline.one("select count(*) from etl.failed_records where resolved_at is null").await,
        "1"
    );
}

/// Four years of the 308,121 values, with a limit that forces a split into states.
#[tokio::test]
async fn the_real_values_come_out_as_they_went_in() {
    let Some(values) = real_values() else { return };
    let year = position("year").unwrap();
    let wanted = (0..values.len()).filter(|row| values.field(*row, year) <= "2008").count();
    let full = wanted.div_ceil(2_000);
    let world = World::new("nass real", values, 2_000).await;
    world.run("2005", "2008", &[]).await.exits(0);
    world.holds(2005..=2008).await;
    let (data, all) = (world.server.calls(Kind::Data), world.server.log().len());
    println!("{data} requests for records and {all} in all, for {full} full answers");
    assert!(data * 10 <= full * 13 && all <= full * 3, "{data} and {all} requests for {full} full answers");
}

/// No log line, error, object or row of the ledger has the key.
#[tokio::test]
async fn the_key_is_shown_nowhere() {
    let world = World::new("nass key", records(2014..=2014, 100), 2_000).await;
    world.server.change(|api| api.key = Some("another".into()));
    let refused = world.run("2014", "2014", &["-vv"]).await.exits(1);
    assert!(refused.stderr.contains("refuses the key in NASS_API_KEY"), "{}", refused.stderr);
    world.server.change(|api| api.key = Some(KEY.into()));
    let ran = world.run("2014", "2014", &["-vv"]).await.exits(0);
    for text in [&refused.stderr, &refused.stdout, &ran.stderr, &ran.stdout] {
        assert!(!text.contains(KEY), "{text}");
    }
    for (name, bytes) in world.pipeline.objects() {
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY) && !name.contains(KEY), "{name}");
    }
    for table in ["runs", "steps", "parts", "plans", "failed_records"] {
        let found = world
            .pipeline
            .one(&format!("select count(*) from etl.{table} as t where t::text like '%{KEY}%'"))
            .await;
        assert_eq!(found, "0", "{table}");
    }
}

/// Not in what is logged when everything is, and not in a trace that another program takes, also where a request fails.
#[tokio::test]
async fn the_key_is_in_no_trace() {
    let world = World::new("nass key trace", records(2014..=2014, 100), 2_000).await;
    world.server.trouble(Kind::Count, 1..=1, Trouble::Failing(503));
    world.server.trouble(Kind::Data, 1..=1, Trouble::Cut);
    let receiver = Receiver::start(&[Reply::Status(200)]);
    let url = receiver.url("/otlp/");
    let api = world.server.api_url();
    let words = [&world.words("2014", "2014", &api)[..], &["-vv"]].concat();
    for format in ["text", "json"] {
        let envs = [
            ("MERGANSER_LOG", "trace"),
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
            ("MERGANSER_LOG_FORMAT", format),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ];
        let ran = world.pipeline.start_other(&words, &envs).await.unwrap().exits(0);
        // What the libraries say is there, too.
        assert!(ran.stderr.contains("starting new connection"), "{}", ran.stderr);
        assert!(!ran.stderr.contains(KEY) && !ran.stdout.contains(KEY), "{format}");
    }
    let told = receiver.told();
    assert!(!told.is_empty());
    for message in told {
        let headers = format!("{:?}", message.headers);
        assert!(!message.body.contains(KEY) && !headers.contains(KEY), "{}", message.body);
    }
}

/// An older answer still brings the rows that no newer one has told of.
#[tokio::test]
async fn an_answer_to_a_narrower_question_hides_nothing_of_an_older_one() {
    let world = World::new("nass narrower", records(2014..=2014, 900), 2_000).await;
    world.run("2014", "2014", &[]).await.exits(0);
    let of = |more: &[&'static str]| [&["--table", "corn"][..], more].concat();
    world.run("2014", "2014", &of(&["--filter", "commodity_desc=CORN", "--max-age", "0"])).await.exits(0);
    let differ = "select count(*) from (select * from nass_facts except select * from corn) as t";
    assert_ne!(world.pipeline.one(differ).await, "0");
    world.server.forget();
    let ran = world.run("2014", "2014", &of(&[])).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 0, "{:?}", world.server.log());
    assert_eq!(world.pipeline.one(differ).await, "0", "{}", ran.stdout);
    assert!(ran.stderr.contains("what came from the newer"), "{}", ran.stderr);
    let asked = "select sum(expected_records - records_loaded - records_superseded) from etl.parts where status = 'done'";
    assert_eq!(world.pipeline.one(asked).await, "0");
    // The other way round, the newer answer counts where both tell of the same.
    let mut revised = records(2014..=2014, 900);
    (0..revised.len()).for_each(|row| revised.set(row, VALUE, "4711"));
    world.server.change(|api| api.records = Arc::new(revised));
    world.run("2014", "2014", &of(&["--filter", "state_alpha=IA", "--max-age", "0"])).await.exits(0);
    world.run("2014", "2014", &of(&[])).await.exits(0);
    let old = "select count(*) filter (where value is distinct from 4711) from corn where state_alpha = 'IA'";
    assert_eq!(world.pipeline.one(old).await, "0", "older values never replace newer ones");
    // All of it from the archive.
    world.pipeline.other(&["reprocess", "nass", "2014*", "--table", "again"]).await.exits(0);
    let differ =
        "select count(*) from (table again except table corn union all (table corn except table again)) as t";
    assert_eq!(world.pipeline.one(differ).await, "0");
}

/// What a guard has stopped is asked anew, also when the service says something else by then.
#[tokio::test]
async fn a_plan_that_came_to_nothing_is_not_followed_again() {
    let world = World::new("nass refused plan", records(2014..=2015, 100), 2_000).await;
    world.run("2014", "2015", &[]).await.exits(0);
    world.server.change(|api| api.records = Arc::new(records(2014..=2014, 100)));
    let stopped = world.run("2015", "2015", &[]).await.exits(1);
    assert!(stopped.stderr.contains("--allow drop"), "{}", stopped.stderr);
    world.server.change(|api| api.records = Arc::new(records(2014..=2015, 100)));
    world.run("2015", "2015", &["--allow", "drop"]).await.exits(0);
    world.holds(2014..=2015).await;
}

/// A panic ends like any other failure, without the key; the next run goes on.
#[tokio::test]
async fn the_key_is_in_no_panic() {
    let world = World::new("nass key panic", records(2014..=2014, 100), 2_000).await;
    let words = world.all_words("2014", "2014", &["-vv"]);
    for (format, fault) in [("text", "gather.archived=panic"), ("json", "promote.planned=panic")] {
        let envs = [
            ("NASS_API_KEY", KEY),
            ("FAULTS", fault),
            ("RUST_BACKTRACE", "full"),
            ("MERGANSER_LOG_FORMAT", format),
        ];
        let envs = envs.map(|(name, value)| (name, value.to_owned()));
        let command = merganser(words.clone(), envs);
        let ran = tokio::task::spawn_blocking(move || Ran::new(command)).await.unwrap().exits(1);
        for said in [
            "a defect of merganser, src/fault.rs:",
            "What was not committed is rolled back",
            "merganser status last",
        ] {
            assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
        }
        assert!(!ran.stderr.contains(KEY) && !ran.stdout.contains(KEY), "{format}");
        let is_json = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        assert!(format == "text" || ran.stderr.lines().all(is_json), "{}", ran.stderr);
    }
    world.run("2014", "2014", &[]).await.exits(0);
    world.holds(2014..=2014).await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_any_request() {
    let world = World::new("nass refused", records(2014..=2014, 10), 2_000).await;
    for (from, to, more, words) in [
        ("2015", "2014", &[][..], "is after --to 2014"),
        ("1700", "2014", &[], "nothing before 1850"),
        ("2014", "2999", &[], "in the future"),
        ("2014", "2014", &["--filter", "comodity_desc=CORN"], "near to it: commodity_desc"),
        ("2014", "2014", &["--filter", "commodity_desc__LIK=CORN"], "no operator __LIK"),
        ("2014", "2014", &["--filter", "state_alpha=ALA"], "near to it: AL"),
        ("2014", "2014", &["--agg-level", "COUNTIES"], "near to it: COUNTY"),
        ("2014", "2014", &["--filter", "year=2012"], "--from and --to"),
    ] {
        let ran = world.run(from, to, more).await.exits(2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    assert_eq!(world.server.log(), []);
}
