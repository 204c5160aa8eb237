//! The map of counties: the figure of each, and no figure where none is published.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use merganser::commands::demo::quickstats::read_bulk;
use merganser::datasets::nass::NASS;
use merganser::datasets::nass::columns::{VALUE, position};
use merganser::datasets::nass::map::MAP;
use merganser::datasets::nass::quickstats::records::StatRecords;
use merganser::datasets::nass::sample::{RecordsSample, write_records};
use merganser::sql;
use tempfile::TempDir;

use super::world::World;
use crate::support::nass_values::{real, table};
use crate::support::pipeline::Pipeline;

/// A service with a sample of 2021 and 2022.
async fn world(folder: &TempDir) -> World {
    let options = RecordsSample {
        records: 60_000,
        seed: 1,
        years: (2021, 2022),
        revision: 0,
        day: jiff::civil::date(2026, 1, 2),
        out: folder.path().to_owned(),
    };
    write_records(&options).unwrap();
    World::new("nass map", read_bulk(folder.path()).unwrap(), 2_000).await
}

/// The survey's figures for a year's corn, by county: value or code.
fn told(records: &StatRecords) -> BTreeMap<String, String> {
    let wanted = [
        ("short_desc", "CORN, GRAIN - YIELD, MEASURED IN BU / ACRE"),
        ("source_desc", "SURVEY"),
        ("agg_level_desc", "COUNTY"),
        ("year", "2021"),
        ("reference_period_desc", "YEAR"),
    ];
    let wanted = wanted.map(|(name, text)| (position(name).unwrap(), text));
    let [state, county] = ["state_fips_code", "county_code"].map(|name| position(name).unwrap());
    let rows = (0..records.len())
        .filter(|row| wanted.iter().all(|(column, text)| records.field(*row, *column) == *text))
        .filter(|row| records.field(*row, county) != "998");
    rows.map(|row| {
        let fips = format!("{}{}", records.field(row, state), records.field(row, county));
        (fips, records.field(row, VALUE).to_owned())
    })
    .collect()
}

#[tokio::test]
async fn a_county_has_its_figure_and_what_is_withheld_is_not_zero() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder).await;
    let mut records = None;
    world.server.change(|api| records = Some(api.records.clone()));
    let told = told(&records.unwrap());
    let (figures, codes): (Vec<_>, Vec<_>) = told.iter().partition(|(_, value)| !value.starts_with('('));
    assert!(figures.len() > 1_000 && codes.len() > 20, "{} {}", figures.len(), codes.len());

    // The table also has forecasts, classes of farms, the census and combined counties.
    world.run("2021", "2022", &["--filter", "commodity_desc=CORN"]).await.exits(0);
    let out = folder.path().join("map.svg");
    let words = ["map", "nass", "--by", "county", "--measure", "corn-yield", "--since", "2021-01-01"];
    let words = [&words[..], &["--until", "2021-12-31", "--out", out.to_str().unwrap()]].concat();
    let said = world.pipeline.other(&words).await.exits(0).stdout;
    let counties = merganser::words::count(figures.len() as u64);
    assert!(
        said.ends_with(&format!("{counties} counties with a figure of 1 January 2021 to 31 December 2021\n")),
        "{said}"
    );
    let svg = fs::read_to_string(&out).unwrap();
    assert!(svg.contains("Corn for grain, bushels an acre, by county") && svg.contains("not endorsed"));
    let run = world.pipeline.one("select run_id from etl.runs").await;
    assert!(svg.contains(&format!("Data of run {run}")));
    for (fips, value) in &told {
        let title = svg
            .split_once(&format!("data-a=\"{fips}\"><title>"))
            .map(|(_, rest)| rest.split_once('<').unwrap().0);
        let Some(title) = title else {
            assert!(fips.starts_with("72"), "{fips} is not drawn");
            continue;
        };
        let expected =
            if value.starts_with('(') { ": no figure" } else { &format!(": {value} bushels an acre") };
        assert!(title.ends_with(expected), "{fips} {value}: {title}");
    }
    let mut xml = quick_xml::Reader::from_str(&svg);
    while !matches!(xml.read_event().unwrap(), quick_xml::events::Event::Eof) {}
}

