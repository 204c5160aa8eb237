//! The two access levels: street lines belong to the private side alone.

use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

/// Texts that occur in street lines and nowhere else.
const STREETS: [&str; 4] = ["742 EVERGREEN TERRACE", "APT \"9Q\"", "1060 W ADDISON", "BASEMENT, REAR"];

fn extract() -> Extract {
    let address = |street1: &str, street2: &str, city: &str| {
        format!(
            "<PropertyAddress><Street1>{street1}</Street1><Street2>{street2}</Street2><City>{city}</City>\
             <State>New York</State><PostalCode>11201</PostalCode></PropertyAddress>"
        )
    };
    let addresses = |inside: String| format!("<PropertyAddresses>{inside}</PropertyAddresses>");
    let one = address(STREETS[0], STREETS[1], "Brooklyn");
    let two = address(STREETS[2], STREETS[3], "Bronx") + &address("", "", "Jamaica");
    Extract::weekly("2024-05-06").case("a", &addresses(one)).case("b", &addresses(two))
}

/// Objects of the store that hold any of the street lines.
fn objects_with_streets(pipeline: &Pipeline) -> Vec<String> {
    let holds = |bytes: &[u8], street: &str| {
        // As plain text, and as CSV quotes it.
        [street.to_owned(), street.replace('"', "\"\"")]
            .iter()
            .any(|text| bytes.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes())))
    };
    let objects = pipeline.objects().into_iter();
    objects
        .filter(|(_, bytes)| STREETS.iter().any(|street| holds(bytes, street)))
        .map(|(key, _)| key)
        .collect()
}

/// Columns of any table, including the ledger's and the staging tables, that hold any of the street lines.
async fn columns_with_streets(pipeline: &Pipeline) -> Vec<String> {
    let tables = "select format('%I.%I', nspname, relname)
        from pg_class join pg_namespace on pg_namespace.oid = relnamespace
        where relkind = 'r' and nspname not in ('pg_catalog', 'information_schema') order by 1";
    let mut found = Vec::new();
    for table in pipeline.column(tables).await {
        let pattern = STREETS.map(|street| street.split(['"', ',']).next().unwrap()).join("|");
        let query = format!("select count(*) from {table} as t where t::text ~* '{pattern}'");
        if pipeline.one(&query).await != "0" {
            found.push(table);
        }
    }
    found
}

#[tokio::test]
async fn level_2_keeps_street_lines_on_the_private_side() {
    let pipeline = Pipeline::new("level 2").await.with("--level", "2");
    pipeline.put(extract());
    pipeline.run().await.exits(0);
    let rows =
        pipeline.column("select concat_ws('|', street1, street2, city) from oca_addresses order by 1").await;
    assert_eq!(
        rows,
        ["1060 W ADDISON|BASEMENT, REAR|Bronx", "742 EVERGREEN TERRACE|APT \"9Q\"|Brooklyn", "Jamaica"]
    );
    let private = pipeline.csv("private/oca_addresses_private.csv");
    let mut streets = [private.column("street1"), private.column("street2")].concat();
    streets.retain(Option::is_some);
    streets.sort();
    let mut expected = STREETS.map(|street| Some(street.to_owned()));
    expected.sort();
    assert_eq!(streets, expected);
    let public = pipeline.csv("public/oca_addresses.csv");
    assert_eq!(public.columns, ["indexnumberid", "city", "state", "postalcode"]);
    assert_eq!(public.rows.len(), 3);

    let mut found = objects_with_streets(&pipeline);
    found.retain(|key| !key.starts_with("private/runs/"));
    assert_eq!(found, ["private/oca_addresses_private.csv"], "and not in any public object");
}

#[tokio::test]
async fn level_1_keeps_no_street_line_of_a_level_2_file() {
    let pipeline = Pipeline::new("level 1").await;
    // Failed records, of which the ledger keeps a copy, hold street lines too.
    let street = format!("<PropertyAddresses><PropertyAddress><Street1>{}</Street1>", STREETS[0]);
    let rest = "<City>Queens</City></PropertyAddress></PropertyAddresses>";
    let bad_date = format!("<FiledDate>soon</FiledDate>{street}{rest}");
    let malformed = format!("{street}<Street2>{}</City></PropertyAddresses>", STREETS[3]);
    let extract = extract().case("bad date", &bad_date).case("malformed", &malformed);
    pipeline.put(extract.raw(&format!("<Index>{street}{rest}</Index>")));
    let ran = pipeline.run().await.exits(3);
    assert_eq!(ran.count("records_failed"), 3);
    let fragment = "select fragment from etl.failed_records where record_id = 'bad date'";
    let fragment = pipeline.one(fragment).await;
    assert!(fragment.contains("<Street1></Street1><City>Queens</City>"), "{fragment}");
    assert_eq!(pipeline.one("select count(*) from oca_addresses").await, "3");
    let streets = "select count(street1) + count(street2) from oca_addresses";
    assert_eq!(pipeline.one(streets).await, "0");
    assert_eq!(objects_with_streets(&pipeline), Vec::<String>::new());
    assert_eq!(columns_with_streets(&pipeline).await, Vec::<String>::new());
    // Street lines are expected, so no warning about unknown elements appears.
    assert!(!ran.stderr.contains("Street1") && !ran.stdout.contains("Street1"), "{}", ran.stderr);
}

/// The results of geocoding are private too, and their columns exist before geocoding does.
#[tokio::test]
async fn what_identifies_a_building_is_not_published() {
    let pipeline = Pipeline::new("geocoded").await.with("--level", "2");
    pipeline.put(extract());
    pipeline.run().await.exits(0);
    pipeline
        .execute(
            "update oca_addresses set house_number = '742', street_name = 'EVERGREEN TERRACE', bin = '3999111',
                 bbl = '3001230045', lat = 40.690712, lon = -73.990111, geom = st_setsrid(st_point(-73.990111, 40.690712), 4326)",
        )
        .await;
    pipeline.put(Extract::weekly("2024-05-13").case("c", ""));
    pipeline.run().await.exits(0);
    let private = pipeline.csv("private/oca_addresses_private.csv");
    assert_eq!(private.column("bbl"), vec![Some("3001230045".to_owned()); 3]);
    assert!(private.column("geom").iter().all(Option::is_some));
    for (key, bytes) in pipeline.objects() {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let holds =
            ["EVERGREEN", "3999111", "3001230045", "40.69", "-73.99"].iter().any(|part| text.contains(part));
        assert!(!key.starts_with("public/") || !holds, "{key}:\n{text}");
    }
}

/// Not even the most verbose log has it.
#[tokio::test]
async fn a_failed_record_is_not_in_the_log() {
    let pipeline = Pipeline::new("details").await.with("--level", "2");
    let address = format!(
        "<PropertyAddresses><PropertyAddress><Street1>{}</Street1></PropertyAddress></PropertyAddresses>",
        STREETS[0]
    );
    pipeline
        .put(Extract::weekly("2024-05-06").case("a", &format!("<FiledDate>2024-02-30</FiledDate>{address}")));
    let ran = pipeline.run_with(&["-vv"]).await.exits(3);
    assert!(!ran.stderr.contains(STREETS[0]), "{}", ran.stderr);
    let pipeline = pipeline.env([("MERGANSER_LOG".into(), "trace".into())]);
    pipeline
        .put(Extract::weekly("2024-05-07").case("b", &format!("<FiledDate>2024-02-30</FiledDate>{address}")));
    let ran = pipeline.run().await.exits(3);
    assert!(!ran.stderr.contains(STREETS[0]), "{}", ran.stderr);
}
