use super::super::located::COLUMNS;
use super::*;

fn question(key: &str, fields: [&str; 5]) -> Question {
    let field = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Question { key: key.into(), fields: fields.map(field).to_vec() }
}

fn id(question: &Question) -> String {
    StateAddress::id(&address(question).unwrap_or_else(|_| panic!("it is asked")).row())
}

fn cell(answer: &Answer, column: &str) -> String {
    let at = COLUMNS.iter().position(|other| *other == column).unwrap();
    answer.cells[at].clone().unwrap_or_default()
}

const GRAMERCY: [&str; 5] = ["3 Gramercy Park West", "", "New York", "NY", "10003"];

/// What the service gave in 2017, with another id.
fn gramercy(id: &str) -> String {
    format!(
        "\"{id}\",\"3 Gramercy Park West, New York, NY, 10003\",\"Match\",\"Exact\",\
         \"3 GRAMERCY PARK W, NEW YORK, NY, 10003\",\"-73.98658,40.738323\",\"59653655\",\"R\",\"36\",\"061\",\
         \"005000\",\"1002\""
    )
}

/// The status of one question whose row has these cells behind the id and the question.
fn status(fields: [&str; 5], behind: &str) -> String {
    let question = question("k", fields);
    let row = format!("\"{}\",\"x\",{behind}\n", id(&question));
    let reading = read(&[question], row.as_bytes()).unwrap();
    let answer = reading.answers.iter().chain(&reading.again).next().expect("an answer");
    let status = cell(answer, "status");
    if status != "match" {
        let place = ["lat", "lon", "bin", "bbl", "ct", "boro"].map(|column| cell(answer, column)).concat();
        assert_eq!(place, "", "{behind}");
    }
    status
}

#[test]
fn rows_are_known_by_their_ids_in_any_order() {
    let one = question("one", GRAMERCY);
    let two = question("two", ["79 Wistful Vista", "", "Wistful Vista", "NY", ""]);
    let three = question("three", ["1317 S Loop 336 West", "", "Conroe", "NY", "12304"]);
    let four = question("four", ["4 Main Street", "", "Buffalo", "NY", "14213"]);
    let text = format!(
        "\"{}\",\"1317, Conroe\",\"Tie\"\r\n{}\r\n\"777\",\"x\",\"No_Match\"\r\n{}\r\n\"{}\",\"79, \",\"No_Match\"\r\n\
         \"{}\",\"4 Main Str",
        id(&three),
        gramercy("778"),
        gramercy(&id(&one)),
        id(&two),
        id(&four),
    );
    let reading = read(&[one, two, three, four], text.as_bytes()).unwrap();
    let [answer] = reading.answers.as_slice() else { panic!("{reading:?}") };
    for (column, expected) in [
        ("status", "match"),
        ("house_number", "3"),
        ("street_name", "GRAMERCY PARK WEST"),
        ("sname", "GRAMERCY PARK W"),
        ("hnum", "3"),
        ("boro", "MANHATTAN"),
        ("lat", "40.738323"),
        ("lon", "-73.98658"),
        ("ct", "50"),
        ("bbl", ""),
        ("msg2", "census Exact, block 360610050001002"),
        ("zip_code", "10003"),
    ] {
        assert_eq!(cell(answer, column), expected, "{column}");
    }
    assert_eq!(answer.key, "one");
    let mut again: Vec<_> = reading.again.iter().map(|a| (a.key.as_str(), cell(a, "status"))).collect();
    again.sort();
    // The fourth row broke off: it has no answer.
    assert_eq!(again, [("three", "tie".to_owned()), ("two", "no_street".to_owned())]);
}

#[test]
fn a_match_that_is_another_place_is_none() {
    let matched = |exact: &str, address: &str, point: &str, county: &str| {
        format!(
            "\"Match\",\"{exact}\",\"{address}\",\"{point}\",\"1\",\"L\",\"36\",\"{county}\",\"005000\",\"1002\""
        )
    };
    let point = "-78.88,42.92";
    let typed = ["100 Grant Street", "", "Buffalo", "NY", "14213"];
    let erie = |exact, address| status(typed, &matched(exact, address, point, "029"));
    assert_eq!(erie("Exact", "100 GRANT ST, BUFFALO, NY, 14213"), "match");
    assert_eq!(erie("Non_Exact", "100 GRANT ST, BUFFALO, NY, 14213"), "match");
    assert_eq!(erie("Exact", "100 GRANT ST, KENMORE, NY, 14213"), "match", "one postal code, another name");
    assert_eq!(erie("Non_Exact", "100 GRANT ST, KENMORE, NY, 14213"), "no_street");
    assert_eq!(erie("Non_Exact", "100 GRANT ST, BUFFALO, NY, 14215"), "no_street");
    assert_eq!(erie("Exact", "100 GRANT ST, BUFFALO, NY, 14215"), "no_street");
    assert_eq!(erie("Exact", "100 GRANT AVE, BUFFALO, NY, 14213"), "no_street");
    assert_eq!(erie("Exact", "102 GRANT ST, BUFFALO, NY, 14213"), "no_number");
    assert_eq!(erie("Exact", "100 GRANT ST, BUFFALO, NJ, 14213"), "outside");
    let elsewhere = matched("Exact", "100 GRANT ST, BUFFALO, NY, 14213", "42.92,-78.88", "029");
    assert_eq!(status(typed, &elsewhere), "outside", "latitude first");
    let no_zip = ["100 Grant Street", "", "Buffalo", "NY", ""];
    let kenmore = matched("Exact", "100 GRANT ST, KENMORE, NY, 14217", point, "029");
    assert_eq!(status(no_zip, &kenmore), "no_street");
    let brooklyn = matched("Exact", "100 GRANT ST, NEW YORK, NY, 10003", "-73.98,40.73", "047");
    assert_eq!(status(["100 Grant St", "", "New York", "NY", "10003"], &brooklyn), "no_street");
    let broadway = matched("Exact", "100 BROADWAY, NEW YORK, NY, 10005", "-74.01,40.71", "061");
    assert_eq!(status(["100 Broadway", "", "Manhatan", "NY", "10005"], &broadway), "match");
    assert_eq!(status(["100 Broadway", "", "Hicksville", "NY", "10005"], &broadway), "no_street");
    let queens = matched("Non_Exact", "35-12 73RD ST, FLUSHING, NY, 11372", "-73.89,40.75", "081");
    assert_eq!(status(["35-12 73 street", "", "Queens", "NY", "11372"], &queens), "match");
}

