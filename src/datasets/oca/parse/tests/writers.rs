//! What writers of XML do with a document without meaning to change it: nil, namespaces, attributes, mixed content.

use super::*;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What was counted: paths, counts, examples.
fn unknown(parsed: &Parsed) -> Vec<(&str, u64, &str)> {
    parsed.unknown.iter().map(|(path, seen)| (path.as_str(), seen.count, seen.example.as_str())).collect()
}

/// Parses cases below a root with these attributes.
fn below(root: &str, cases: &str) -> (Collected, Parsed) {
    parse_with(format!("<Extract {root}><Indexes>{cases}</Indexes></Extract>"), &OPTIONS)
}

#[test]
fn nil_is_no_value() {
    for nil in [
        "xsi:nil='true'",
        "xsi:nil=\" 1\"",
        &format!("i:nil='true' xmlns:i='{XSI}'"),
        // Declared nowhere, as some writers leave it.
        "xsi:nil='true' xmlns:other='urn:x'",
    ] {
        let (sink, parsed) = parsed(&format!(
            "<Index><IndexNumberId>a1</IndexNumberId><Court {nil}/><Status {nil}></Status><FiledDate {nil}/>\
             <SpecialtyDesignations><SpecialtyDesignationType>b</SpecialtyDesignationType>\
             <SpecialtyDesignationType {nil}/></SpecialtyDesignations><Events {nil}/>\
             <Parties><Party {nil}/><Party><Role>Petitioner</Role><PartyType {nil}/></Party></Parties></Index>"
        ));
        assert!(sink.failed.is_empty() && parsed.unknown.is_empty(), "{nil}: {:?}", parsed.unknown);
        for column in ["court", "status", "fileddate"] {
            assert_eq!(sink.one("oca_index", column), "∅", "{nil}");
        }
        assert_eq!(sink.one("oca_index", "specialtydesignationtypes"), "[b, ∅]");
        assert_eq!(sink.one("oca_parties", "role"), "Petitioner", "{nil}");
    }
    // What stands in it all the same is not swallowed; what is not nil has its value.
    let (sink, parsed) = parsed(
        "<Index><IndexNumberId>a1</IndexNumberId><Court xsi:nil='true'>Kings</Court>\
         <Status xsi:nil='false'>Active</Status><Classification nil='true'>HP</Classification></Index>",
    );
    assert_eq!(sink.one("oca_index", "court"), "∅");
    assert_eq!(sink.one("oca_index", "status"), "Active");
    assert_eq!(sink.one("oca_index", "classification"), "HP");
    assert_eq!(unknown(&parsed), [("Classification/@nil", 1, "true"), ("Court (nil)", 1, "Kings")]);
    let failed = failure("<IndexNumberId xsi:nil='true'/><Court>x</Court>");
    assert_eq!(failed.reason, "no IndexNumberId");
    assert_eq!(
        parse_with(document("<Index xsi:nil='1'/>"), &OPTIONS).0.failed[0].reason,
        "the record is nil"
    );
}

#[test]
fn a_delete_that_is_none_is_a_failed_record() {
    let id = "<IndexNumberId>a1</IndexNumberId>";
    for (delete, reason) in [
        ("<Delete xsi:nil='true'/>", "its Delete is nil"),
        ("<Delete xsi:nil='1'></Delete>", "its Delete is nil"),
    ] {
        for inside in [format!("{id}{delete}"), format!("{delete}<Court>x</Court>{id}")] {
            let failed = failure(&inside);
            assert!(failed.reason.starts_with(reason), "{inside}: {}", failed.reason);
            assert_eq!((failed.record_id.as_deref(), failed.field.as_deref()), (Some("a1"), Some("Delete")));
        }
        // Nor where only its tags can be read.
        let failed = failure(format!("{id}{delete}<Court>A & B</Court>"));
        assert_eq!(failed.record_id.as_deref(), Some("a1"), "{delete}");
        // One beside it that is a delete is not missed.
        let (sink, _) = parsed(&format!("<Index>{id}{delete}<Delete/></Index>"));
        assert_eq!(sink.one(RECORDS, "is_delete"), "true", "{delete}");
    }
    let (sink, parsed) = parsed(&format!("<Index>{id}<Delete reason='sealed'>by order</Delete></Index>"));
    assert_eq!((sink.one(RECORDS, "is_delete"), sink.one(RECORDS, "has_data")), ("true", "false"));
    assert_eq!(unknown(&parsed), [("Delete/@reason", 1, "sealed"), ("Delete/text()", 1, "by order")]);
}

