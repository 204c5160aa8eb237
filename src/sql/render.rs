//! Puts names and values into SQL text, and takes scripts apart.

use crate::dataset::slice::{Comparator, Slice, SliceTest};
use crate::dataset::{ColumnType, Table};

/// A name as a quoted SQL identifier, for PostgreSQL and DuckDB alike.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as an SQL literal, for PostgreSQL (with `standard_conforming_strings`) and DuckDB alike.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Names as a list of identifiers.
pub fn identifiers<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    names.into_iter().map(identifier).collect::<Vec<_>>().join(", ")
}

/// The staged columns of a table as a list of identifiers.
pub fn columns(table: &Table) -> String {
    identifiers(table.columns.iter().map(|column| column.name))
}

/// `column = staged.column` for each staged column of a table but `key`.
pub fn assignments(table: &Table, key: &str) -> String {
    assignments_of(table.columns.iter().map(|column| column.name), key)
}

/// The same for columns by name.
pub fn assignments_of<'n>(names: impl IntoIterator<Item = &'n str>, key: &str) -> String {
    let names = names.into_iter().filter(|name| *name != key);
    names.map(|name| format!("{0} = staged.{0}", identifier(name))).collect::<Vec<_>>().join(", ")
}

/// The staged columns of a table as texts, each compared byte by byte: 1.5 is not 1.50, and no collation or domain of a
/// column's own has a say.
pub fn texts(table: &Table) -> String {
    let column = |name: &str| format!("{}::text collate \"C\"", identifier(name));
    table.columns.iter().map(|c| column(c.name)).collect::<Vec<_>>().join(", ")
}

/// The staged columns of a table, to compare rows by: texts byte by byte, whatever the collation of a column is.
pub fn compared(table: &Table) -> String {
    let column = |name: &str, kind: ColumnType| match kind {
        ColumnType::Text | ColumnType::TextArray => format!("{0} collate \"C\" as {0}", identifier(name)),
        _ => identifier(name),
    };
    table.columns.iter().map(|c| column(c.name, c.kind)).collect::<Vec<_>>().join(", ")
}

/// Whether a row is in one of some slices. The values of their tests are in pg_temp.slice_tests, numbered behind `before`
/// others.
pub fn in_slices(slices: &[&Slice], before: usize) -> String {
    let mut number = before;
    let mut any = Vec::new();
    for slice in slices {
        let mut all = vec!["true".to_owned()];
        for test in &slice.tests {
            number += 1;
            all.push(slice_test(test, number));
        }
        any.push(format!("({})", all.join(" and ")));
    }
    match any.is_empty() {
        true => "false".to_owned(),
        false => format!("coalesce({}, false)", any.join(" or ")),
    }
}

fn slice_test(test: &SliceTest, number: usize) -> String {
    let (cell, kind) = match test.is_number {
        true => (identifier(&test.column), "bigint"),
        false => (format!("coalesce({}::text, '') collate \"C\"", identifier(&test.column)), "text"),
    };
    let texts = format!("(select texts from pg_temp.slice_tests where test_no = {number})::{kind}[]");
    let one = format!("({texts})[1]");
    match test.how {
        Comparator::In => format!("{cell} = any ({texts})"),
        Comparator::NotIn => format!("{cell} <> all ({texts})"),
        Comparator::AtMost => format!("{cell} <= {one}"),
        Comparator::Below => format!("{cell} < {one}"),
        Comparator::AtLeast => format!("{cell} >= {one}"),
        Comparator::Above => format!("{cell} > {one}"),
        Comparator::Like => format!("{cell} like any ({texts})"),
        Comparator::NotLike => format!("{cell} not like all ({texts})"),
    }
}

