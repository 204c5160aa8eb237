use serde_json::{Value, json};

use super::super::located::COLUMNS;
use super::*;

fn question(fields: [&str; 5]) -> Question {
    let field = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Question { key: "k".into(), fields: fields.map(field).to_vec() }
}

/// A lot in the form of the service: number, street, borough, postal code, lot, building, longitude, latitude.
#[derive(Clone, Copy)]
struct Lot(&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, f64, f64);

// Lots that the service gave in 2026.
const LOT: Lot = Lot("1279", "37 STREET", "Brooklyn", "11218", "3052960043", "3340270", -73.98522, 40.641968);
const GARAGE: Lot =
    Lot("1279 GARAGE", "37 STREET", "Brooklyn", "11218", "3052960043", "3123204", -73.985331, 40.642037);
const EAST: Lot =
    Lot("1279", "EAST 37 STREET", "Brooklyn", "11210", "3076370038", "3209116", -73.93952, 40.624792);
/// Its answers to a number and to a street that do not exist.
const WRONG_NUMBER: Lot =
    Lot("207", "37 STREET", "Brooklyn", "11232", "3006950001", "3336906", -74.008191, 40.655949);
const WRONG_STREET: Lot =
    Lot("1279", "53 STREET", "Brooklyn", "11219", "3056627501", "3138712", -73.994554, 40.633088);

fn feature(lot: &Lot) -> Value {
    let Lot(number, street, borough, zip, bbl, bin, longitude, latitude) = *lot;
    json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        "properties": {"layer": "venue", "source": "nycpad", "name": format!("{number} {street}"),
            "housenumber": number, "street": street, "postalcode": zip, "confidence": 0.8,
            "match_type": "fallback", "accuracy": "point", "borough": borough,
            "addendum": {"pad": {"bbl": bbl, "bin": bin, "version": "26c"}}}})
}

fn answer(question: &Question, lots: &[Lot]) -> Value {
    let text = request(std::slice::from_ref(question)).query[0].1.to_lowercase();
    json!({"geocoding": {"version": "0.2", "query": {"text": text, "size": 10}}, "type": "FeatureCollection",
        "features": lots.iter().map(feature).collect::<Vec<_>>()})
}

/// The cell of a column of what is made of these lots.
fn cells(fields: [&str; 5], lots: &[Lot]) -> impl Fn(&str) -> String + use<> {
    let question = question(fields);
    let bytes = serde_json::to_vec(&answer(&question, lots)).unwrap();
    let mut reading = read(&[question], &bytes).unwrap();
    assert_eq!((reading.answers.len(), reading.again.len()), (1, 0));
    let cells = reading.answers.remove(0).cells;
    move |column| {
        let at = COLUMNS.iter().position(|other| *other == column).unwrap();
        cells[at].clone().unwrap_or_default()
    }
}

const TYPED: [&str; 5] = ["1279 37th St Apt 2", "", "Brooklyn", "NY", "11218"];

#[test]
fn what_agrees_is_a_match() {
    let cell = cells(TYPED, &[LOT, GARAGE, EAST]);
    for (column, expected) in [
        ("status", "match"),
        ("house_number", "1279"),
        ("street_name", "37 STREET"),
        ("sname", "37 STREET"),
        ("hnum", "1279"),
        ("boro", "BROOKLYN"),
        ("lat", "40.641968"),
        ("lon", "-73.98522"),
        ("bin", "3340270"),
        ("bbl", "3052960043"),
        ("zip_code", "11218"),
        ("msg2", "geosearch 26c"),
        ("grc", ""),
        ("ct", ""),
    ] {
        assert_eq!(cell(column), expected, "{column}");
    }
    assert_eq!(cells(["1279 East 37 Street", "", "Brooklyn", "", ""], &[LOT, EAST])("bbl"), "3076370038");
    assert_eq!(cells(["1279 Garage 37 Street", "", "Brooklyn", "", ""], &[LOT, GARAGE])("bin"), "3123204");
}

#[test]
fn what_it_gives_to_nonsense_is_refused() {
    let refused = |fields, lots: &[Lot], expected| {
        let cell = cells(fields, lots);
        assert_eq!(cell("status"), expected, "{fields:?}");
        assert_eq!(
            [cell("lat"), cell("lon"), cell("bin"), cell("bbl"), cell("boro")].concat(),
            "",
            "{fields:?}"
        );
    };
    refused(["99999 37 street", "", "Brooklyn", "NY", ""], &[WRONG_NUMBER], "no_number");
    refused(["1279 zzqqxx street", "", "Brooklyn", "NY", ""], &[WRONG_STREET], "no_street");
    refused(["1279 37 avenue", "", "Brooklyn", "NY", ""], &[LOT], "no_street");
    refused(["1279 37 street", "", "Bronx", "NY", ""], &[LOT], "no_street");
    refused(["1279 1/2 37 street", "", "Brooklyn", "NY", ""], &[LOT], "no_number");
    refused(["1279A 37 street", "", "Brooklyn", "NY", ""], &[LOT], "no_number");
    refused(TYPED, &[], "no_street");
    // Latitude first, a lot of another borough, no lot.
    refused(TYPED, &[Lot { 6: LOT.7, 7: LOT.6, ..LOT }], "no_street");
    refused(TYPED, &[Lot { 4: "1052960043", ..LOT }], "no_street");
    refused(TYPED, &[Lot { 4: "", ..LOT }], "no_street");
    // A name that is mistyped may be another city's: then the postal code must be the same.
    refused(["1279 37 street", "", "Brokolyn", "NY", "11210"], &[LOT], "no_street");
}

