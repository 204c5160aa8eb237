//! Maps: what they count, what they never show, and how they look in a browser.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support;
use crate::support::browser::looks;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::postgres;

/// A case of a postal code, filed on a day in January 2024, with a warrant if one is given.
fn case(extract: Extract, id: &str, codes: &[&str], day: u32, warrant: Option<&str>) -> Extract {
    let address = |code: &&str| {
        format!("<PropertyAddress><City>X &lt;b&gt;</City><PostalCode>{code}</PostalCode></PropertyAddress>")
    };
    let addresses: String = codes.iter().map(address).collect();
    let warrant = warrant.map_or(String::new(), |issued| {
        format!(
            "<Judgments><Judgment><Sequence>1</Sequence><Warrants><Warrant><Sequence>1</Sequence>\
             <IssuedDate>{issued}</IssuedDate></Warrant></Warrants></Judgment></Judgments>"
        )
    });
    let inside = format!(
        "<FiledDate>2024-01-{day:02}</FiledDate><PropertyAddresses>{addresses}</PropertyAddresses>{warrant}"
    );
    extract.case(id, &inside)
}

/// 30 cases in 10451 (Bronx), 12 in 11226 (Brooklyn), 9 in 10002 (Manhattan), 25 in Buffalo, 2 in Ithaca, 40 nowhere.
async fn january(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    let mut extract = Extract::weekly("2024-02-05");
    for number in 0..30 {
        let warrant = (number < 11).then_some("2024-02-01");
        // Some cases have two addresses in the same area.
        let codes: &[&str] = if number < 5 { &["10451", "10451-1234"] } else { &["10451"] };
        extract = case(extract, &format!("bronx {number}"), codes, 1 + number % 15, warrant);
    }
    for (place, code, cases) in [
        ("brooklyn", "11226 ", 12),
        ("manhattan", "10002", 9),
        ("buffalo", "14201", 25),
        ("ithaca", "14850", 2),
    ] {
        for number in 0..cases {
            extract = case(extract, &format!("{place} {number}"), &[code], 20, None);
        }
    }
    for number in 0..40 {
        extract = case(extract, &format!("nowhere {number}"), &[["07030", ""][number % 2]], 20, None);
    }
    pipeline.put(extract);
    pipeline.run().await.exits(0);
    pipeline
}

struct Drawn {
    ran: Ran,
    path: PathBuf,
    text: String,
}

async fn map(pipeline: &Pipeline, name: &str, words: &[&str]) -> Drawn {
    let path = pipeline.folder().join(name);
    let out = path.display().to_string();
    let ran = pipeline.other(&[&["map", "oca", "--out", &out], words].concat()).await.exits(0);
    let text = fs::read_to_string(&path).unwrap();
    Drawn { ran, path, text }
}

/// The table's rows: area, where it is, number.
fn rows(page: &str) -> Vec<[String; 3]> {
    let rows = page.split("<tr data-a=").skip(1).map(|row| {
        let cell = |start: &str| row.split_once(start).unwrap().1.split_once('<').unwrap().0.to_owned();
        [cell("<th scope=\"row\">"), cell("<td>"), cell("<td class=\"n\">")]
    });
    rows.collect()
}

fn numbers(page: &str) -> Vec<(String, String)> {
    let rows = rows(page).into_iter().map(|[area, _, number]| (area, number));
    rows.filter(|(_, number)| number != "fewer than 10").collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(area, number)| ((*area).to_owned(), (*number).to_owned())).collect()
}