/// The values of the tests of some slices, as pg_temp.slice_tests has them.
pub fn slice_values(slices: &[&Slice]) -> Vec<Vec<String>> {
    let value = |how: Comparator, value: &str| match how {
        // Only `%` stands for something.
        Comparator::Like | Comparator::NotLike => {
            let pattern = value.replace('\\', "\\\\").replace('_', "\\_");
            if value.contains('%') { pattern } else { format!("%{pattern}%") }
        }
        _ => value.to_owned(),
    };
    let tests = slices.iter().flat_map(|slice| &slice.tests);
    tests.map(|test| test.values.iter().map(|text| value(test.how, text)).collect()).collect()
}

/// A script with its variables put in, as psql would: not inside literals, quoted identifiers, comments or
/// dollar-quoted bodies, and `::` is a cast.
///
/// # Panics
/// When the script names a variable that is not given: our own scripts are tested for it.
pub fn render(script: &str, variables: &[(&str, &str)]) -> String {
    let value = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
            .unwrap_or_else(|| panic!("the script needs the variable {name}"))
    };
    let mut out = String::with_capacity(script.len() + 256);
    let mut rest = script;
    while let Some(at) = rest.find([':', '\'', '"', '-', '$']) {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let skip = match tail.as_bytes() {
            [b'-', b'-', ..] => tail.find('\n').unwrap_or(tail.len()),
            [b'\'', ..] => quoted_end(tail, '\''),
            [b'"', ..] => quoted_end(tail, '"'),
            [b'$', b'$', ..] => tail[2..].find("$$").map_or(tail.len(), |end| end + 4),
            [b':', b':', ..] => 2,
            [b':', quote @ (b'"' | b'\''), ..] => {
                let quote = *quote as char;
                let end = 1 + quoted_end(&tail[1..], quote);
                let text = value(&tail[2..end - 1]);
                out.push_str(&if quote == '"' { identifier(text) } else { literal(text) });
                rest = &tail[end..];
                continue;
            }
            [b':', first, ..] if first.is_ascii_lowercase() => {
                let end = tail[1..]
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .map_or(tail.len(), |end| end + 1);
                out.push_str(value(&tail[1..end]));
                rest = &tail[end..];
                continue;
            }
            _ => 1,
        };
        out.push_str(&tail[..skip]);
        rest = &tail[skip..];
    }
    out.push_str(rest);
    out
}

/// The statements of one of our own scripts: each ends in a `;` at the end of a line, and nothing else has one there.
pub fn statements(script: &str) -> impl Iterator<Item = &str> {
    script.split_inclusive(";\n").filter(|statement| !statement.trim().is_empty())
}

/// The statements of any script, each with its end: a `;` that is in no literal, quoted identifier, comment or dollar-quoted body.
pub fn each_statement(script: &str) -> Vec<&str> {
    let (mut all, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = script[at..].find([';', '\'', '"', '-', '$']) {
        at += found;
        let tail = &script[at..];
        at += match tail.as_bytes() {
            [b'-', b'-', ..] => tail.find('\n').unwrap_or(tail.len()),
            [b'\'', ..] => quoted_end(tail, '\''),
            [b'"', ..] => quoted_end(tail, '"'),
            [b'$', b'$', ..] => tail[2..].find("$$").map_or(tail.len(), |end| end + 4),
            _ => 1,
        };
        if tail.starts_with(';') {
            all.push(&script[start..at]);
            start = at;
        }
    }
    all
}

/// What a statement does, in its own words without comments and schemas, cut to a line.
pub fn gist(statement: &str) -> String {
    const LINE: usize = 72;
    let lines = statement.lines().filter(|line| !line.trim_start().starts_with("--"));
    let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    let text = words.join(" ").replace(":\"schema\".", "");
    let text = text.trim_end_matches(';');
    match text.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Where a quoted text that opens `text` ends; a doubled quote reads as the end and the next start.
fn quoted_end(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

/// Texts as PostgreSQL writes an array of them.
pub fn array_of(texts: &[impl AsRef<str>]) -> String {
    let escaped = texts.iter().map(|text| text.as_ref().replace('\\', "\\\\").replace('"', "\\\""));
    let quoted = escaped.map(|text| format!("\"{text}\""));
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests;
