use super::*;

/// The reason and the suggestion for a cell; a good one gives `ok`.
fn said(rule: CellRule, cell: &str) -> (String, String) {
    let field = SheetField { name: "x", rule, is_optional: true };
    match check(&field, cell, &["10.0.0.7"]) {
        Ok(_) => ("ok".into(), String::new()),
        Err(fault) => (fault.reason, fault.suggestion.unwrap_or_default()),
    }
}

#[track_caller]
fn good(rule: CellRule, cells: &[&str]) {
    for cell in cells {
        assert_eq!(said(rule, cell).0, "ok", "{cell}");
    }
}

#[track_caller]
fn bad(rule: CellRule, cells: &[(&str, &str, &str)]) {
    for (cell, reason, suggestion) in cells {
        let (found, meant) = said(rule, cell);
        assert!(found.contains(reason) && found != "ok", "{cell:?}: {found}");
        assert_eq!(meant, *suggestion, "{cell:?}");
    }
}

#[test]
fn an_empty_cell_is_good_where_it_may_be() {
    let field = |is_optional| SheetField { name: "x", rule: CellRule::Name, is_optional };
    assert!(check(&field(true), "", &[]).is_ok());
    assert_eq!(check(&field(false), "", &[]).unwrap_err().reason, "the cell is empty, and must not be");
}

#[test]
fn keys() {
    good(CellRule::Key, &["a", "0", "tensor-flow", "x86"]);
    bad(
        CellRule::Key,
        &[
            ("Tensor Flow", "not a key", "tensor-flow"),
            ("../../etc/passwd", "not a key", "etc-passwd"),
            ("a_b", "not a key", "a-b"),
            ("日本", "not a key", ""),
            ("-a", "formula", "a"),
        ],
    );
}

#[test]
fn blanks_quotes_formulas_and_markup() {
    good(
        CellRule::Name,
        &["C++", "Rust & C", "a < b", "x<3", "O'Neill", "R&D; more", "λProlog", "Яндекс Go"],
    );
    good(CellRule::Text, &["– a “quoted” word", "- a list", "one\ntwo", "5\" disks", "AT&T"]);
    bad(
        CellRule::Name,
        &[
            (" a", "has blanks before or after", "a"),
            ("a\u{a0}", "has blanks before or after", "a"),
            ("a\u{a0}b", "odd kind", "a b"),
            ("a  b", "doubled", "a b"),
            ("a\u{200b}b", "U+200B", "ab"),
            ("a\tb", "U+0009", "a b"),
            ("“a”", "odd quotes", "a"),
            ("\"a\"", "odd quotes", "a"),
            ("=HYPERLINK(1)", "formula", "HYPERLINK(1)"),
            ("@SUM", "formula", "SUM"),
            ("#REF!", "formula says that fails", ""),
            ("<b>a</b>", "markup", "a"),
            ("a &amp; b", "markup", "a & b"),
            ("a &lt;b&gt; c", "markup", ""),
            ("Аmber Auk", "U+0410", "Amber Auk"),
        ],
    );
    bad(
        CellRule::Text,
        &[
            ("<script>alert(1)</script>", "markup", ""),
            ("<!-- x", "markup", ""),
            ("<img src=x onerror=y>z", "markup", "z"),
            ("=1+1", "formula", "1+1"),
            ("\"all of it\"", "odd quotes", "all of it"),
            ("\u{fffd}", "U+FFFD", ""),
        ],
    );
}

#[test]
fn addresses() {
    good(CellRule::Url, &["https://example.org", "http://example.org/a?b=c#d", "https://例え.jp/"]);
    bad(
        CellRule::Url,
        &[
            ("www.example.org", "begins with https://", "https://www.example.org"),
            ("example.org/x", "not an address", "https://example.org/x"),
            ("ftp://example.org", "begins with https://", ""),
            ("javascript:alert(1)", "begins with https://", ""),
            ("https://user:secret@example.org", "a password in it", ""),
            ("http://localhost/", "not on the public internet", ""),
            ("https://example.org/a b", "a blank", "https://example.org/a%20b"),
            ("https://", "not an address", ""),
            ("http://192.168.1.1/", "not on the public internet", ""),
            ("https://[::1]/", "not on the public internet", ""),
            ("https://127.1/", "not on the public internet", ""),
            ("https://2130706433/", "not on the public internet", ""),
            ("https://example.org/\"><script>", "is not allowed in an address", ""),
        ],
    );
    good(CellRule::Url, &["http://10.0.0.7/x", "https://8.8.8.8/"]);
    good(CellRule::Repository, &["rust-lang/rust", "https://git.example.org/a/b"]);
    bad(
        CellRule::Repository,
        &[
            ("rust", "not OWNER/NAME", ""),
            ("a/b/c", "not OWNER/NAME", ""),
            ("../b", "not OWNER/NAME", ""),
            ("example.org/a/b", "not OWNER/NAME", "https://example.org/a/b"),
        ],
    );
}

#[test]
fn licenses() {
    good(
        CellRule::License,
        &["MIT", "Apache-2.0", "MIT OR Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"],
    );
    bad(
        CellRule::License,
        &[
            ("Apache 2.0", "not a license", "Apache-2.0"),
            ("BSD3", "not a license", "BSD-3-Clause"),
            ("mit", "not a license", "MIT"),
            ("proprietary thing", "not a license", ""),
            ("GPLv3", "not a license", "GPL-3.0-only"),
            ("GPLv3+", "not a license", "GPL-3.0-or-later"),
            ("GPL v3 or later", "not a license", "GPL-3.0-or-later"),
            ("GPL-2.0-or-latter", "not a license", "GPL-2.0-or-later"),
            ("LGPLv3", "not a license", "LGPL-3.0-only"),
            ("GNU GPL v2", "not a license", "GPL-2.0-only"),
            ("LGPL 2.1", "not a license", "LGPL-2.1-only"),
            ("GPL", "not a license", ""),
        ],
    );
}

#[test]
fn dates() {
    good(CellRule::Date, &["2015-11-09", "2024-02-29"]);
    bad(
        CellRule::Date,
        &[
            ("2023-02-29", "no such day", ""),
            ("2015", "YYYY-MM-DD", "2015-01-01"),
            ("2015-3-4", "YYYY-MM-DD", "2015-03-04"),
            ("25/12/2015", "YYYY-MM-DD", "2015-12-25"),
            ("12/25/2015", "YYYY-MM-DD", "2015-12-25"),
            ("03/04/2015", "YYYY-MM-DD", ""),
            ("Nov 9, 2015", "YYYY-MM-DD", ""),
            ("0015-11-09", "the year is not between", ""),
        ],
    );
}
