//! The dependencies between the modules of the code point down only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The stages in the order of a run: each may use what an earlier one returns.
const STAGES: [&str; 10] =
    ["select", "fetch", "parse", "check", "enrich", "export", "upload", "load", "promote", "publish"];

/// A source file and the paths that it names, each from the crate's root: `stages::fetch::Fetched`.
struct Room {
    file: String,
    named: Vec<String>,
}

/// The files below a folder (or the file) of src/, without their tests.
fn rooms(place: &str) -> Vec<Room> {
    rooms_of("src", place)
}

/// As [`rooms`], for a crate whose root is another folder of the repository.
fn rooms_of(root: &str, place: &str) -> Vec<Room> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let mut files = Vec::new();
    collect(&src.join(place), &mut files);
    assert!(!files.is_empty(), "nothing at {root}/{place}");
    files.sort();
    let rooms = files.into_iter().filter(|path| !path.ends_with("tests.rs")).map(|path| {
        let file = path.strip_prefix(&src).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let named = names(&text, &modules(&file));
        Room { file, named }
    });
    rooms.collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().flatten().for_each(|entry| collect(&entry.path(), files));
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        files.push(path.to_owned());
    }
}

/// The modules that lead to a file: `stages/promote/golden.rs` is `[stages, promote, golden]`.
fn modules(file: &str) -> Vec<String> {
    let mut modules: Vec<_> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    modules.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
    modules
}

/// The paths of the crate that a text names, in `use` lines and elsewhere, but not in comments or in its tests.
fn names(text: &str, modules: &[String]) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut named = Vec::new();
    let (mut rest, mut before) = (code.as_str(), ' ');
    while let Some(at) = rest.find(['c', 's']) {
        let tail = &rest[at..];
        before = rest[..at].chars().next_back().unwrap_or(before);
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let start =
            ["crate::", "super::"].into_iter().find(|start| tail.starts_with(start) && !is_word(before));
        if start.is_some() {
            for path in expand(tail) {
                named.push(from_root(&path, modules));
            }
        }
        let step = start.map_or(1, str::len);
        before = tail[..step].chars().next_back().unwrap();
        rest = &tail[step..];
    }
    named
}

/// The path at the start of the text; with braces, all of them: `a::{b::C, d}` is `a::b::C` and `a::d`.
fn expand(text: &str) -> Vec<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    let Some(inside) = rest.strip_prefix('{').filter(|_| path.ends_with("::")) else {
        return vec![path.trim_end_matches(':').to_owned()];
    };
    let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let part = inside[start..at].trim();
                if !part.is_empty() {
                    paths.extend(expand(part).into_iter().map(|inner| format!("{path}{inner}")));
                }
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    paths
}

/// `super::x` in the module a::b is `a::x`, `crate::x` is `x`.
fn from_root(path: &str, modules: &[String]) -> String {
    let mut at = modules.to_vec();
    let mut parts = path.split("::").peekable();
    if parts.next_if_eq(&"crate").is_some() {
        at.clear();
    }
    while parts.next_if_eq(&"super").is_some() {
        at.pop().expect("a module above");
    }
    at.extend(parts.map(str::to_owned));
    at.join("::")
}

/// The first module of every path that a room names.
fn roots(room: &Room) -> impl Iterator<Item = &str> {
    room.named.iter().map(|path| path.split("::").next().unwrap())
}

#[test]
fn paths_are_found_wherever_they_are_named() {
    let modules = ["stages".to_owned(), "load".to_owned()];
    let text = "//! crate::no\nuse crate::{a, b::{C, self}};\nuse super::export::Csv;\n\
                fn x() -> crate::d::E { super::y() }\n#[cfg(test)]\nmod tests { use crate::z; }";
    let expected = ["a", "b::C", "b::self", "stages::export::Csv", "d::E", "stages::y"];
    assert_eq!(names(text, &modules), expected);
}