#[tokio::test]
async fn a_map_counts_each_case_once_in_an_area_and_lets_small_numbers_go() {
    let pipeline = january("map counts").await;
    let Drawn { ran, path, text } = map(&pipeline, "map.html", &["--by", "zip"]).await;
    assert!(ran.stdout.starts_with(&format!("{}\n3 ZIP code areas", path.display())), "{}", ran.stdout);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(numbers(&text), pairs(&[("10451", "30"), ("14201", "25"), ("11226", "12")]));
    // The city has 176 shapes without a number; the circles without one share a line.
    assert_eq!(rows(&text).len(), 178);
    assert!(text.contains(
        "<p>1,611 other ZIP code areas that the map has as small circles: fewer than 10 each.</p>"
    ));
    assert!(
        text.contains("67 cases in 3 ZIP code areas with 10 or more each."),
        "the sum is that of the shown"
    );
    assert!(text.contains("About 35% of the cases have no postal code"));
    assert!(text.contains("1 January 2024 to 20 January 2024"));
    let run = pipeline.one("select run_id from etl.runs").await;
    assert!(text.contains(&format!("Data of run {run}")));
    // The title of an area with nine cases is worded like that of an area with none.
    for key in ["10002", "10003"] {
        assert!(text.contains(&format!("<title>{key}, Manhattan: fewer than 10 cases</title>")));
    }
    assert!(text.contains("<title>14850, Outside the city: fewer than 10 cases</title>"));

    let boroughs = map(&pipeline, "map.html", &["--by", "borough"]).await.text;
    assert_eq!(numbers(&boroughs), pairs(&[("Bronx", "30"), ("Outside the city", "27"), ("Brooklyn", "12")]));
    let out = pipeline.folder().join("map.html").display().to_string();
    let none = pipeline.other(&["map", "oca", "--by", "tract", "--out", &out]).await.exits(1);
    none.says("all cases that count here have no geocoded address").says("merganser backfill oca geocode");
    // A geocoded place counts before the postal code.
    pipeline
        .execute("update oca_addresses set boro = 'BRONX', ct = '63' where postalcode like '10002%'")
        .await;
    let boroughs = map(&pipeline, "map.html", &["--by", "borough"]).await.text;
    assert_eq!(numbers(&boroughs), pairs(&[("Bronx", "39"), ("Outside the city", "27"), ("Brooklyn", "12")]));
    pipeline
        .execute("update oca_addresses set boro = 'BROOKLYN', ct = '11' where postalcode like '10451%'")
        .await;
    let tracts = map(&pipeline, "map.html", &["--by", "tract"]).await.text;
    assert_eq!(numbers(&tracts), pairs(&[("11", "30")]));
    assert!(tracts.contains("About 70% of the cases have no geocoded address"));
    let tracts = map(&pipeline, "map.html", &["--by", "tract"]).await.ran;
    let tracts =
        tracts.says("about 70% of the cases have no geocoded address in the city and are not on this map");
    tracts.says("merganser backfill oca geocode");
}

#[tokio::test]
async fn a_map_of_some_days_or_of_another_measure() {
    let pipeline = january("map days").await;
    let days = ["--by", "zip", "--since", "2024-01-02", "--until", "2024-01-14"];
    let text = map(&pipeline, "map.html", &days).await.text;
    assert_eq!(numbers(&text), pairs(&[("10451", "26")]));
    assert!(text.contains("2 January 2024 to 14 January 2024") && !text.contains("have no postal code"));
    let text = map(&pipeline, "map.html", &["--by", "zip", "--measure", "warrants"]).await.text;
    assert_eq!(numbers(&text), pairs(&[("10451", "11")]));
    assert!(text.contains("<p class=\"days\">1 February 2024</p>"));

    // The message says which days there are.
    let out = pipeline.folder().join("map.html").display().to_string();
    let ran =
        pipeline.other(&["map", "oca", "--by", "zip", "--measure", "sales", "--out", &out]).await.exits(2);
    ran.says("filings").says("judgments").says("warrants").says("evictions");
    let ran = pipeline.other(&["map", "oca", "--by", "county", "--out", &out]).await.exits(2);
    ran.says("the map of oca has no --by county; it has zip, tract, borough")
        .says("choose one of these: --by zip");
    let ran = pipeline
        .other(&["map", "oca", "--by", "zip", "--measure", "evictions", "--out", &out])
        .await
        .exits(1);
    ran.says("so there is nothing to draw").says("is unchanged").says("merganser status");
    assert!(fs::read_to_string(&out).unwrap().contains("1 February 2024"), "the file stays");
    let late = ["map", "oca", "--by", "zip", "--out", &out, "--since", "2030-01-01"];
    pipeline.other(&late).await.exits(1).says("from 2030-01-01 on").says("leave out --since and --until");
    let none = [&late[..], &["--until", "2029-01-01"]].concat();
    pipeline.other(&none).await.exits(2).says("--since 2030-01-01 is after --until 2029-01-01");
    pipeline.other(&["map", "oca", "--by", "zip", "--out", "map.png"]).await.exits(2).says("name it .html");
    let nowhere = pipeline.folder().join("none/map.svg").display().to_string();
    pipeline.other(&["map", "oca", "--by", "zip", "--out", &nowhere]).await.exits(1).says("No such file");
}