#[test]
fn several_lots_are_a_tie_unless_the_postal_code_decides() {
    let malba = Lot("154", "7 AVENUE", "Queens", "11357", "4045310001", "4100001", -73.82, 40.79);
    let rockaway = Lot("154", "7 AVENUE", "Queens", "11697", "4163500300", "4100002", -73.92, 40.56);
    let both = [malba, rockaway];
    let typed = |zip| ["154 7th Ave", "", "Queens", "NY", zip];
    assert_eq!(cells(typed(""), &both)("status"), "tie");
    assert_eq!(cells(typed("11697"), &both)("bbl"), "4163500300");
    assert_eq!(cells(typed("11374"), &both)("status"), "tie");
    // The number may be in the other place alone.
    assert_eq!(cells(typed("11697"), &[malba])("status"), "no_street");
    // Two buildings on one lot: the lot is known, the building is not.
    let cell = cells(TYPED, &[LOT, Lot { 5: "3340271", ..LOT }]);
    assert_eq!(
        (cell("status"), cell("bbl"), cell("bin")),
        ("match".into(), "3052960043".into(), String::new())
    );
    assert_eq!(cells(TYPED, &[Lot { 5: "3000000", ..LOT }])("bin"), "");
}

#[test]
fn a_hyphen_is_part_of_a_number_in_queens_and_a_range_elsewhere() {
    let queens = Lot("35-12", "73 STREET", "Queens", "11372", "4012720001", "4029001", -73.89, 40.75);
    let typed = |number: &str| format!("{number} 73rd St");
    for number in ["35-12", "35 - 12", "3512"] {
        let cell = cells([&typed(number), "", "Jackson Heights", "NY", "11372"], &[queens]);
        assert_eq!((cell("status"), cell("hnum")), ("match".into(), "35-12".into()), "{number}");
    }
    let plain = Lot { 0: "3512", 4: "4012720002", ..queens };
    assert_eq!(cells([&typed("3512"), "", "Queens", "", ""], &[queens, plain])("bbl"), "4012720002");
    let low = Lot { 0: "35", ..queens };
    assert_eq!(cells([&typed("35-12"), "", "Queens", "", ""], &[low])("status"), "no_number");
    assert_eq!(cells(["1279-1281 37 St", "", "Brooklyn", "", ""], &[LOT])("bbl"), "3052960043");
}

#[test]
fn what_is_not_worth_asking_is_not_asked() {
    let passed = |fields| pass(&question(fields)).map(|answer| answer.cells[0].clone().unwrap());
    assert_eq!(passed(TYPED), None);
    for (fields, expected) in [
        (["", "", "Brooklyn", "NY", "11218"], "no_line"),
        (["PO BOX 12", "", "Brooklyn", "NY", "11218"], "no_line"),
        (["UNKNOWN", "", "Brooklyn", "NY", "11218"], "no_number"),
        (["0 37 STREET", "", "Brooklyn", "NY", "11218"], "no_number"),
        (["12 APT 4", "", "Brooklyn", "NY", "11218"], "no_street"),
        (["12 GRANT STREET", "", "Buffalo", "NY", "14213"], "outside"),
        (["12 GRANT STREET", "", "Brooklyn", "NJ", ""], "outside"),
        (["12 GRANT STREET", "", "Hicksville", "NY", "11218"], "outside"),
        (["12 GRANT STREET", "", "Bronx", "NY", "11218"], "no_street"),
    ] {
        assert_eq!(passed(fields).as_deref(), Some(expected), "{fields:?}");
    }
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    let question = question(TYPED);
    let whole = serde_json::to_vec(&answer(&question, &[LOT])).unwrap();
    let read = |bytes: &[u8]| read(std::slice::from_ref(&question), bytes).map(|_| ()).unwrap_err().0;
    assert_eq!(read(&whole[..whole.len() / 2]), "breaks off");
    assert_eq!(read(b"<html>busy</html>"), "is not JSON");
    assert_eq!(read(br#"{"error": "none"}"#), "is not one of GeoSearch");
    let other = answer(&super::tests::question(["12 Main St", "", "Bronx", "NY", ""]), &[LOT]);
    assert_eq!(read(&serde_json::to_vec(&other).unwrap()), "is to another question");
}

#[test]
fn no_more_is_sent_than_it_takes() {
    let request = request(&[question(["12 Main St Apt 4 ", "c/o Somebody", "Bronx", "NY", "10458-1234"])]);
    assert_eq!(
        request.query,
        [("text", "12 MAIN STREET, BRONX, NY 10458".to_owned()), ("size", "10".to_owned())]
    );
    assert!(request.body.is_none());
}