/// A chain of files in which each names the next and the last names the first, if there is one.
fn cycle(rooms: &[Room]) -> Option<Vec<String>> {
    let files: BTreeSet<String> = rooms.iter().map(|room| modules(&room.file).join("::")).collect();
    // A path belongs to the longest part of it that is a file.
    let file_of = |path: &str| {
        let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
        ends.map(|end| &path[..end]).filter(|part| files.contains(*part)).last().map(str::to_owned)
    };
    let named: BTreeMap<String, BTreeSet<String>> = rooms
        .iter()
        .map(|room| {
            let own = modules(&room.file).join("::");
            let others = room.named.iter().filter_map(|path| file_of(path)).filter(|other| *other != own);
            (own.clone(), others.collect())
        })
        .collect();
    let (mut done, mut way) = (BTreeSet::new(), Vec::new());
    named.keys().find_map(|file| walk(file, &named, &mut done, &mut way))
}

fn walk<'a>(
    file: &'a str,
    named: &'a BTreeMap<String, BTreeSet<String>>,
    done: &mut BTreeSet<&'a str>,
    way: &mut Vec<&'a str>,
) -> Option<Vec<String>> {
    if let Some(at) = way.iter().position(|known| *known == file) {
        return Some(way[at..].iter().chain([&file]).map(|file| (*file).to_owned()).collect());
    }
    if !done.insert(file) {
        return None;
    }
    way.push(file);
    let found = named[file].iter().find_map(|other| walk(other, named, done, way));
    way.pop();
    found
}

#[test]
fn no_file_comes_back_to_itself() {
    for root in ["src", "benches/ratios"] {
        let found = cycle(&rooms_of(root, ""));
        assert_eq!(found.map(|way| way.join(" -> ")), None, "a cycle in {root}/");
    }
    let room = |file: &str, named: &[&str]| Room {
        file: file.into(),
        named: named.iter().map(|path| (*path).to_owned()).collect(),
    };
    let rooms = [room("a.rs", &["b::c::D"]), room("b/c.rs", &["e"]), room("e/mod.rs", &["a::F", "x"])];
    assert_eq!(cycle(&rooms).unwrap(), ["a", "b::c", "e", "a"]);
    assert_eq!(cycle(&rooms[..2]), None);
}

#[test]
fn a_type_name_stands_for_one_thing() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for room in rooms("") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&room.file);
        let text = fs::read_to_string(path).unwrap();
        for line in text.split("#[cfg(test)]\nmod tests").next().unwrap().lines() {
            // An indented `type` is an associated type, whose name belongs to its trait.
            let is_inner = line.starts_with(' ');
            let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
            let kind = words.next().unwrap_or_default();
            let is_type = ["struct", "enum", "trait"].contains(&kind) || kind == "type" && !is_inner;
            let Some(name) = words.next().filter(|_| is_type) else { continue };
            let end = name.find(|c: char| !c.is_alphanumeric()).unwrap_or(name.len());
            places.entry(name[..end].to_owned()).or_default().push(room.file.clone());
        }
    }
    assert!(places.len() > 100, "the types are found: {places:?}");
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn a_stage_names_no_dataset_and_of_other_stages_only_what_earlier_ones_give() {
    for room in rooms("stages") {
        let above = ["datasets", "etl", "cli", "commands", "main"];
        let bad: Vec<_> = roots(&room).filter(|root| above.contains(root)).collect();
        assert!(bad.is_empty(), "{} names {bad:?}", room.file);
        let Some(own) = modules(&room.file).get(1).cloned() else { continue };
        let place = STAGES.iter().position(|stage| *stage == own);
        let place = place.unwrap_or_else(|| panic!("{} is not in this test's list of stages", room.file));
        for path in &room.named {
            let mut parts = path.split("::").skip(1);
            let (other, what) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let is_stage = path.starts_with("stages::") && STAGES.contains(&other) && other != own;
            let is_earlier = STAGES[..place].contains(&other);
            let is_type = what.starts_with(|c: char| c.is_ascii_uppercase());
            assert!(!is_stage || is_earlier && is_type, "{} names {path}", room.file);
        }
    }
}

#[test]
fn a_dataset_touches_neither_network_nor_store_nor_database() {
    for room in rooms("datasets") {
        let bad: Vec<_> = roots(&room)
            .filter(|root| !["dataset", "datasets", "public_web", "words"].contains(root))
            .collect();
        assert!(bad.is_empty(), "{} names {bad:?}", room.file);
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&room.file)).unwrap();
        for package in ["tokio", "reqwest", "aws_", "duckdb", "std::net"] {
            let named = text.lines().any(|line| line.trim_start().starts_with(&format!("use {package}")));
            assert!(!named, "{} uses {package}", room.file);
        }
    }
    for room in rooms("dataset.rs") {
        assert_eq!(room.named, Vec::<String>::new(), "{}", room.file);
    }
}

