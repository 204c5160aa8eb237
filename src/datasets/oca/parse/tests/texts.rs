//! Whatever text an element holds, and however it is written, it comes out as an XML parser gives it.

use proptest::prelude::*;

use super::case;

/// A piece of an element's content.
#[derive(Clone, Debug)]
enum Piece {
    /// As it stands, but for what would be markup.
    Literal(String),
    Section(String),
    /// A character by its number.
    Reference(char, bool),
    Passed(&'static str),
}

impl Piece {
    fn write(&self, xml: &mut String) {
        match self {
            Self::Literal(text) => {
                *xml += &text.replace('&', "&amp;").replace('<', "&lt;").replace("]]>", "]]&gt;");
            }
            Self::Section(text) => *xml += &format!("<![CDATA[{}]]>", text.replace("]]>", "]] >")),
            Self::Reference(c, true) => *xml += &format!("&#x{:X};", u32::from(*c)),
            Self::Reference(c, false) => *xml += &format!("&#{};", u32::from(*c)),
            Self::Passed(markup) => *xml += markup,
        }
    }

    fn text(&self) -> String {
        let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
        match self {
            Self::Literal(text) => lines(text),
            Self::Section(text) => lines(&text.replace("]]>", "]] >")),
            Self::Reference(c, _) => c.to_string(),
            Self::Passed(_) => String::new(),
        }
    }
}

/// Every character that XML allows, those that mean something to somebody more often.
fn character() -> impl Strategy<Value = char> {
    let special = "\t\n\r &<>\"'\\{},;]!-.$=|0Nn\u{85}\u{A0}\u{2028}\u{FEFF}\u{FFFD}\u{10FFFF}\u{E000}";
    let all = any::<char>().prop_filter(
        "XML allows it",
        |c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..),
    );
    prop_oneof![2 => prop::sample::select(special.chars().collect::<Vec<_>>()), 1 => all]
}

fn piece() -> impl Strategy<Value = Piece> {
    let text = || prop::collection::vec(character(), 0..12).prop_map(String::from_iter);
    prop_oneof![
        4 => text().prop_map(Piece::Literal),
        2 => text().prop_map(Piece::Section),
        2 => (character(), any::<bool>()).prop_map(|(c, hex)| Piece::Reference(c, hex)),
        1 => prop::sample::select(vec!["<!-- a \r <b> & -->", "<?pi <b> & ?>"]).prop_map(Piece::Passed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_come_out_as_an_xml_parser_gives_them(
        pieces in prop::collection::vec(piece(), 0..6)
    ) {
        let (mut xml, mut text) = (String::new(), String::new());
        for piece in &pieces {
            // A line end that two pieces make together would be one.
            if text.ends_with('\n') && xml.ends_with('\r') {
                xml.push(' ');
                text.push(' ');
            }
            piece.write(&mut xml);
            text += &piece.text();
        }
        let sink = case(&format!(
            "<Decisions><Decision><HighlightNoPersonallyIdentifyingInfo>{xml}\
             </HighlightNoPersonallyIdentifyingInfo></Decision></Decisions>\
             <Events><Event><FilingParties><FilingParty><Role>{xml}</Role></FilingParty>\
             <FilingParty><Role>{xml}</Role></FilingParty></FilingParties></Event></Events>"
        ));
        let expected = if text.is_empty() { "∅" } else { &text };
        prop_assert_eq!(sink.one("oca_decisions", "highlight"), expected, "{}", xml);
        prop_assert_eq!(sink.one("oca_events", "filingpartiesroles"), format!("[{expected}, {expected}]"));
    }
}
