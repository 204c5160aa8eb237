use super::*;

#[test]
fn variables_are_put_in_as_psql_does() {
    let script = "-- :\"no\" :'no'\nselect ':no', \":no\", a::text, :'lit', :\"id\".:\"id\", :raw, $$ :no $$";
    let text = render(script, &[("lit", "it's"), ("id", "a\"b"), ("raw", "1, 2")]);
    assert_eq!(
        text,
        "-- :\"no\" :'no'\nselect ':no', \":no\", a::text, 'it''s', \"a\"\"b\".\"a\"\"b\", 1, 2, $$ :no $$"
    );
}

#[test]
fn statements_end_where_a_semicolon_is_one() {
    let script =
        "-- one; two\nselect ';', \";\";\n\ndo $$ begin; end; $$;\ncreate index on :\"schema\".t (a);\n";
    let all = each_statement(script);
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all.concat(), script.trim_end_matches('\n'));
    assert_eq!(gist(all[2]), "create index on t (a)");
    assert_eq!(gist(all[0]), "select ';', \";\"");
    assert!(gist(&"x".repeat(100)).ends_with('…'));
}

#[test]
fn an_array_holds_any_text() {
    assert_eq!(array_of(&[""; 0]), "{}");
    assert_eq!(array_of(&["a", "b, {c}", "d\"e\\f"]), r#"{"a","b, {c}","d\"e\\f"}"#);
}

#[test]
fn a_name_cannot_break_out_of_its_quotes() {
    assert_eq!(identifier("x\"; drop table y; --"), "\"x\"\"; drop table y; --\"");
    assert_eq!(literal("x'; drop table y; --"), "'x''; drop table y; --'");
}
