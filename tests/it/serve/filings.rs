//! The court's filings: the sums follow the cases through every change, and the server's answers equal those of plain
//! SQL.

use serde_json::{Value, json};

use super::privacy::{differ_by_enough, pieces_are_sound};
use super::world::Serving;
use crate::support::csv::Cell;
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

/// Cases by day, postal code and kind, from the court's tables alone.
const PLAIN: &str = "
    filed as (
        select distinct on (indexnumberid)
            fileddate as date, coalesce(nullif(btrim(classification), ''), 'unknown') as sbi, place.zone, place.postcode
        from oca_index join oca_addresses using (indexnumberid)
            join oca_filing_places as place on place.postcode = left(btrim(postalcode), 5)
        where fileddate is not null
        order by indexnumberid, place.postcode
    ),
    seen as (
        select date, zone, postcode, sbi, 1 as hits, 0 as delta from filed
        union all
        select date + 364, zone, postcode, sbi, 0, 1 from filed
    ),
    bounds as (
        select min(date) as first, max(last) as last
        from filed, (select max(updatedate) as last from oca_metadata) as known
        where date <= last
    ),
    loaded as (
        select generate_series(first, last, '1 day')::date as date, first from bounds
    )";

/// Fails if the sums differ from the cases in a single row.
async fn sums_follow(pipeline: &Pipeline) {
    for (sums, plain) in [
        (
            "select date, zone, postcode, sbi, hits, delta from oca_filing_place_days",
            "select date, zone, postcode, sbi, sum(hits), sum(delta) from seen group by 1, 2, 3, 4",
        ),
        (
            "select date, zone, sbi, hits, delta from oca_filing_zone_days",
            "select date, zone, sbi, sum(hits), sum(delta) from seen group by 1, 2, 3",
        ),
        (
            "select date, hits, delta from oca_filing_days",
            "select date, coalesce(sum(hits), 0), case when date - 364 >= first then coalesce(sum(delta), 0) end
             from loaded left join seen using (date) group by date, first",
        ),
    ] {
        let differ = format!(
            "with {PLAIN} (({sums}) except all ({plain})) union all (({plain}) except all ({sums})) limit 5"
        );
        assert_eq!(pipeline.rows(&differ).await, Vec::<Vec<Cell>>::new(), "{sums}");
    }
    pieces_are_sound(pipeline, "oca_filing").await;
}

fn case(day: &str, kind: &str, codes: &[&str]) -> String {
    let address = |code: &&str| format!("<PropertyAddress><PostalCode>{code}</PostalCode></PropertyAddress>");
    let addresses: String = codes.iter().map(address).collect();
    format!(
        "<FiledDate>{day}</FiledDate><Classification>{kind}</Classification>\
         <PropertyAddresses>{addresses}</PropertyAddresses>"
    )
}

/// Cases of a year and more.
pub fn cases(run_date: &str) -> Extract {
    let mut extract = Extract::weekly(run_date);
    for number in 0..160 {
        let day = jiff::civil::date(2023, 1, 2).saturating_add(jiff::Span::new().days(number * 3));
        let code = ["10001", "10002", "11201", "14201"][(number % 4) as usize];
        let kind = if number % 5 == 0 { "Holdover" } else { "Non-Payment" };
        extract = extract.case(&format!("case-{number}"), &case(&day.to_string(), kind, &[code]));
    }
    extract
}

async fn cell(pipeline: &Pipeline, date: &str, code: &str) -> String {
    let hits = "select coalesce(sum(hits), 0) from oca_filing_place_days where date =";
    pipeline.one(&format!("{hits} '{date}' and postcode = '{code}'")).await
}

async fn last_run(pipeline: &Pipeline) -> String {
    pipeline.one("select run_id from etl.runs order by started_at desc limit 1").await
}

/// A week in which cases move, arrive, are sealed, or cannot be counted.
fn week(run_date: &str) -> Extract {
    Extract::weekly(run_date)
        .case("case-0", &case("2023-01-02", "Holdover", &["10002"]))
        .case("case-1", &case("2023-06-30", "Non-Payment", &["10002"]))
        .case("case-2", &case("2023-01-08", "Illegal Lockout", &["11201"]))
        .case("case-3", &case("2023-01-11", "Non-Payment", &["14201"]))
        .delete("case-4")
        .case("several", &case("2024-05-01", "HP", &["14201", "07030", "10003-1234", "10118"]))
        .case("nowhere", &case("2024-05-01", "HP", &["07030"]))
        .case("no-address", &case("2024-05-01", "HP", &[]))
        .case("no-day", "<Classification>HP</Classification>")
        .case("no-kind", &case("2024-05-02", "", &["10001"]))
        .case("too-early", &case("2022-03-01", "HP", &["10001"]))
        .case("too-late", &case("2024-09-01", "HP", &["10001"]))
}