/// Imports against the order of docs/architecture.md: the file, what it may name, and why.
const UPWARD: &[(&str, &str, &str)] = &[
    ("run/opened.rs", "stages::check::Failures", "what the end of a run tells of its failures"),
    ("run/opened.rs", "stages::load", "the end of a run drops the staging tables"),
    ("run/progress.rs", "stages::", "the progress of a run is what its stages have given so far"),
    ("config/", "ledger::entries::Kind", "a configuration says which kind of run it is for"),
    ("system/background.rs", "error::Cause", "a thread that panics is a failure of the command"),
    ("system/workspace.rs", "error::Cause", "so is a folder that cannot be made"),
];

#[test]
fn each_room_names_only_rooms_below_it() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md"));
    let document = document.unwrap();
    let (_, order) = document.split_once("## Which way dependencies point").expect("it has the order");
    let order = order.split("```").nth(1).expect("the order is in a block");
    // A line: the rooms of one height, two spaces, and what they are.
    let lines = order.lines().skip(1).filter_map(|line| line.split("  ").next());
    let heights: BTreeMap<_, _> = lines
        .enumerate()
        .flat_map(|(height, rooms)| rooms.trim_end_matches(',').split(", ").map(move |room| (room, height)))
        .collect();
    let (mut wrong, mut excused) = (Vec::new(), BTreeSet::new());
    for room in rooms("") {
        let own = room.file.split('/').next().unwrap().trim_end_matches(".rs");
        if own == "lib" {
            continue;
        }
        let height = heights.get(own);
        let height = height.unwrap_or_else(|| panic!("docs/architecture.md does not say where {own} is"));
        for path in &room.named {
            let root = path.split("::").next().unwrap();
            if root == own || heights.get(root).is_none_or(|other| other > height) {
                continue;
            }
            let excuse =
                UPWARD.iter().find(|(file, what, _)| room.file.starts_with(file) && path.starts_with(what));
            match excuse {
                Some(excuse) => drop(excused.insert(excuse)),
                None => wrong.push(format!("{} names {path}", room.file)),
            }
        }
    }
    assert!(wrong.is_empty(), "against the order of docs/architecture.md:\n{}", wrong.join("\n"));
    assert_eq!(excused.len(), UPWARD.len(), "an exception that nothing needs");
}

/// What the order alone would allow.
#[test]
fn some_rooms_know_even_less() {
    let rules: [(&str, &[&str]); 6] = [
        ("clients", &["dataset", "datasets"]),
        ("sql", &["datasets"]),
        ("ledger", &["datasets"]),
        ("embedded", &["dataset", "datasets"]),
        ("transform", &["stages", "run", "cli", "dataset", "datasets"]),
        ("etl.rs", &["datasets", "clients", "sql", "ledger", "cli"]),
    ];
    for (place, forbidden) in rules {
        for room in rooms(place) {
            let bad: Vec<_> = roots(&room).filter(|root| forbidden.contains(root)).collect();
            assert!(bad.is_empty(), "{} names {bad:?}", room.file);
        }
    }
}

/// Fault points are for tests only. They do not compile without debug assertions, and no build of a release asks for
/// them.
#[test]
fn a_release_has_no_fault_points() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let fault = read("src/fault.rs");
    assert!(fault.contains("#[cfg(all(feature = \"failpoints\", not(debug_assertions)))]\ncompile_error!("));
    let manifest = read("Cargo.toml");
    assert!(!manifest.contains("default =") && !manifest.contains("debug-assertions"));
    for file in ["Makefile", "deploy/Containerfile"] {
        for line in read(file).lines().filter(|line| line.contains("cargo build")) {
            assert!(line.contains("--release") && !line.contains("--features f"), "{file}: {line}");
        }
    }
}

#[test]
fn one_run_can_be_read_at_a_glance() {
    let etl = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/etl.rs")).unwrap();
    assert!(etl.lines().count() <= 150, "src/etl.rs has {} lines", etl.lines().count());
    let main = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs")).unwrap();
    assert!(main.lines().count() <= 40, "src/main.rs has {} lines", main.lines().count());
}