#[test]
fn two_rows_of_one_id_that_differ_are_not_believed() {
    let one = question("one", GRAMERCY);
    let row = gramercy(&id(&one));
    let twice = format!("{row}\n{}\n", row.replace("40.738323", "40.75"));
    let reading = read(std::slice::from_ref(&one), twice.as_bytes()).unwrap();
    assert_eq!(reading, Reading::default());
    assert_eq!(read(&[one], format!("{row}\n{row}\n").as_bytes()).unwrap().answers.len(), 1);
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    let one = question("one", GRAMERCY);
    let read = |text: &str| read(std::slice::from_ref(&one), text.as_bytes()).unwrap_err().0;
    assert_eq!(read("<html>busy</html>"), "has no row for any of the questions");
    assert_eq!(read(""), "has no row for any of the questions");
    assert_eq!(read(&gramercy("12")), "has no row for any of the questions");
    assert_eq!(cells("1,\"2 \"\"x\"\"\",,3"), Some(["1", "2 \"x\"", "", "3"].map(str::to_owned).to_vec()));
    assert_eq!(cells("1,\"2"), None);
    assert_eq!(cells("\"1\"2,3"), None);
}

#[test]
fn no_more_is_sent_than_it_takes() {
    let one = question("secret", ["12 \"Main\" St, Apt 4", "c/o Somebody", "St. Albans", "NY", "11412-1234"]);
    let request = request(std::slice::from_ref(&one));
    let body = String::from_utf8(request.body.unwrap().bytes).unwrap();
    let row = format!("\r\n\r\n{},12 MAIN STREET,ST ALBANS,NY,11412\r\n\r\n--", id(&one));
    assert!(body.contains(&row), "{body}");
    assert!(!body.contains("secret") && !body.to_lowercase().contains("somebody"));
    assert!(body.contains("name=\"vintage\"\r\n\r\nCensus2010_Current\r\n"));
}

#[test]
fn what_is_not_worth_asking_is_not_asked() {
    let passed = |fields| pass(&question("k", fields)).map(|answer| answer.cells[0].clone().unwrap());
    assert_eq!(passed(["100 Grant Street", "", "Buffalo", "NY", "14213"]), None);
    for (fields, expected) in [
        (["", "", "Buffalo", "NY", "14213"], "no_line"),
        (["P O Box 12", "", "Buffalo", "NY", "14213"], "no_line"),
        (["Unknown", "", "Buffalo", "NY", "14213"], "no_number"),
        (["100 Grant Street", "", "Newark", "NJ", ""], "outside"),
        (["100 Grant Street", "", "", "NY", "07102"], "outside"),
        (["100 Grant Street", "", "", "", ""], "no_street"),
        (["100 Grant Street", "", "Bronx", "NY", "11218"], "no_street"),
    ] {
        assert_eq!(passed(fields).as_deref(), Some(expected), "{fields:?}");
    }
}

/// The number of a tract is unique in its county alone: where no borough stands beside it, it is whole.
#[test]
fn a_tract_outside_the_city_says_its_county() {
    let typed = question("k", ["100 Grant Street", "", "Buffalo", "NY", "14213"]);
    let cells = |geography: &str| {
        let row = format!(
            "\"{}\",\"\",\"Match\",\"Exact\",\"100 GRANT ST, BUFFALO, NY, 14213\",\"-78.88,42.92\",\"1\",\"L\",{geography}",
            id(&typed)
        );
        let reading = read(std::slice::from_ref(&typed), row.as_bytes()).unwrap();
        ["ct", "boro", "msg2"].map(|column| cell(&reading.answers[0], column))
    };
    let buffalo = ["36029022602", "", "census Exact, block 360290226021002"];
    assert_eq!(cells("\"36\",\"029\",\"022602\",\"1002\""), buffalo);
    assert_eq!(cells("\"36\",\"029\",\"022602\",\"\""), ["36029022602", "", "census Exact"]);
    // A tract of a county that is not said, or of another state, is none.
    assert_eq!(cells("\"36\",\"\",\"022602\",\"1002\""), ["", "", "census Exact"]);
    assert_eq!(cells("\"42\",\"029\",\"022602\",\"1002\""), ["", "", "census Exact"]);
}

#[test]
fn tracts_are_written_as_the_city_writes_them() {
    assert_eq!(tract("005000").as_deref(), Some("50"));
    assert_eq!(tract("022602").as_deref(), Some("226.02"));
}
