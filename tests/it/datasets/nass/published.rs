//! Each year has one CSV and one Parquet, and together they are the table.

use std::collections::BTreeSet;

use merganser::clients::duckdb::{DuckLimits, Staging};
use serde_json::Value;

use super::world::{World, records};

#[tokio::test]
async fn each_year_has_its_files_in_which_a_county_is_together() {
    let world = World::new("nass published", records(2013..=2015, 600), 2_000).await;
    world.run("2013", "2015", &[]).await.exits(0);
    let objects = world.pipeline.objects();
    let public: BTreeSet<_> =
        objects.keys().filter(|key| key.contains("public/nass/nass_facts")).cloned().collect();
    let expected = (2013..=2015)
        .flat_map(|year| ["csv", "parquet"].map(|form| format!("public/nass/nass_facts-{year}.{form}")));
    assert_eq!(public, expected.collect());
    let manifest: Value = serde_json::from_slice(&objects["public/nass/manifest.json"]).expect("JSON");
    let notice = manifest["notice"].as_str().expect("a notice");
    assert!(notice.contains("uses the NASS API but is not endorsed or certified by NASS"), "{notice}");

    let folder = tempfile::tempdir().expect("a folder");
    let store = Staging::create(folder.path(), DuckLimits { memory_mib: 256, threads: 1 }).expect("a store");
    let mut total = 0;
    for year in 2013..=2015 {
        let count = format!("select count(*) from nass_facts where year = {year}");
        let count = world.pipeline.one(&count).await;
        let csv = world.pipeline.csv(&format!("public/nass/nass_facts-{year}.csv"));
        assert_eq!(csv.column("year").len().to_string(), count);
        assert!(csv.column("year").iter().all(|cell| cell.as_deref() == Some(&year.to_string())));
        total += csv.column("year").len();
        // The rows of each county are together, and so are those without a county.
        let mut counties = csv.column("fips");
        counties.dedup();
        let different: BTreeSet<_> = counties.iter().cloned().collect();
        assert_eq!(counties.len(), different.len());
        assert!(different.len() > 20, "{different:?}");

        let file = world.pipeline.store().join(format!("public/nass/nass_facts-{year}.parquet"));
        let read = |what: &str| {
            let query = format!("select {what} from read_parquet('{}')", file.display());
            store.query("read it", &query, |row| row.get::<_, Option<String>>(0)).expect("it can be read")
        };
        for column in ["record_id", "fips", "short_desc", "value_code"] {
            assert_eq!(read(column), csv.column(column), "{column} of {year}");
        }
        let values: Vec<_> =
            read("value::text").into_iter().map(|value| value.map(|value| trimmed(&value))).collect();
        let truth = csv.column("value").into_iter().map(|value| value.map(|value| trimmed(&value)));
        assert_eq!(values, truth.collect::<Vec<_>>());
        assert_eq!(read("typeof(value)")[0].as_deref(), Some("DECIMAL(18,2)"), "as in every other year");
        let file = manifest["files"].as_array().expect("a list").iter();
        let slices = file.filter(|file| file["slice"]["year"] == year);
        assert_eq!(slices.map(|file| file["rows"].to_string()).collect::<Vec<_>>(), [count.clone(), count]);
    }
    assert_eq!(total.to_string(), world.pipeline.one("select count(*) from nass_facts").await);

    // A year without rows has no files, and the files of the whole table are gone.
    world.pipeline.execute("delete from nass_facts where year = 2014").await;
    let whole = world.pipeline.store().join("public/nass/nass_facts.csv");
    std::fs::write(&whole, "from before\n").expect("it can be written");
    world.run("2015", "2015", &["--max-age", "0", "--publish", "csv"]).await.exits(0);
    let left = world.pipeline.objects().into_keys().filter(|key| key.contains("public/nass/nass_facts"));
    let left: Vec<_> = left.collect();
    assert_eq!(left, ["public/nass/nass_facts-2013.csv", "public/nass/nass_facts-2015.csv"]);
}

fn trimmed(number: &str) -> String {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number.to_owned(),
    }
}
