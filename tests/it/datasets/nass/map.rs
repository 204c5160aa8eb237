//! The map of counties: the figure of each, and none where nothing is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use merganser::commands::demo::quickstats::read_bulk;
use merganser::commands::map::draw;
use merganser::config::{DatabaseConfig, MapConfig, MapFile};
use merganser::datasets::nass::columns::{VALUE, position};
use merganser::datasets::nass::map::MAP;
use merganser::datasets::nass::quickstats::records::StatRecords;
use merganser::datasets::nass::sample::{RecordsSample, write_records};
use merganser::datasets::oca::OCA;
use tempfile::TempDir;

use crate::support::nass_values::{real, table};
use crate::support::postgres::{self, TestDatabase};

const COLUMNS: [&str; 8] = [
    "source_desc",
    "short_desc",
    "domain_desc",
    "agg_level_desc",
    "year",
    "reference_period_desc",
    "load_time",
    "Value",
];

/// Facts of 2021 and 2022, as far as the map reads them.
async fn facts(folder: &TempDir) -> (TestDatabase, StatRecords) {
    let options = RecordsSample {
        records: 60_000,
        seed: 1,
        years: (2021, 2022),
        revision: 0,
        day: jiff::civil::date(2026, 1, 2),
        out: folder.path().to_owned(),
    };
    write_records(&options).unwrap();
    let records = read_bulk(folder.path()).unwrap();
    let database = postgres::database("nass map").await;
    let client = database.client().await;
    // The drawing looks whether the tables of its dataset are there.
    for table in OCA.own_tables() {
        client.batch_execute(&format!("create table {} ()", table.name)).await.unwrap();
    }
    let table = "create table nass_facts (source_desc text, short_desc text, domain_desc text, agg_level_desc text,
        year int, reference_period_desc text, load_time timestamp, value numeric, value_code text, fips text)";
    client.batch_execute(table).await.unwrap();
    let [state, county, level] =
        ["state_fips_code", "county_code", "agg_level_desc"].map(|name| position(name).unwrap());
    let mut columns = vec![Vec::new(); COLUMNS.len() + 1];
    for row in (0..records.len()).filter(|row| records.field(*row, level) == "COUNTY") {
        for (name, texts) in COLUMNS.iter().zip(&mut columns) {
            texts.push(Some(
                records
                    .field(row, position(name).unwrap())
                    .replace(',', if *name == "Value" { "" } else { "," }),
            ));
        }
        let fips = format!("{}{}", records.field(row, state), records.field(row, county));
        columns[COLUMNS.len()].push(Some(fips).filter(|fips| !fips.ends_with("998")));
    }
    let insert = "insert into nass_facts
        select source, short, domain, level, year::int, period, load_time::timestamp,
            case when value not like '(%' then value::numeric end, case when value like '(%' then value end, fips
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[]) as fact (source, short, domain, level, year, period, load_time, value, fips)";
    let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
        columns.iter().map(|column| column as &(dyn tokio_postgres::types::ToSql + Sync)).collect();
    client.execute(insert, &values).await.unwrap();
    (database, records)
}

fn config(database: &TestDatabase, folder: &TempDir, name: &str, measure: &str) -> MapConfig {
    let database = DatabaseConfig {
        url: database.url().parse().unwrap(),
        schema: "public".into(),
        ledger_schema: "etl".into(),
        staging_schema: "etl_staging".into(),
    };
    let year = |month, day| Some(jiff::civil::date(2021, month, day));
    MapConfig {
        database,
        dataset: &OCA,
        map: &MAP,
        division: &MAP.divisions[0],
        measure: MAP.measures.iter().find(|known| known.name == measure).unwrap(),
        since: year(1, 1),
        until: year(12, 31),
        out: folder.path().join(name),
        file: if name.ends_with("svg") { MapFile::Picture } else { MapFile::Page },
        note: None,
    }
}

/// What the survey says of a year's corn, by county: value or code.
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
    let (database, records) = facts(&folder).await;
    let told = told(&records);
    let (figures, codes): (Vec<_>, Vec<_>) = told.iter().partition(|(_, value)| !value.starts_with('('));
    assert!(figures.len() > 1_000 && codes.len() > 20, "{} {}", figures.len(), codes.len());

    let config = config(&database, &folder, "map.svg", "corn-yield");
    let url = database.url().parse().unwrap();
    let said = draw(&config, &url).await.unwrap();
    let counties = merganser::words::count(figures.len() as u64);
    assert!(
        said.ends_with(&format!("{counties} counties with a figure of 1 January 2021 to 31 December 2021\n")),
        "{said}"
    );
    let svg = fs::read_to_string(&config.out).unwrap();
    assert!(svg.contains("Corn for grain, bushels an acre, by county") && svg.contains("not endorsed"));
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
    let (database, _) = facts(&folder).await;
    let client = database.client().await;
    let rows = "truncate nass_facts;
        insert into nass_facts (source_desc, short_desc, domain_desc, agg_level_desc, year, reference_period_desc,
            load_time, value, fips)
        select source, 'CORN, GRAIN - YIELD, MEASURED IN BU / ACRE', domain, 'COUNTY', year, period, now(), value, fips
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
    client.batch_execute(rows).await.unwrap();
    let url = database.url().parse().unwrap();
    let mut config = config(&database, &folder, "map.html", "corn-yield");
    (config.since, config.until) = (None, None);
    let said = draw(&config, &url).await.unwrap();
    assert!(said.ends_with("2 counties with a figure of 1 January 2020 to 31 December 2022\n"), "{said}");
    let page = fs::read_to_string(&config.out).unwrap();
    assert!(page.contains("<title>Story, Iowa: 180.5 bushels an acre</title>"));
    // A name that it had before, and a zero that was published.
    assert!(page.contains("<title>Oglala Lakota, South Dakota: 0.0 bushels an acre</title>"));
    assert!(page.contains("<title>Los Angeles, California: no figure</title>"));
    assert!(page.contains("2 counties have a figure.") && page.contains("the median is shown"));
    assert!(page.contains("Bushels an acre in one county"));
    config.measure = &MAP.measures[1];
    assert!(draw(&config, &url).await.unwrap_err().to_string().contains("nothing to draw"));
}

/// Whatever county NASS named in eleven years is on the map, but for what it combines.
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
