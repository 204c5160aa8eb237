//! A table that is published in several forms has the same cells in all of them, and only the forms that were asked for
//! are there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use merganser::clients::duckdb::{DuckLimits, Staging};
use merganser::dataset::{Column, ColumnType, PublishedColumns, PublishedForm, PublishedTable, Reach};
use merganser::datasets::oca::OCA;
use merganser::sql;
use serde_json::Value;

use super::catalogue::duckdb_type;
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;
use crate::support::sha256;

const ALL: &str = "csv,csv.gz,parquet";
/// Stands for null; no cell of the test has this value.
const NONE: &str = "\u{2205}";

/// Cases whose values are hard to write and to read.
fn odd() -> Extract {
    let odd = |mark: &str, roles: &[&str], amount: &str| {
        let roles: String = roles.iter().map(|role| format!("<Role>{role}</Role>")).collect();
        format!(
            "<Status>{mark}</Status><FiledDate>2024-02-29</FiledDate>\
             <PrimaryClaimCauseOfActions><PrimaryClaimCauseOfAction><CauseOfActionType>{mark}</CauseOfActionType>\
             <Amount>{amount}</Amount></PrimaryClaimCauseOfAction></PrimaryClaimCauseOfActions>\
             <PropertyAddresses><PropertyAddress><Street1>1 Planted St</Street1><City>{mark}</City></PropertyAddress>\
             </PropertyAddresses>\
             <Events><Event><EventName>{mark}</EventName><FilingParties><FilingParty>{roles}</FilingParty></FilingParties>\
             </Event></Events>\
             <Appearances><Appearance><AppearanceDateTime>2024-03-04T09:30:00</AppearanceDateTime></Appearance></Appearances>"
        )
    };
    Extract::weekly("2024-03-04")
        .case("plain", &odd("plain", &["one", "two"], "1.50"))
        .case(
            "quotes",
            &odd(
                "say &quot;no&quot;, twice",
                &["a, b", "c &quot;d&quot;", "NULL", "{e}"],
                "-12345678901.125",
            ),
        )
        .case("lines", &odd("two\nlines and \\ back\\\\slashes", &["back\\slash", "", "x"], "0"))
        .case("wide", &odd("\u{1f600} \u{e9} \u{2028}", &[], "99999999999999"))
        .case("bare", "")
}

/// The columns of a public table.
fn columns(table: &PublishedTable) -> Vec<&'static Column> {
    let mut known = OCA.own_tables().chain(OCA.derived.iter().map(|derived| &derived.table));
    let known = known.find(|known| known.name == table.table).expect("it is the dataset's");
    match table.columns {
        PublishedColumns::Only(names) => {
            let named =
                |name: &&str| known.columns.iter().find(|column| column.name == *name).expect("a column");
            names.iter().map(named).collect()
        }
        _ => known.columns.iter().collect(),
    }
}

fn public() -> impl Iterator<Item = &'static PublishedTable> {
    OCA.published.iter().filter(|table| table.reach == Reach::Public)
}

/// A cell as text, in each of the two databases.
fn text(column: &Column, is_duckdb: bool) -> String {
    let name = sql::identifier(column.name);
    let text = match (column.kind, is_duckdb) {
        (ColumnType::TextArray, false) => format!("array_to_string({name}, '\u{a6}', 'NULL!')"),
        (ColumnType::TextArray, true) => {
            format!("array_to_string(list_transform({name}, lambda e: coalesce(e, 'NULL!')), '\u{a6}')")
        }
        (ColumnType::Real, _) => format!("round({name}::numeric(38, 9), 4)::text"),
        _ => format!("{name}::text"),
    };
    format!("coalesce({text}, '{NONE}')")
}

/// A number without trailing zeros: 1.50 becomes 1.5.
fn number(cell: &str) -> &str {
    match cell.contains('.') {
        true => cell.trim_end_matches('0').trim_end_matches('.'),
        false => cell,
    }
}

fn store(folder: &Path) -> Staging {
    Staging::create(folder, DuckLimits { memory_mib: 256, threads: 1 }).expect("a store")
}