#[tokio::test]
async fn the_sums_follow_cases_that_move_are_sealed_and_come_back() {
    let pipeline = Pipeline::new("serve filings").await;
    pipeline.put(cases("2024-05-06"));
    pipeline.run().await.exits(0);
    sums_follow(&pipeline).await;
    assert_eq!(pipeline.one("select sum(hits) from oca_filing_days").await, "160");
    assert_eq!(pipeline.one("select max(date) from oca_filing_days").await, "2024-05-06");
    let sealed = pipeline.one("select fileddate from oca_index where indexnumberid = 'case-4'").await;
    assert_eq!(cell(&pipeline, &sealed, "10001").await, "1");

    pipeline.put(week("2024-05-13"));
    pipeline.run().await.exits(0);
    let bad = last_run(&pipeline).await;
    sums_follow(&pipeline).await;
    assert_eq!(cell(&pipeline, &sealed, "10001").await, "0", "a sealed case is no longer counted");
    assert_eq!(cell(&pipeline, "2023-01-02", "10001").await, "0", "a moved case is no longer counted there");
    assert_eq!(cell(&pipeline, "2023-01-02", "10002").await, "1");
    assert_eq!(cell(&pipeline, "2023-06-30", "10002").await, "1");
    assert_eq!(cell(&pipeline, "2024-05-01", "10003").await, "1", "the first place of several");
    let days = "select min(date) || ' ' || max(date) from oca_filing_days";
    assert_eq!(pipeline.one(days).await, "2022-03-01 2024-05-13", "days to come are not loaded");
    let quiet = pipeline.one("select concat_ws(' ', xmin, ctid) from oca_filing_place_days where date = '2023-01-11' and hits > 0").await;

    pipeline.other(&["undo", &bad]).await.exits(0);
    sums_follow(&pipeline).await;
    assert_eq!(pipeline.one(days).await, "2023-01-02 2024-05-06");
    // A sealed case never comes back.
    assert_eq!(cell(&pipeline, &sealed, "10001").await, "0");
    pipeline.put(week("2024-05-20"));
    pipeline.run().await.exits(0);
    sums_follow(&pipeline).await;
    let still =
        "select concat_ws(' ', xmin, ctid) from oca_filing_place_days where date = '2023-01-11' and hits > 0";
    assert_eq!(pipeline.one(still).await, quiet, "rows that a batch does not change are not written");
}

#[tokio::test]
async fn sums_that_do_not_follow_are_made_of_all_cases() {
    let pipeline = Pipeline::new("serve sums anew").await;
    pipeline.put(cases("2024-05-06"));
    pipeline.run().await.exits(0);
    // An older program has promoted, and left no note about sums.
    pipeline
        .execute(
            "update etl.steps set details = details - 'sums';
             delete from oca_filing_place_days where postcode = '10001'",
        )
        .await;
    pipeline.put(week("2024-05-13"));
    pipeline.run().await.exits(0);
    sums_follow(&pipeline).await;
    // Somebody changes cases by hand, and then a batch has them.
    pipeline
        .execute("update oca_index set fileddate = fileddate - 1 where indexnumberid in ('case-0', 'case-2')")
        .await;
    pipeline.put(week("2024-05-20"));
    pipeline.run().await.exits(0).says("negative");
    sums_follow(&pipeline).await;
    // Somebody moves a place into another zone.
    pipeline.execute("update oca_filing_places set zone = 'x' where postcode = '10001'").await;
    pipeline.put(week("2024-05-27"));
    pipeline.run().await.exits(0);
    sums_follow(&pipeline).await;
    assert_eq!(pipeline.one("select count(*) from oca_filing_zone_days where zone = 'x'").await, "0");
    // Somebody drops a table.
    pipeline.execute("drop table oca_filing_zone_days").await;
    pipeline.put(week("2024-06-03"));
    pipeline.run().await.exits(0);
    sums_follow(&pipeline).await;
    // A sealed case that somebody brought back is removed, whether or not it was counted.
    pipeline
        .execute(
            "insert into oca_index (indexnumberid, fileddate) values ('case-4', '2023-01-11');
             insert into oca_addresses (indexnumberid, postalcode) values ('case-4', '14201')",
        )
        .await;
    pipeline.other(&["purge", "oca"]).await.exits(0);
    sums_follow(&pipeline).await;
    let change = "select details ->> 'sums' from etl.steps where step = 'purge' and status = 'completed'";
    assert_eq!(pipeline.one(change).await, "true");
}