#[tokio::test]
async fn of_several_years_the_median_and_of_two_sources_the_survey() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::new("nass map median").await;
    for script in [NASS.scripts.tables, NASS.scripts.keys] {
        pipeline.execute(&sql::render(script, &[("schema", "public")])).await;
    }
    let rows = "insert into nass_facts (source_desc, short_desc, domain_desc, agg_level_desc, year, reference_period_desc,
            load_time, value, fips, record_id)
        select source, 'CORN, GRAIN - YIELD, MEASURED IN BU / ACRE', domain, 'COUNTY', year, period, now(), value, fips,
            row_number() over ()::text
        from (values
            ('SURVEY', 'TOTAL', 2020, 'YEAR', 100, '19169'),
            ('SURVEY', 'TOTAL', 2021, 'YEAR', 180.5, '19169'),
            ('SURVEY', 'TOTAL', 2022, 'YEAR', 200, '19169'),
            ('CENSUS', 'TOTAL', 2022, 'YEAR', 999, '19169'),
            ('SURVEY', 'TOTAL', 2021, 'YEAR - AUG FORECAST', 999, '19169'),
            ('CENSUS', 'AREA OPERATED', 2021, 'YEAR', 999, '19169'),
            ('SURVEY', 'TOTAL', 2021, 'YEAR', 999, null),
            ('CENSUS', 'TOTAL', 2022, 'YEAR', 0, '46113'),
            ('SURVEY', 'TOTAL', 2022, 'YEAR', null, '06037')
        ) as fact (source, domain, year, period, value, fips)";
    pipeline.execute(rows).await;
    let out = folder.path().join("map.html");
    let words = ["map", "nass", "--by", "county", "--out", out.to_str().unwrap(), "--measure"];
    let said = pipeline.other(&[&words[..], &["corn-yield"]].concat()).await.exits(0).stdout;
    assert!(said.ends_with("2 counties with a figure of 1 January 2020 to 31 December 2022\n"), "{said}");
    let page = fs::read_to_string(&out).unwrap();
    assert!(page.contains("<title>Story, Iowa: 180.5 bushels an acre</title>"));
    // A county under its earlier code, with a published zero.
    assert!(page.contains("<title>Oglala Lakota, South Dakota: 0.0 bushels an acre</title>"));
    assert!(page.contains("<title>Los Angeles, California: no figure</title>"));
    assert!(page.contains("2 counties have a figure.") && page.contains("their median is shown"));
    assert!(page.contains("Bushels an acre in one county"));
    pipeline.other(&[&words[..], &["soybean-yield"]].concat()).await.exits(1).says("nothing to draw");
    pipeline.execute("create schema figures; alter table nass_facts rename to facts_data").await;
    pipeline.execute("alter table facts_data set schema figures").await;
    let other = [&words[..], &["corn-yield", "--table", "figures.facts_data"]].concat();
    let said = pipeline.other(&other).await.exits(0).stdout;
    assert!(said.ends_with("2 counties with a figure of 1 January 2020 to 31 December 2022\n"), "{said}");
    pipeline
        .other(&[&words[..], &["corn-yield", "--table", "No Name"]].concat())
        .await
        .exits(2)
        .says("cannot be the name of a table");
}

/// The map has every county that NASS named in eleven years, except combined ones.
#[test]
fn every_county_of_the_real_values_is_on_the_map() {
    let Some(path) = real("counties.csv") else { return };
    let known: BTreeSet<String> =
        (MAP.divisions[0].shapes)().into_iter().flat_map(|area| area.codes).collect();
    let (mut found, mut combined) = (0, 0);
    for county in table(&path) {
        let fips = format!("{}{}", county["state_fips_code"], county["county_code"]);
        match county["county_code"].as_str() {
            "998" => combined += 1,
            _ => {
                assert!(known.contains(&fips), "{fips} {}", county["county_name"]);
                found += 1;
            }
        }
    }
    assert_eq!((found, combined), (2_487, 41));
}
