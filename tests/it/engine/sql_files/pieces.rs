//! The SQL files, cut into their parts, with the content of their headers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A piece that runs by itself: an SQL file, or a part of a file with several.
pub struct Piece {
    /// The path below `sql/`: `oca/5_keys.pg.sql`. For a part, `load/load:copy`: folder, file and part.
    pub name: String,
    /// The file, below `sql/`.
    pub file: String,
    pub text: String,
    /// Key of the header -> its text. A part has the engine of its file.
    pub header: BTreeMap<String, String>,
}

impl Piece {
    fn read(path: &Path, root: &Path) -> Vec<Self> {
        let text = fs::read_to_string(path).unwrap();
        let file = path.strip_prefix(root).unwrap().display().to_string();
        let mut sections = text.split("\n-- part: ");
        let head = sections.next().unwrap();
        let of_file = header(head);
        let parts: Vec<_> = sections.map(|section| Self::part(&file, &of_file, section)).collect();
        if parts.is_empty() {
            return vec![Self { name: file.clone(), file, header: of_file, text }];
        }
        let keys: Vec<_> = of_file.keys().map(String::as_str).collect();
        assert_eq!(keys, ["By hand", "Engine", "Purpose"], "{file}");
        assert!(
            head.lines().all(|line| line.is_empty() || line.starts_with("--")),
            "{file}: SQL outside a part"
        );
        assert_eq!(of_file["By hand"], format!("sed -n '/^-- part: NAME /,/^-- part:/p' sql/{file}"));
        parts
    }

    /// A section begins with the part's name and, in brackets, how it runs.
    fn part(file: &str, of_file: &BTreeMap<String, String>, section: &str) -> Self {
        let (line, text) = section.split_once('\n').unwrap();
        let (part, how) = line.split_once("  (").unwrap_or_else(|| panic!("{file}: {line} does not say how"));
        let engine = &of_file["Engine"];
        let kind = match how.trim_end_matches(')').split(',').next().unwrap() {
            "script" => "a script (psql -v)",
            "statement" => "a statement (prepare)",
            "query" if file.ends_with(".duckdb.sql") => "a query",
            kind => panic!("{file}: {part} is a {kind}"),
        };
        let mut header = header(text);
        let before = header.insert("Engine".to_owned(), format!("{engine}; {kind}"));
        assert_eq!(before, None, "{file}: {part} has an engine of its own");
        let stem = file.split('.').next().unwrap();
        let text = format!("{}\n", text.trim_end());
        Self { name: format!("{stem}:{part}"), file: file.to_owned(), text, header }
    }

    pub fn is_postgres(&self) -> bool {
        self.file.ends_with(".pg.sql")
    }

    pub fn is_duckdb(&self) -> bool {
        self.file.ends_with(".duckdb.sql")
    }

    pub fn is_statement(&self) -> bool {
        self.header["Engine"].contains("a statement (prepare)")
    }

    pub fn is_script(&self) -> bool {
        self.header["Engine"].contains("a script (psql -v)")
    }

    /// The placeholders that the reader fills in: `$1`, `:name`, `:"name"` and `:'name'`.
    pub fn inputs(&self) -> BTreeSet<String> {
        let mut inputs = BTreeSet::new();
        let code = self.text.lines().filter(|line| !line.trim_start().starts_with("--"));
        for line in code {
            let bytes = line.as_bytes();
            for (at, _) in line.char_indices() {
                let rest = &line[at..];
                let before = at.checked_sub(1).map(|at| bytes[at]);
                if let Some(number) = rest.strip_prefix('$') {
                    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
                    if end > 0 {
                        inputs.insert(format!("${}", &number[..end]));
                    }
                } else if rest.starts_with(':')
                    && before != Some(b':')
                    && before.is_none_or(|b| !b.is_ascii_alphanumeric())
                {
                    let inner = rest[1..].trim_start_matches(['"', '\'']);
                    let end =
                        inner.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(inner.len());
                    if end > 0 && !rest[1..].starts_with(':') {
                        inputs.insert(format!(":{}", &inner[..end]));
                    }
                }
            }
        }
        inputs
    }
}

fn header(text: &str) -> BTreeMap<String, String> {
    let mut header: BTreeMap<String, String> = BTreeMap::new();
    let mut key = String::new();
    for line in text.lines().map_while(|line| line.strip_prefix("--")) {
        if let Some((word, rest)) = line.trim_start().split_once(':').filter(|(word, _)| is_key(word)) {
            key = word.to_owned();
            header.insert(key.clone(), rest.trim().to_owned());
        } else if let Some(value) = header.get_mut(&key) {
            *value = format!("{value} {}", line.trim());
        }
    }
    header
}

fn is_key(word: &str) -> bool {
    ["Purpose", "Engine", "By hand", "Inputs", "Outputs"].contains(&word.trim())
}

pub fn pieces() -> Vec<Piece> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    let mut pieces = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => pieces.extend(Piece::read(&path, &root)),
            }
        }
    }
    pieces.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(pieces.len() > 120, "{}", pieces.len());
    pieces
}
