use super::*;
use crate::datasets::nass::columns::{COLUMNS, Fields};

const VIRGINIA: [(&str, &str); 17] = [
    ("source_desc", "CENSUS"),
    ("sector_desc", "CROPS"),
    ("commodity_desc", "CORN"),
    ("class_desc", "ALL CLASSES"),
    ("short_desc", "CORN, GRAIN - YIELD, MEASURED IN BU / ACRE"),
    ("agg_level_desc", "STATE"),
    ("state_ansi", "51"),
    ("state_fips_code", "51"),
    ("state_alpha", "VA"),
    ("state_name", "VIRGINIA"),
    ("watershed_code", "00000000"),
    ("country_code", "9000"),
    ("year", "2012"),
    ("reference_period_desc", "YEAR"),
    ("load_time", "2012-12-31 00:00:00"),
    ("Value", "161.2"),
    ("CV (%)", "0.6"),
];

fn record(changes: &[(&'static str, &'static str)]) -> Fields<'static> {
    let mut fields = [""; 39];
    for (name, text) in VIRGINIA.iter().chain(changes) {
        fields[position(name).unwrap()] = text;
    }
    fields
}

/// Virginia in 2012 and 2013, Nevada with a withheld figure in 2012, and a county of Nevada with a large number in 2014.
fn api() -> QuickStats {
    let mut records = StatRecords::default();
    let nevada = [("state_alpha", "NV"), ("state_name", "NEVADA")];
    records.push(&record(&[]));
    records.push(&record(&[("year", "2013"), ("Value", "1,234.5"), ("source_desc", "SURVEY")]));
    records.push(&record(&[nevada[0], nevada[1], ("Value", "(D)"), ("CV (%)", "(D)")]));
    let county = [nevada[0], nevada[1], ("agg_level_desc", "COUNTY"), ("county_code", "001")];
    records.push(&record(&[&county[..], &[("year", "2014"), ("class_desc", "\"A\" & <B>")]].concat()));
    QuickStats { key: Some("right".into()), ..QuickStats::new(records) }
}

fn ask(api: &QuickStats, address: &str) -> (u16, String) {
    let (path, query) = address.split_once('?').unwrap();
    let query = format!("key=right&{query}");
    let answer = answer(api, &ApiCall { path, query: &query, user_agent: Some("test") });
    (answer.status, String::from_utf8(answer.body.bytes()).unwrap())
}

fn count(query: &str) -> usize {
    let (status, text) = ask(&api(), &format!("/get_counts/?{query}"));
    assert_eq!(status, 200);
    text.strip_prefix("{\"count\":").unwrap().trim_end_matches('}').parse().unwrap()
}

#[test]
fn filters_of_one_name_add_up_and_of_several_names_narrow() {
    for (query, expected) in [
        ("", 4),
        ("state_alpha=NV", 2),
        ("state_alpha=NV&state_alpha=VA", 4),
        ("state_alpha=NV&year=2012", 1),
        ("state_alpha=CA", 0),
        ("state_alpha=nv", 0),
        ("class_desc=%22A%22%20%26%20%3CB%3E", 1),
        ("county_code=001", 1),
        // A name without a value sets no condition.
        ("county_code=", 4),
    ] {
        assert_eq!(count(query), expected, "{query}");
    }
}

#[test]
fn operators_stand_behind_the_name() {
    for (query, expected) in [
        ("year__GE=2013", 2),
        ("year__GT=2013", 1),
        ("year__LE=2012", 2),
        ("year__LT=2012", 0),
        ("year__NE=2012", 2),
        ("year__GE=2012&year__LE=2013", 3),
        ("state_name__LIKE=NE%25", 2),
        ("state_name__LIKE=GIN", 2),
        ("state_name__NOT_LIKE=GIN", 2),
        // The values are joined by "or", so every record differs from one of them.
        ("year__NE=2012&year__NE=2013", 4),
        ("Value__GT=1000", 1),
    ] {
        assert_eq!(count(query), expected, "{query}");
    }
}

#[test]
fn what_the_api_does_not_know_it_passes_over() {
    for query in ["year__GET=2013", "yaer=2013", "year__ge=2013", "YEAR=2013", "sort=asc", "year__=2013"] {
        assert_eq!(count(query), 4, "{query}");
    }
}