/// The rows of a Parquet, and the types of its columns.
fn parquet(path: &Path, columns: &[&Column]) -> (Vec<Vec<String>>, BTreeMap<String, String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let cells: Vec<_> = columns.iter().map(|column| text(column, true)).collect();
    let from = format!("read_parquet('{}')", path.display());
    let rows = format!("select [{}] as cells from {from}", cells.join(", "));
    let rows = format!("select unnest(cells) from ({rows})");
    let flat = store.query("read it", &rows, |row| row.get::<_, String>(0)).expect("it can be read");
    let rows = flat.chunks(columns.len()).map(<[String]>::to_vec).collect();
    let types = format!("select column_name, column_type from (describe select * from {from})");
    let types = store.query("read it", &types, |row| Ok((row.get(0)?, row.get(1)?))).expect("it has types");
    (rows, types.into_iter().collect())
}

fn manifest(pipeline: &Pipeline) -> Value {
    serde_json::from_slice(&pipeline.objects()["public/manifest.json"]).expect("JSON")
}

/// The names of the public files that hold tables.
fn files(pipeline: &Pipeline) -> BTreeSet<String> {
    let names =
        pipeline.objects().into_keys().filter_map(|key| Some(key.strip_prefix("public/")?.to_owned()));
    names.filter(|name| !name.starts_with("last-updated") && name != "manifest.json").collect()
}

fn expected(forms: &[PublishedForm]) -> BTreeSet<String> {
    let names = public().flat_map(|table| forms.iter().map(|form| table.object(None, *form)));
    names.chain(["data-dictionary.csv".to_owned()]).collect()
}

#[tokio::test]
async fn every_form_says_the_same_cell_by_cell() {
    let pipeline = Pipeline::new("forms").await;
    pipeline.put(odd());
    pipeline.run_with(&["--publish", ALL]).await.exits(0).says("files, ");
    assert_eq!(files(&pipeline), expected(&PublishedForm::ALL));
    let (objects, manifest) = (pipeline.objects(), manifest(&pipeline));
    let named = manifest["files"].as_array().expect("a list");
    assert_eq!(named.len(), expected(&PublishedForm::ALL).len());
    for file in named {
        let bytes = &objects[&format!("public/{}", file["name"].as_str().expect("a name"))];
        assert_eq!(file["size_bytes"], bytes.len(), "{file}");
        assert_eq!(file["sha256"], sha256(bytes), "{file}");
    }
    let mut cells = 0;
    for table in public() {
        let key = |form| format!("public/{}", table.object(None, form));
        let mut unpacked = Vec::new();
        let packed = &objects[&key(PublishedForm::Packed)];
        flate2::read::GzDecoder::new(packed.as_slice())
            .read_to_end(&mut unpacked)
            .expect("it can be unpacked");
        assert!(unpacked == objects[&key(PublishedForm::Csv)], "{}", table.name);

        let columns = columns(table);
        let (rows, types) = parquet(&pipeline.store().join(key(PublishedForm::Parquet)), &columns);
        let texts: Vec<_> = columns.iter().map(|column| text(column, false)).collect();
        let query = format!("select {} from {} order by ctid", texts.join(", "), table.table);
        let is_view = OCA.views().any(|view| view.table.name == table.table);
        let query = if is_view { query.replace(" order by ctid", "") } else { query };
        let truth: Vec<Vec<_>> =
            pipeline.rows(&query).await.into_iter().map(|row| row.into_iter().flatten().collect()).collect();
        assert_eq!(rows.len(), truth.len(), "{}", table.name);
        for (row, truth) in rows.iter().zip(&truth) {
            for ((column, cell), truth) in columns.iter().zip(row).zip(truth) {
                let (cell, truth): (&str, &str) = match column.kind {
                    ColumnType::Numeric => (number(cell), number(truth)),
                    _ => (cell, truth),
                };
                assert_eq!(cell, truth, "{}.{}", table.name, column.name);
                cells += 1;
            }
        }
        for column in &columns {
            let found = types[column.name].as_str();
            let expected = match column.kind {
                ColumnType::Numeric if column.name == "amount" => "DECIMAL(18,3)",
                ColumnType::Numeric => found,
                kind => duckdb_type(kind),
            };
            assert_eq!(found, expected, "{}.{}", table.name, column.name);
            assert!(column.kind != ColumnType::Numeric || found.starts_with("DECIMAL("), "{found}");
        }
    }
    assert!(cells > 100, "{cells} cells were compared");
}

