//! Every SQL file, and every part of a file with several, names its inputs and runs as its header says: a script by
//! psql with its variables, a statement by `prepare`, and DuckDB's in its library. So a person can run by hand what the
//! program runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

mod duckdb;
mod pieces;
mod postgres;
mod variables;

use pieces::pieces;

#[test]
fn every_header_says_purpose_engine_inputs_and_outputs() {
    for piece in pieces() {
        let keys: Vec<_> = piece.header.keys().map(String::as_str).collect();
        assert_eq!(keys, ["Engine", "Inputs", "Outputs", "Purpose"], "{}", piece.name);
        if piece.is_postgres() {
            assert!(piece.is_script() != piece.is_statement(), "{}: {}", piece.name, piece.header["Engine"]);
        }
        let said = &piece.header["Inputs"];
        for input in piece.inputs() {
            let named = [input.clone(), format!(":\"{}\"", &input[1..]), format!(":'{}'", &input[1..])];
            assert!(
                named.iter().any(|name| said.contains(name)),
                "{}: its inputs do not name {input}",
                piece.name
            );
            let is_parameter = input.starts_with('$');
            assert!(!is_parameter || piece.is_statement(), "{} has {input} and is no statement", piece.name);
        }
    }
}

#[test]
fn no_file_and_no_part_is_without_a_use() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut used = fs::read_to_string(src.join("sql.rs")).unwrap();
    for dataset in fs::read_dir(src.join("datasets")).unwrap().flatten().filter(|entry| entry.path().is_dir())
    {
        for file in fs::read_dir(dataset.path()).unwrap().flatten() {
            used += &fs::read_to_string(file.path()).unwrap_or_default();
        }
    }
    let mut names = BTreeSet::new();
    for piece in pieces() {
        let included = used.lines().find(|line| line.contains(&format!("sql/{}\"", piece.file)));
        let included = included.unwrap_or_else(|| panic!("{} is never included", piece.file));
        if let Some((_, part)) = piece.name.split_once(':') {
            let (_, constant) = included.split_once("const ").unwrap();
            let (constant, _) = constant.split_once(':').unwrap();
            let call = format!("part(file::{constant}, \"{part}\")");
            assert!(used.contains(&call), "nothing takes {} with {call}", piece.name);
        }
        assert!(names.insert(piece.name.clone()), "{} is there twice", piece.name);
    }
}