#[test]
fn data_beside_a_delete_is_seen() {
    let has_data = |inside: &str| {
        let (sink, parsed) = parsed(&format!("<Index><IndexNumberId>a1</IndexNumberId>{inside}</Index>"));
        assert_eq!((sink.one(RECORDS, "is_delete"), parsed.records_deleted), ("true", 1));
        assert_eq!(sink.one(RECORDS, "has_data") == "true", parsed.deleted_with_data == 1);
        parsed.deleted_with_data == 1
    };
    for ordinary in ["<Delete/>", "<Delete/><Court/><Parties/>", "<Reason>sealed</Reason><Delete/>"] {
        assert!(!has_data(ordinary), "{ordinary}");
    }
    for data in [
        "<Court>x</Court><Delete/>",
        "<Delete/><Parties><Party/></Parties>",
        "<Delete/><FiledDate>x</FiledDate>",
    ] {
        assert!(has_data(data), "{data}");
    }
}

#[test]
fn what_is_in_another_namespace_is_not_the_cases() {
    let (sink, parsed) = below(
        "xmlns='urn:oca' xmlns:a='urn:a' xmlns:same='urn:oca'",
        "<Index><a:IndexNumberId>a2</a:IndexNumberId><IndexNumberId>a1</IndexNumberId><a:Court>no</a:Court>\
         <Court>Kings</Court><a:Delete>no</a:Delete><Status xmlns=''>Active</Status>\
         <same:Classification>HP</same:Classification><PropertyType xmlns='urn:a'>no</PropertyType>\
         <Parties><a:Party><Role>no</Role></a:Party><Party><q:Role>no</q:Role>\
         <same:Role>Petitioner<a:b/></same:Role></Party></Parties><a:Parties><Party/></a:Parties>\
         <b:FirstPaper xmlns:b='urn:oca'>OSC</b:FirstPaper>\
         <Events xmlns:a='urn:oca'><a:Event><a:EventName>Answer</a:EventName></a:Event></Events>\
         <Causes xmlns='urn:oca'/><a:Motions/></Index>",
    );
    assert!(sink.failed.is_empty(), "{:?}", sink.failed);
    assert_eq!((sink.one(RECORDS, "is_delete"), sink.one(RECORDS, "record_id")), ("false", "a1"));
    for (column, value) in [
        ("court", "Kings"),
        ("status", "Active"),
        ("classification", "HP"),
        ("propertytype", "∅"),
        ("firstpaper", "OSC"),
    ] {
        assert_eq!(sink.one("oca_index", column), value, "{column}");
    }
    assert_eq!(sink.column("oca_parties", "role"), ["Petitioner"]);
    assert_eq!(sink.column("oca_events", "eventname"), ["Answer"]);
    let expected = [
        ("Causes", 1, ""),
        ("Parties/Party/Role/a:b", 1, ""),
        ("Parties/Party/q:Role", 1, "no"),
        ("Parties/a:Party", 1, "no"),
        ("a:Court", 1, "no"),
        ("a:Delete", 1, "no"),
        ("a:IndexNumberId", 1, "a2"),
        ("a:Motions", 1, ""),
        ("a:Parties", 1, ""),
        ("{urn:a}PropertyType", 1, "no"),
    ];
    assert_eq!(unknown(&parsed), expected);
}