/// Asks with the right to see every number.
async fn ask(serving: &Serving, path: &str) -> Value {
    let reply = serving.get(path).await;
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.json()
}

#[tokio::test]
async fn filings_are_told_with_what_was_a_year_before_as_far_as_it_is_known() {
    let pipeline = Pipeline::new("serve filings api").await;
    pipeline.put(cases("2024-05-06"));
    pipeline.run().await.exits(0);
    let serving = Serving::start(&pipeline.database.url(), &["--min-count", "oca=0"]).await.ready().await;
    let plain = async |from: &str, to: &str| -> Value {
        let query = format!(
            "with {PLAIN} select jsonb_build_object(
                'hits', coalesce(sum(hits), 0), 'delta', coalesce(sum(delta), 0), 'kinds', count(distinct sbi)
            ) from seen where date between '{from}' and '{to}' and postcode in ('10001', '10002', '11201')"
        );
        serde_json::from_str(&pipeline.one(&query).await).unwrap()
    };
    for (from, to) in [("2024-01-08", "2024-03-31"), ("2024-02-01", "2024-04-25")] {
        let answer = ask(&serving, &format!("/api/10001/{from}..{to}/20")).await;
        let expected = plain(from, to).await;
        let sum = |list: &str, field: &str| -> i64 {
            answer[list].as_array().unwrap().iter().map(|row| row[field].as_i64().unwrap()).sum()
        };
        for (list, hits) in [("stats", "total"), ("timeline", "hits"), ("points", "hits")] {
            assert_eq!(json!(sum(list, hits)), expected["hits"], "{list} {answer:#}");
            assert_eq!(json!(sum(list, "delta")), expected["delta"], "{list} {answer:#}");
        }
        assert!(sum("stats", "total") > 0 && sum("stats", "delta") > 0);
        assert_eq!(json!(answer["stats"].as_array().unwrap().len()), expected["kinds"]);
        assert_eq!((&answer["dataset"], &answer["as_of"]), (&json!("oca"), &json!("2024-05-06")));
        let kind = ask(&serving, &format!("/api/10001/{from}..{to}/20?sbi=Holdover")).await;
        assert_eq!(kind["stats"].as_array().unwrap().len(), 1);
    }
    // The first loaded day is 2023-01-02. The first of January 2024 is compared with it; the day before is compared
    // with a day that is not loaded.
    let answer = ask(&serving, "/api/10001/2023-12-31..2024-01-02/20").await;
    let deltas: Vec<_> = answer["timeline"].as_array().unwrap().iter().map(|day| &day["delta"]).collect();
    assert!(deltas[0].is_null() && deltas[1].is_i64() && deltas[2].is_i64(), "{answer:#}");
    assert!(answer["stats"].as_array().unwrap().iter().all(|stat| stat["delta"].is_null()), "{answer:#}");
    // Days that are not loaded are absent, rather than 0.
    for (days, first, last) in [
        ("2024-05-04..2024-05-09", "2024-05-04", "2024-05-06"),
        ("2022-12-30..2023-01-03", "2023-01-02", "2023-01-03"),
    ] {
        let answer = ask(&serving, &format!("/api/10001/{days}/20")).await;
        let told = answer["timeline"].as_array().unwrap();
        assert_eq!((&told[0]["date"], &told.last().unwrap()["date"]), (&json!(first), &json!(last)));
        assert_eq!(answer["dates"].as_array().unwrap().len(), if first.starts_with("2024") { 6 } else { 5 });
    }
    let later = ask(&serving, "/api/10001/2024-05-07..2024-05-09/20").await;
    assert_eq!((&later["timeline"], &later["stats"]), (&json!([]), &json!([])));
    let found = ask(&serving, "/api/places?q=1000&dataset=oca").await;
    assert_eq!(found[0], "10001");
}