#[test]
fn a_count_comes_as_number_or_as_text() {
    let mut api = api();
    assert_eq!(ask(&api, "/get_counts/?year=2012"), (200, r#"{"count":2}"#.into()));
    api.has_count_as_text = true;
    assert_eq!(ask(&api, "/get_counts?year=2012"), (200, r#"{"count":"2"}"#.into()));
}

#[test]
fn errors_are_the_ones_of_the_api() {
    let mut api = api();
    let error = |text: &str| format!("{{\"error\":[\"{text}\"]}}");
    let invalid = (400, error("bad request - invalid query"));
    assert_eq!(ask(&api, "/api_GET/?format=CSV&state_alpha=CA"), invalid);
    assert_eq!(
        ask(&api, "/api_GET/?format=PDF&year=2012"),
        (400, error("bad request - unsupport media type"))
    );
    assert_eq!(ask(&api, "/get_param_values/?"), invalid);
    assert_eq!(ask(&api, "/get_param_values/?param=sate"), invalid);
    api.limit = 2;
    assert_eq!(ask(&api, "/api_GET/?format=CSV&year__LE=2013"), (413, error("exceeds limit=2")));
    assert_eq!(ask(&api, "/get_counts/?").0, 200, "counting has no limit");
    assert_eq!(ask(&api, "/api_GET/?format=CSV&year=2012").0, 200, "the limit itself is within");
    api.has_blanks_in_limit = true;
    assert_eq!(ask(&api, "/api_GET/?").1, error("exceeds limit = 2"));
    assert_eq!(ask(&api, "/api_PUT/?").0, 404);
    for query in ["", "key=", "key=wrong"] {
        let answer = answer(&api, &ApiCall { path: "/get_counts/", query, user_agent: Some("test") });
        assert_eq!((answer.status, answer.body.bytes()), (401, error("unauthorized").into_bytes()));
    }
    let many = "state_alpha=NV&".repeat(600);
    assert_eq!(ask(&api, &format!("/get_counts/?{many}")).0, 414);
    assert_eq!(ask(&api, &format!("/get_counts/?{}", &many[..15 * 500])).0, 200);
    for user_agent in [None, Some("")] {
        let answer = answer(&api, &ApiCall { path: "/get_counts/", query: "key=right", user_agent });
        assert_eq!((answer.status, answer.content_type), (403, "text/html; charset=UTF-8"));
    }
    let refused = too_many();
    assert_eq!(refused.status, 429);
    assert!(refused.body.bytes().starts_with(b"<!DOCTYPE"));
}

#[test]
fn any_key_is_taken_where_none_is_set() {
    let api = QuickStats { key: None, ..api() };
    let status = |query| answer(&api, &ApiCall { path: "/get_counts/", query, user_agent: Some("x") }).status;
    assert_eq!([status("key=a"), status("key="), status("")], [200, 401, 401]);
}

#[test]
fn csv_quotes_every_field_and_pads_codes() {
    let text = ask(&api(), "/api_GET/?format=csv").1;
    let lines: Vec<_> = text.split_terminator('\n').collect();
    assert_eq!(lines.len(), 5);
    assert!(
        lines[0].starts_with(r#""source_desc","sector_desc","#) && lines[0].ends_with(r#","Value","CV (%)""#)
    );
    assert!(lines.iter().all(|line| line.matches("\",\"").count() == 38));
    assert!(lines[1].ends_with(r#","2012-12-31 00:00:00.000","161.2","0.6""#), "{}", lines[1]);
    assert!(lines[2].contains(r#","1,234.5","#));
    assert!(lines[3].ends_with(r#","                 (D)","(D)""#));
    assert!(lines[4].contains(r#","""A"" & <B>","#));
}

#[test]
fn json_and_xml_hold_the_same_record() {
    let mut api = api();
    let text = ask(&api, "/api_GET/?year=2014").1;
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let object = &value["data"][0];
    assert_eq!((object.as_object().unwrap().len(), value["data"].as_array().unwrap().len()), (39, 1));
    assert_eq!(object["year"], 2014);
    assert_eq!(object["class_desc"], "\"A\" & <B>");
    assert_eq!(object["load_time"], "2012-12-31 00:00:00.000");
    api.manners = FieldManners { has_year_as_number: false, has_milliseconds: false };
    let text = ask(&api, "/api_GET/?format=JSON").1;
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["data"].as_array().unwrap().len(), 4);
    assert_eq!(
        (&value["data"][0]["year"], &value["data"][0]["load_time"]),
        (&"2012".into(), &"2012-12-31 00:00:00".into())
    );
    assert_eq!(value["data"][2]["Value"], "                 (D)");
    let text = ask(&api, "/api_GET/?format=XML&year=2014").1;
    assert!(
        text.starts_with("<?xml version=\"1.0\"?>\n<!DOCTYPE perldata [") && text.ends_with("</perldata>\n")
    );
    assert_eq!(text.matches("<item key=\"").count(), 40);
    assert!(text.contains("    <item key=\"class_desc\">\"A\" &amp; &lt;B&gt;</item>\n"));
}

#[test]
fn values_of_a_column_come_sorted_whatever_the_filter() {
    let text = ask(&api(), "/get_param_values/?param=state_alpha&year=2014").1;
    assert_eq!(text, r#"{"state_alpha":["NV","VA"]}"#);
    assert_eq!(ask(&api(), "/get_param_values/?param=county_code").1, r#"{"county_code":["001"]}"#);
}

#[test]
fn many_records_come_in_pieces_that_are_one_answer() {
    let mut records = StatRecords::default();
    for year in 1000..1500 {
        let year = year.to_string();
        let mut fields = record(&[]);
        fields[position("year").unwrap()] = &year;
        records.push(&fields);
    }
    let api = QuickStats::new(records);
    let call = ApiCall { path: "/api_GET/", query: "key=a&format=JSON", user_agent: Some("test") };
    let ApiBody::Rows(rows) = answer(&api, &call).body else { panic!("rows") };
    assert!(rows.clone().count() > 4, "nothing is put together before it is sent");
    let value: serde_json::Value = serde_json::from_slice(&ApiBody::Rows(rows).bytes()).unwrap();
    let years: Vec<_> =
        value["data"].as_array().unwrap().iter().map(|row| row["year"].as_u64().unwrap()).collect();
    assert_eq!(years, (1000..1500).collect::<Vec<_>>());
}

#[test]
fn records_change_and_go() {
    let mut records = api().records.as_ref().clone();
    let year = position("year").unwrap();
    records.set(0, year, "1999");
    records.remove(1);
    assert_eq!((records.len(), records.field(0, year), records.field(1, year)), (3, "1999", "2012"));
    assert_eq!(records.texts(year), ["1999", "2012", "2014"]);
    assert_eq!(COLUMNS.len(), records.fields(2).len());
    assert!(!records.is_empty() && StatRecords::default().is_empty());
}