#[tokio::test]
async fn what_is_not_asked_for_any_more_goes_and_what_is_private_stays_it() {
    let pipeline = Pipeline::new("forms go").await;
    pipeline.put(odd());
    pipeline.run_with(&["--publish", ALL]).await.exits(0);
    for (key, bytes) in pipeline.objects() {
        let is_public = key.starts_with("public/") && !key.contains("addresses_private");
        assert!(is_public || !key.starts_with("public/"), "{key}");
        if is_public && !key.ends_with(".parquet") && !key.ends_with(".gz") {
            assert!(!String::from_utf8_lossy(&bytes).contains("Planted St"), "{key}");
        }
    }
    // A file that somebody else put there stays.
    std::fs::write(pipeline.store().join("public/oca_index.xlsx"), "theirs").expect("it can be written");
    for (number, forms) in
        [&[PublishedForm::Csv, PublishedForm::Parquet][..], &[PublishedForm::Csv]].into_iter().enumerate()
    {
        pipeline.put(Extract::weekly(&format!("2024-03-1{number}")).case("more", ""));
        let names: Vec<_> = forms.iter().map(|form| form.name()).collect();
        pipeline.run_with(&["--publish", &names.join(",")]).await.exits(0);
        let mut wanted = expected(forms);
        assert_eq!(manifest(&pipeline)["files"].as_array().expect("a list").len(), wanted.len());
        wanted.insert("oca_index.xlsx".into());
        assert_eq!(files(&pipeline), wanted);
    }
    let ran = pipeline.run_with(&["--publish", "parquet"]).await.exits(2);
    drop(ran.says("csv is always among the forms").says("--publish csv,parquet"));
}

#[tokio::test]
async fn a_number_that_no_type_takes_makes_its_column_a_text_and_is_said() {
    let pipeline = Pipeline::new("forms digits").await;
    pipeline.put(odd());
    pipeline.run_with(&["--publish", ALL]).await.exits(0);
    let table = public().find(|table| table.table == "oca_causes").expect("it is public");
    let file = pipeline.store().join(format!("public/{}", table.object(None, PublishedForm::Parquet)));
    let amount: Vec<_> = columns(table).into_iter().filter(|column| column.name == "amount").collect();
    let seen = || {
        let (rows, types) = parquet(&file, &amount);
        (rows.concat(), types["amount"].clone())
    };
    assert!(seen().1.starts_with("DECIMAL"), "{:?}", seen());
    for (number, wrong, said) in [
        (1, "12345678901234567890123456789012345678.12", "numbers of 41 digits, 3 of them"),
        (2, "NaN", "infinite numbers or NaN"),
    ] {
        pipeline.put(Extract::weekly(&format!("2024-03-1{number}")).case("more", ""));
        pipeline
            .execute(&format!("update oca_causes set amount = '{wrong}' where indexnumberid = 'plain'"))
            .await;
        let ran = pipeline.run_with(&["--publish", ALL]).await.exits(0).says("oca_causes.amount holds");
        drop(ran.says(said).says("published as text in Parquet"));
        let (cells, kind) = seen();
        assert!(kind == "VARCHAR" && cells.iter().any(|cell| cell == wrong), "{cells:?}");
    }
    assert!(pipeline.csv("public/oca_causes.csv").column("amount").contains(&Some("NaN".into())));
    pipeline.execute("update oca_causes set amount = 1 where indexnumberid = 'plain'").await;
    pipeline.put(Extract::weekly("2024-03-13").case("more", ""));
    pipeline.run_with(&["--publish", ALL]).await.exits(0);
    assert!(seen().1.starts_with("DECIMAL"), "{:?}", seen());
}