#[tokio::test]
async fn few_filings_are_not_told_unless_somebody_asks_for_that() {
    let pipeline = Pipeline::new("serve filings few").await;
    let codes = ["10001", "10002", "10003", "10009", "10010", "11201", "11211", "11222"];
    let mut extract = Extract::weekly("2024-03-04");
    let mut luck = 7_u64;
    let mut below = |end: u64| {
        luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (luck >> 33) % end
    };
    for number in 0..4_000 {
        let code = codes[below(8).min(below(8)) as usize];
        let day = jiff::civil::date(2024, 1, 1).saturating_add(jiff::Span::new().days(below(62) as i64));
        let kind = ["Non-Payment", "Non-Payment", "Non-Payment", "Holdover", "HP"][below(5) as usize];
        extract = extract.case(&format!("case-{number}"), &case(&day.to_string(), kind, &[code]));
    }
    pipeline.put(extract);
    pipeline.run().await.exits(0);
    sums_follow(&pipeline).await;
    // The rights that the document names are enough for all that is asked here.
    let document = include_str!("../../../docs/serve.md");
    let grants = document.split("```").flat_map(|block| block.split(';'));
    let grants: Vec<_> =
        grants.filter(|grant| grant.trim().starts_with("grant") && !grant.contains("datapoint_")).collect();
    let grants = grants.join(";").replace("merganser_reader", "filings_reader");
    pipeline.execute(&format!("create role filings_reader login; {grants}")).await;
    for table in ["oca_index", "oca_filing_place_days", "oca_filing_zone_days"] {
        let may = format!("select has_table_privilege('filings_reader', '{table}', 'select')");
        assert_eq!(pipeline.one(&may).await, "f", "{table}");
    }
    let serving = Serving::start(&pipeline.database.url_as("filings_reader"), &[]).await.ready().await;
    let datasets = ask(&serving, "/api/datasets").await;
    let of = |name: &str| {
        datasets.as_array().unwrap().iter().find(|known| known["dataset"] == name).unwrap().clone()
    };
    assert_eq!((&of("oca")["min_count"], &of("datapoints")["min_count"]), (&json!(10), &json!(0)));
    assert_eq!(of("oca")["comes_late"], true);
    let mut told = 0;
    for number in 0..60_usize {
        let code = codes[number % codes.len()];
        let radius = 0.4 + (number * 29 % 31) as f64 / 10.0;
        let days = |last: usize| format!("2024-02-{:02}..2024-02-{last}", 1 + number * 7 % 10);
        let last = 15 + number * 11 % 13;
        let question = async |days: &str, radius: f64, sbi: &str| {
            ask(&serving, &format!("/api/{code}/{days}/{radius}{sbi}")).await
        };
        let base = question(&days(last), radius, "").await;
        told += usize::from(base["stats"].as_array().is_some_and(|stats| !stats.is_empty()));
        for step in [0.1, 0.5, 3.0] {
            let farther = question(&days(last), radius + step, "").await;
            differ_by_enough(&base, &farther, 10, &format!("{code} {radius} + {step}"));
        }
        let longer = question(&days(last + 1), radius, "").await;
        differ_by_enough(&base, &longer, 10, &format!("{code} a day after {last}"));
        let month = question("2024-02-01..2024-02-29", radius, "").await;
        differ_by_enough(&base, &month, 10, &format!("{code} a month"));
        let kind = question("2024-02-01..2024-02-29", radius, "?sbi=Holdover").await;
        differ_by_enough(&kind, &month, 10, &format!("{code} without a kind"));
        assert!(month["stats"].as_array().into_iter().flatten().all(|stat| stat["delta"].is_null()));
    }
    assert!(told > 20, "many questions are answered: {told}");
    // March has few filings, and none of them is shown.
    let march = "/api/11222/2024-03-01..2024-03-31/0.5";
    let answer = ask(&serving, march).await;
    assert_eq!(answer["stats"], json!([]), "{answer:#}");
    let open = Serving::start(&pipeline.database.url(), &["--min-count", "oca=1"]).await.ready().await;
    let told = ask(&open, "/api/datasets").await;
    let told = told.as_array().unwrap().iter().find(|known| known["dataset"] == "oca").unwrap();
    assert_eq!(told["min_count"], 10, "what is in force is told, and not what was asked for");
    assert_ne!(ask(&open, "/api/10001/2024-02-01..2024-02-29/0.5").await["stats"], json!([]));
    let exact = Serving::start(&pipeline.database.url(), &["--min-count", "oca=0"]).await.ready().await;
    let all = ask(&exact, "/api/10001/2024-01-01..2024-03-04/50").await;
    let total: i64 =
        all["stats"].as_array().unwrap().iter().map(|stat| stat["total"].as_i64().unwrap()).sum();
    assert_eq!(total, 4_000);
}
