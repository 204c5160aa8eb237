//! Any text that XML allows comes back unchanged from PostgreSQL and from the published CSVs.

use std::collections::BTreeMap;

use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

/// Texts that break naive CSV, array literals or COPY, each with a name.
pub fn texts() -> BTreeMap<&'static str, String> {
    [
        ("comma", "a,b,,c,"),
        ("quote", "\"a\" \"\" b\""),
        ("apostrophe", "Marshal's 'it''s'"),
        ("backslash", "\\ \\\\ \\n \\t \\\" \\u0041 ends with \\"),
        ("braces", "{a,b} {} }{"),
        ("null", "NULL"),
        ("null lower", "null"),
        ("copy null", "\\N"),
        ("empty quotes", "\"\""),
        ("leading dots", ".....With Prejudice:  No"),
        ("blanks", "  two before, three after   "),
        ("only blanks", "   "),
        ("tabs", "\ta\t\tb\t"),
        ("lines", "first\nsecond\n\nfourth\n"),
        ("one newline", "\n"),
        ("end of copy", "before\n\\.\nafter"),
        ("end of copy alone", "\\."),
        ("carriage return", "a\rb\r\nc\r"),
        ("markup", "<b>&amp; a < b > c ]]> & \u{2026}"),
        ("unicode", "Ñandú Đặng 東京 🏠 e\u{301} \u{a0}\u{200b}\u{feff}\u{85}\u{2028}"),
        ("semicolon; drop", "'; drop table oca_index; --"),
        ("dollar", "$1 $$ $a$ :name :'name' %s {0}"),
        ("equals", "=1+1"),
        ("number", "007.10"),
        ("date", "2024-02-30"),
        ("long", "0123456789,\"\n"),
    ]
    .into_iter()
    .map(|(name, text)| (name, if name == "long" { text.repeat(5_000) } else { text.to_owned() }))
    .collect()
}

/// The text escaped as an element's content, so that a parser must give it back exactly.
pub fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // A literal carriage return is a line end; a reference to one is kept.
    text.replace('\r', "&#13;")
}

#[tokio::test]
async fn texts_come_back_as_they_came() {
    let pipeline = Pipeline::new("quoting").await;
    let texts = texts();
    let extract = texts.iter().fold(Extract::weekly("2024-04-01"), |extract, (name, text)| {
        let text = escaped(text);
        let case = format!(
            "<Status>{text}</Status><Decisions><Decision><Sequence>1</Sequence>\
             <HighlightNoPersonallyIdentifyingInfo>{text}</HighlightNoPersonallyIdentifyingInfo>\
             </Decision></Decisions>"
        );
        extract.case(name, &case)
    });
    pipeline.put(extract);
    let ran = pipeline.run().await.exits(0);
    assert_eq!(ran.count("records_loaded"), texts.len() as u64);

    for (table, column) in [("oca_index", "status"), ("oca_decisions", "highlight")] {
        let rows = pipeline.rows(&format!("select indexnumberid, {column} from {table}")).await;
        let csv = pipeline.csv(&format!("public/{table}.csv"));
        let published: BTreeMap<_, _> =
            csv.column("indexnumberid").into_iter().zip(csv.column(column)).collect();
        assert_eq!((rows.len(), published.len()), (texts.len(), texts.len()));
        for row in rows {
            let text = &texts[row[0].as_deref().unwrap()];
            assert_eq!(row[1].as_ref(), Some(text), "{table}, {:?}", row[0]);
            assert_eq!(published[&row[0]].as_ref(), Some(text), "published {table}, {:?}", row[0]);
        }
    }
}