#[test]
fn declarations_end_with_their_element() {
    let (sink, parsed) = below(
        "xmlns:a='urn:a'",
        "<Index xmlns='urn:oca' xmlns:p='urn:oca'><p:IndexNumberId>1</p:IndexNumberId><Court>x</Court></Index>\
         <a:Index xmlns:a='urn:oca'><a:IndexNumberId>2</a:IndexNumberId><a:Court>x</a:Court><Status>y</Status></a:Index>\
         <Index xmlns='urn:oca'><IndexNumberId>3</IndexNumberId><p:Court>no</p:Court>\
         <Status xmlns:p='urn:oca'>y</Status><p:Court>no</p:Court><a:Status>no</a:Status></Index>",
    );
    assert!(sink.failed.is_empty(), "{:?}", sink.failed);
    assert_eq!(sink.column("oca_index", "court"), ["x", "x", "∅"]);
    assert_eq!(sink.column("oca_index", "status"), ["∅", "y", "y"]);
    assert_eq!(unknown(&parsed), [("a:Status", 1, "no"), ("p:Court", 2, "no")]);
    let many: String = (0..2000).map(|n| format!(" xmlns:p{n}='urn:x'")).collect();
    assert!(failure(format!("<IndexNumberId>1</IndexNumberId><Court{many}/>")).reason.contains("namespaces"));
}

#[test]
fn a_case_of_another_namespace_fails() {
    let foreign = "<a:Index><a:IndexNumberId>2</a:IndexNumberId><a:Delete/></a:Index>";
    let own = "<Index><IndexNumberId>1</IndexNumberId></Index>";
    for (root, cases) in [
        ("xmlns='urn:oca' xmlns:a='urn:a'", format!("{foreign}{own}")),
        ("xmlns='urn:oca' xmlns:a='urn:a'", format!("{own}{foreign}")),
        (
            "xmlns:a='urn:a' xmlns:c='urn:oca'",
            format!("<c:Index><IndexNumberId>1</IndexNumberId></c:Index>{foreign}"),
        ),
    ] {
        let (sink, parsed) = below(root, &cases);
        assert_eq!(sink.column(RECORDS, "record_id"), ["1"], "{cases}");
        assert_eq!((parsed.records_seen, parsed.records_deleted, parsed.complete), (2, 0, true));
        assert_eq!(sink.failed[0].record_id.as_deref(), Some("2"));
        assert_eq!(
            sink.failed[0].reason,
            "its element is in another namespace than those of the other cases"
        );
    }
    // The root says nothing of its cases: it may be an envelope.
    let (sink, _) = parse_with(format!("<e:X xmlns:e='urn:e' xmlns='urn:oca'>{own}</e:X>"), &OPTIONS);
    assert_eq!(sink.column(RECORDS, "record_id"), ["1"]);
}

#[test]
fn values_in_attributes_are_counted() {
    let (sink, parsed) = below(
        &format!("xmlns='urn:oca' xmlns:i='{XSI}' xmlns:a='urn:a'"),
        "<Index id='7' xml:id='x' i:type='T'><IndexNumberId>a1</IndexNumberId><Court code=\"47\">Kings</Court>\
         <Status value='Active'/><Parties><Party Role='Petitioner' a:Type=''/><Party Role='Respondent'/></Parties>\
         <a:Extra x='1'/></Index>",
    );
    assert_eq!(sink.one("oca_index", "court"), "Kings");
    let expected = [
        ("@id", 1, "7"),
        ("Court/@code", 1, "47"),
        ("Parties/Party/@Role", 2, "Petitioner"),
        ("Parties/Party/@a:Type", 1, ""),
        ("Status/@value", 1, "Active"),
        ("a:Extra", 1, ""),
    ];
    assert_eq!(unknown(&parsed), expected);
}