#[tokio::test]
async fn a_map_of_nothing_says_so() {
    let pipeline = Pipeline::new("map nothing").await;
    let out = pipeline.folder().join("map.html").display().to_string();
    let words = ["map", "oca", "--by", "zip", "--out", &out];
    let ran = pipeline.other(&words).await.exits(1).says("has no table").says("merganser run oca loads");
    assert!(ran.stderr.contains("nothing to draw yet"), "{}", ran.stderr);
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    pipeline.run().await.exits(0);
    pipeline.other(&words).await.exits(1).says("so there is nothing to draw").says("merganser status");
    assert!(!Path::new(&out).exists());
    // A single case is drawn like no case at all.
    pipeline.put(case(Extract::weekly("2024-01-08"), "b", &["10451"], 3, None));
    pipeline.run().await.exits(0);
    let text = map(&pipeline, "map.html", &["--by", "zip"]).await.text;
    assert_eq!(numbers(&text), []);
    assert!(text.contains("None of the ZIP code areas has 10 cases or more, so no number is shown."));
}

#[tokio::test]
async fn who_may_read_the_tables_alone_gets_a_map_without_a_run() {
    let pipeline = january("map reader").await;
    let reader = format!("{}_reader", pipeline.database.name());
    let grants = format!(
        "create role {reader} login; grant usage on schema public to {reader};
         grant select on oca_index, oca_addresses, oca_warrants, oca_judgments to {reader}"
    );
    pipeline.execute(&grants).await;
    let (url, out) = (pipeline.database.url_as(&reader), pipeline.folder().join("map.svg"));
    let out = out.display().to_string();
    let none: [(&str, &str); 0] = [];
    let args = ["map", "oca", "--by", "zip", "--out", &out, "--database-url", &url];
    let ran = Ran::new(support::merganser(args, none)).exits(0).says("the picture names no run");
    assert!(ran.stdout.contains("3 ZIP code areas"), "{}", ran.stdout);
    let text = fs::read_to_string(&out).unwrap();
    assert!(
        text.starts_with("<?xml") && text.contains("<desc id=\"description\">67 cases in 3 ZIP code areas")
    );
    assert!(text.contains("<title>10451, Bronx: 30 cases</title>") && !text.contains("<script"));
    // The SVG is well-formed, so any viewer can show it.
    let mut xml = quick_xml::Reader::from_str(&text);
    while !matches!(xml.read_event().unwrap(), quick_xml::events::Event::Eof) {}
    postgres::connect(&url).await.batch_execute("select from public.oca_index").await.unwrap();
}

#[tokio::test]
async fn the_page_is_good_in_a_browser_on_a_phone_and_at_a_desk() {
    let pipeline = january("map browser").await;
    let path = map(&pipeline, "map.html", &["--by", "zip"]).await.path;
    let looks = looks("commands/map/look.mjs", &path, "10451").await;
    assert_eq!(looks.len(), 5, "{looks:#?}");
    for look in &looks[..4] {
        for nothing in ["said", "requests", "violations"] {
            assert_eq!(look[nothing], Value::Array(Vec::new()), "{nothing}: {look:#}");
        }
        assert_eq!(
            (&look["scrolls"], &look["tip"]),
            (&false.into(), &"10451, Bronx: 30 cases".into()),
            "{look:#}"
        );
        assert_eq!(look["found"], "1 of 178 rows");
        let sheet = if look["colorScheme"] == "dark" { "rgb(20, 24, 27)" } else { "rgb(252, 251, 248)" };
        assert_eq!(look["sheet"], sheet);
    }
    assert_eq!((&looks[4]["title"], &looks[4]["finds"]), (&"10451, Bronx: 30 cases".into(), &false.into()));
}