#[tokio::test]
async fn texts_in_arrays_come_back_as_they_came() {
    let pipeline = Pipeline::new("quoting arrays").await;
    let texts: Vec<_> = texts().into_values().collect();
    let role = |text: &String| format!("<FilingParty><Role>{}</Role></FilingParty>", escaped(text));
    let roles = |texts: &[String]| {
        format!("<FilingParties>{}</FilingParties>", texts.iter().map(role).collect::<String>())
    };
    // All texts in one array, and each in an array of its own.
    let mut events = format!("<Event><EventName>all</EventName>{}</Event>", roles(&texts));
    for (number, text) in texts.iter().enumerate() {
        let roles = roles(std::slice::from_ref(text));
        events += &format!("<Event><EventName>{number}</EventName>{roles}</Event>");
    }
    pipeline.put(Extract::weekly("2024-04-01").case("a", &format!("<Events>{events}</Events>")));
    pipeline.run().await.exits(0);

    let client = pipeline.database.client().await;
    let expected = |name: &str| match name.parse::<usize>() {
        Ok(number) => vec![texts[number].clone()],
        Err(_) => texts.clone(),
    };
    for row in client.query("select eventname, filingpartiesroles from oca_events", &[]).await.unwrap() {
        let (name, roles): (String, Vec<String>) = (row.get(0), row.get(1));
        assert_eq!(roles, expected(&name), "{name}");
    }
    // The arrays in the published CSV read as the same arrays when somebody loads it.
    let csv = pipeline.csv("public/oca_events.csv");
    for (name, literal) in csv.column("eventname").into_iter().zip(csv.column("filingpartiesroles")) {
        let row = client.query_one("select $1::text::text[]", &[&literal]).await.unwrap();
        assert_eq!(row.get::<_, Vec<String>>(0), expected(&name.unwrap()));
    }
    assert_eq!(csv.rows.len(), texts.len() + 1);
}

/// The published CSVs load into a database by a plain COPY, the way people who download them do it.
#[tokio::test]
async fn published_files_load_by_a_plain_copy() {
    let pipeline = Pipeline::new("quoting copy").await;
    let texts = texts();
    let extract = texts.values().enumerate().fold(Extract::weekly("2024-04-01"), |extract, (number, text)| {
        let text = escaped(text);
        let events = format!(
            "<Court>{text}</Court><Events><Event><EventName>{text}</EventName><FilingParties><FilingParty>\
             <Role>{text}</Role></FilingParty></FilingParties></Event><Event/></Events>"
        );
        extract.case(&number.to_string(), &events)
    });
    pipeline.put(extract);
    pipeline.run().await.exits(0);
    let client = pipeline.database.client().await;
    for table in ["oca_index", "oca_events"] {
        client.batch_execute(&format!("create table copy_of_{table} (like {table})")).await.unwrap();
        let copy = format!("copy copy_of_{table} from stdin (format csv, header)");
        let sink = client.copy_in(&copy).await.unwrap();
        let mut sink = std::pin::pin!(sink);
        let bytes = pipeline.objects().remove(&format!("public/{table}.csv")).unwrap();
        futures_util::SinkExt::send(&mut sink, bytes::Bytes::from(bytes)).await.unwrap();
        sink.finish().await.unwrap();
        let differs = format!(
            "select count(*) from ((select * from {table} except all select * from copy_of_{table})
             union all (select * from copy_of_{table} except all select * from {table})) as difference"
        );
        assert_eq!(pipeline.one(&differs).await, "0", "{table}");
    }
}

/// Line ends are normalised in literal text, entities and references resolved, CDATA taken as it is.
#[tokio::test]
async fn text_is_what_an_xml_parser_gives() {
    let pipeline = Pipeline::new("xml text").await;
    let highlight = |xml: &str| {
        format!(
            "<Decisions><Decision><HighlightNoPersonallyIdentifyingInfo>{xml}\
             </HighlightNoPersonallyIdentifyingInfo></Decision></Decisions>"
        )
    };
    let cases = [
        ("line ends", "a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("references", "a&#13;&#10;b&#x41;&#x1F3E0;&apos;&quot;", "a\r\nbA\u{1F3E0}'\""),
        ("cdata", "<![CDATA[a & <b>\r\n]]]]><![CDATA[>]]>", "a & <b>\n]]>"),
        ("pieces", "one<!-- no -->&amp;<![CDATA[two]]><?pi no?> three", "one&two three"),
    ];
    let extract = cases
        .iter()
        .fold(Extract::weekly("2024-04-01"), |extract, (name, xml, _)| extract.case(name, &highlight(xml)));
    pipeline.put(extract);
    pipeline.run().await.exits(0);
    let csv = pipeline.csv("public/oca_decisions.csv");
    let published: BTreeMap<_, _> =
        csv.column("indexnumberid").into_iter().zip(csv.column("highlight")).collect();
    for (name, _, expected) in cases {
        let query = format!("select highlight from oca_decisions where indexnumberid = '{name}'");
        assert_eq!(pipeline.one(&query).await, expected, "{name}");
        assert_eq!(published[&Some(name.to_owned())].as_deref(), Some(expected), "published, {name}");
    }
}