#[test]
fn text_among_elements_is_counted() {
    let (sink, parsed) = parsed(
        "<Index>\n stray <IndexNumberId>a1</IndexNumberId>\t<Parties> \r\n<Party>Petitioner<Role>x</Role></Party>\
         <![CDATA[  ]]><!-- no --></Parties><Events><![CDATA[Answer]]>&amp;</Events></Index>",
    );
    assert_eq!(sink.one("oca_parties", "role"), "x");
    let expected =
        [("Events/text()", 2, "Answer"), ("Parties/Party/text()", 1, "Petitioner"), ("text()", 1, "stray")];
    assert_eq!(unknown(&parsed), expected);
}

#[test]
fn examples_and_copies_hold_no_street_lines_at_level_1() {
    let street = "1 Main St";
    let cases = format!(
        "<Index><IndexNumberId>a1</IndexNumberId><PropertyAddresses><PropertyAddress Street1='{street}'>{street}\
         <Street1 v='{street}'>{street}</Street1><a:Street2>{street}</a:Street2><a:City><b>{street}</b></a:City>\
         </PropertyAddress></PropertyAddresses><a:More><a:Street1>{street}</a:Street1><b>c</b></a:More>\
         <FirstPaper Street2='{street}'/></Index>"
    );
    let bad = cases.replace("a1", "a2").replace("</Index>", "<FiledDate>soon</FiledDate></Index>");
    let options = Options { level: 1, limits: Limits { fragment_bytes: 2000, ..LIMITS }, ..OPTIONS };
    let (sink, parsed) = parse_with(document(&(cases.clone() + &bad)), &options);
    assert_eq!((sink.count("oca_index"), sink.failed.len()), (1, 1));
    assert!(parsed.unknown.len() >= 6, "{:?}", parsed.unknown);
    assert_eq!(parsed.unknown["a:More"].example, "c");
    let kept = format!("{:?} {:?}", parsed.unknown, sink.rows);
    assert!(!kept.contains("Main"), "{kept}");
    // Level 2 shows them.
    let (_, parsed) = parse_with(document(&cases), &OPTIONS);
    assert_eq!(parsed.unknown["PropertyAddresses/PropertyAddress/@Street1"].example, street);
}

#[test]
fn what_fills_the_end_of_a_document_is_no_break() {
    let own = "<X><Indexes><Index><IndexNumberId>1</IndexNumberId></Index></Indexes></X>";
    let large = "\0".repeat(3 << 20);
    for end in ["\n", "\0\0\0", "\x1A", "\r\n\x1A\0 \0", "\0<!-- end -->\0", &large] {
        let (sink, parsed) = parse_with(format!("{own}{end}"), &OPTIONS);
        assert!(parsed.complete && sink.failed.is_empty(), "{end:?}: {:?}", sink.failed);
    }
    for end in ["\0x", "\x1B", "<Y/>", "\0<Y>"] {
        assert!(!parse_with(format!("{own}{end}"), &OPTIONS).1.complete, "{end:?}");
    }
}

#[test]
fn what_packers_add_is_passed_over() {
    let text = document(FULL);
    let xml = text.as_bytes();
    let packed = |others: &[&str]| {
        let mut files: Vec<_> = others.iter().map(|name| (*name, &b"\0\x05\x16\x07"[..])).collect();
        files.push(("LandlordTenantExtract.xml", xml));
        zip(&files, CompressionMethod::Deflated)
    };
    let others = [
        "__MACOSX/",
        "__MACOSX/x.xml",
        "__MACOSX/._LandlordTenantExtract.xml",
        "._LandlordTenantExtract.xml",
        "a/._b.XML",
    ];
    let seen = parse_zip(&packed(&others), &OPTIONS, &mut Collected::default()).unwrap().records_seen;
    assert_eq!(seen, 1);
    let several = unreadable(&packed(&["old/a\0.xml", "b.xml", "__MACOSX.xml"]));
    let names = "old/a\\0.xml, b.xml, __MACOSX.xml, LandlordTenantExtract.xml";
    assert_eq!(several, format!("holds more than one XML file: {names}"));
    let only = zip(&[("__MACOSX/._a.xml", xml)], CompressionMethod::Deflated);
    assert_eq!(unreadable(&only), "holds no XML file");
}
