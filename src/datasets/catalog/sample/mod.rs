//! Makes sheets as people keep them: for demonstrations, tests and benchmarks.
//!
//! In: how many projects and errors, a seed. Out: the eight sheets, and `planted.csv`, which says where each error is. The same
//! options give the same bytes.

mod args;
mod planting;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rand_pcg::Pcg32;
use rand_pcg::rand_core::Rng;

pub use self::args::SheetsArgs;
use self::planting::{Planted, plant};
use super::sheets::SHEETS;

/// The options of a sample.
#[derive(Clone, Debug)]
pub struct SheetsSample {
    pub projects: u32,
    /// How many errors are planted.
    pub errors: u32,
    pub seed: u64,
    /// The folder for the files; made if it is missing.
    pub out: PathBuf,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct SheetsWritten {
    /// The sheets, followed by the list of planted errors.
    pub files: Vec<PathBuf>,
    pub rows: u64,
    pub planted: u64,
    pub bytes: u64,
}

/// Why no sheets were written.
#[derive(Debug, thiserror::Error)]
pub enum SheetsSampleError {
    #[error("cannot write {}: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{errors} errors do not fit into sheets of {projects} projects: at most one in three projects has one"
    )]
    TooMany { errors: u32, projects: u32 },
}

/// The rows of one sheet, without its header.
type SheetRows = Vec<Vec<String>>;

const COLOURS: [&str; 24] = [
    "amber", "azure", "black", "bronze", "coral", "crimson", "cyan", "emerald", "golden", "green", "grey",
    "indigo", "ivory", "jade", "lilac", "maroon", "ochre", "olive", "pearl", "purple", "ruby", "silver",
    "teal", "white",
];
const BIRDS: [&str; 30] = [
    "auk", "bittern", "bunting", "buzzard", "coot", "crane", "curlew", "dipper", "dove", "dunlin", "eider",
    "falcon", "finch", "gannet", "grebe", "heron", "hobby", "ibis", "jay", "kestrel", "knot", "lark",
    "magpie", "merlin", "osprey", "plover", "rail", "shrike", "swift", "wren",
];
const FIELDS: [(&str, &str); 6] = [
    ("data", "Data"),
    ("networks", "Networks"),
    ("languages", "Languages"),
    ("graphics", "Graphics"),
    ("security", "Security"),
    ("science", "Science"),
];
const PARTS: [(&str, &str); 4] =
    [("storage", "Storage"), ("tools", "Tools"), ("testing", "Testing"), ("analysis", "Analysis")];
const LICENSES: [&str; 6] =
    ["MIT", "Apache-2.0", "BSD-3-Clause", "GPL-3.0-or-later", "MPL-2.0", "MIT OR Apache-2.0"];
const BACKERS: [(&str, &str); 3] =
    [("company", "Works"), ("foundation", "Foundation"), ("university", "University")];
const LINKS: [&str; 3] = ["docs", "forum", "chat"];

/// Draws numbers; the same options give the same numbers in every version.
pub(super) struct SheetDice(Pcg32);

impl SheetDice {
    /// A number from 0 to `bound` - 1; 0 when `bound` is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.0.next_u32()) * bound as u64) >> 32) as usize
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Writes the sheets.
///
/// # Errors
/// More errors than there are rows for; a file that cannot be written.
pub fn write_sheets(sample: &SheetsSample) -> Result<SheetsWritten, SheetsSampleError> {
    let SheetsSample { projects, errors, seed, out } = sample;
    if u64::from(*errors) * 3 > u64::from(*projects) {
        return Err(SheetsSampleError::TooMany { errors: *errors, projects: *projects });
    }
    let mut lot = SheetDice(Pcg32::new(*seed, 18));
    let mut sheets = fill(*projects as usize, &mut lot);
    let planted = plant(&mut sheets, *errors as usize, &mut lot);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SheetsSampleError::Write { path, source }
    };
    fs::create_dir_all(out).map_err(failed(out))?;
    let mut written = SheetsWritten { files: Vec::new(), rows: 0, planted: planted.len() as u64, bytes: 0 };
    for (sheet, rows) in SHEETS.iter().zip(&sheets) {
        let header: Vec<_> = sheet.fields.iter().map(|field| field.name.to_owned()).collect();
        written.rows += rows.len() as u64;
        put(out, sheet.file, &header, rows, &mut written).map_err(failed(&out.join(sheet.file)))?;
    }
    let header = ["file", "row", "column", "value", "error"].map(str::to_owned);
    let rows: SheetRows = planted.iter().map(Planted::cells).collect();
    put(out, "planted.csv", &header, &rows, &mut written).map_err(failed(&out.join("planted.csv")))?;
    Ok(written)
}

fn put(
    out: &Path,
    name: &str,
    header: &[String],
    rows: &[Vec<String>],
    written: &mut SheetsWritten,
) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(header).chain(rows.iter().map(Vec::as_slice)) {
        writer.write_record(row).map_err(io::Error::other)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    let path = out.join(name);
    fs::write(&path, &bytes)?;
    written.bytes += bytes.len() as u64;
    written.files.push(path);
    Ok(())
}

/// Good rows of every sheet, in the order of the sheets.
fn fill(projects: usize, lot: &mut SheetDice) -> Vec<SheetRows> {
    let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    let mut categories: SheetRows = FIELDS
        .iter()
        .map(|(key, name)| row(&[key, name, "", &format!("All that is about {}", name.to_lowercase())]))
        .collect();
    for (field, _) in FIELDS {
        categories
            .extend(PARTS.iter().map(|(part, name)| row(&[&format!("{field}-{part}"), name, field, ""])));
    }
    let communities: SheetRows = (0..(projects / 8).clamp(2, 24))
        .map(|n| {
            let colour = COLOURS[n];
            let url = format!("https://{colour}.example.org");
            row(&[
                &format!("{colour}-circle"),
                &format!("{} Circle", title(colour)),
                &url,
                "They meet twice a year",
            ])
        })
        .collect();
    let backers: SheetRows = (0..(projects / 5).clamp(3, 30))
        .map(|n| {
            let (kind, word) = BACKERS[n % BACKERS.len()];
            let bird = BIRDS[n];
            let name = format!("{} {word}", title(bird));
            row(&[
                &format!("{bird}-{}", word.to_lowercase()),
                &name,
                kind,
                &format!("https://{bird}.example.com"),
            ])
        })
        .collect();
    let (mut all, mut in_categories, mut backed) = (SheetRows::new(), SheetRows::new(), SheetRows::new());
    let (mut needs, mut links) = (SheetRows::new(), SheetRows::new());
    for n in 0..projects {
        let (key, name) = project(n);
        let community = &communities[lot.below(communities.len())][0];
        let day = format!("{}-{:02}-{:02}", 1998 + lot.below(26), 1 + lot.below(12), 1 + lot.below(28));
        let about = format!("{name} keeps what others let fall, since {}", &day[..4]);
        all.push(row(&[
            &key,
            &name,
            &format!("{key}/{key}"),
            community,
            lot.one_of(&LICENSES),
            &day,
            &about,
        ]));
        let first = lot.below(categories.len());
        for at in [first, (first + 1 + lot.below(categories.len() - 1)) % categories.len()] {
            in_categories.push(row(&[&key, &categories[at][0]]));
        }
        if lot.below(2) == 0 {
            let since = format!("{}-01-01", 2015 + lot.below(10));
            backed.push(row(&[&key, &backers[lot.below(backers.len())][0], &since]));
        }
        if n > 0 {
            needs.push(row(&[&key, &project(lot.below(n)).0]));
        }
        links.push(row(&[&key, lot.one_of(&LINKS), &format!("https://{key}.example.net/")]));
    }
    vec![categories, communities, backers, all, in_categories, backed, needs, links]
}

/// The key and the name of a project: no two are alike.
fn project(n: usize) -> (String, String) {
    let (colour, bird) = (COLOURS[n % COLOURS.len()], BIRDS[n / COLOURS.len() % BIRDS.len()]);
    match n / (COLOURS.len() * BIRDS.len()) {
        0 => (format!("{colour}-{bird}"), format!("{} {}", title(colour), title(bird))),
        more => (
            format!("{colour}-{bird}-{}", more + 1),
            format!("{} {} {}", title(colour), title(bird), more + 1),
        ),
    }
}

fn title(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(errors: u32, seed: u64) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let sample = SheetsSample { projects: 60, errors, seed, out: folder.path().join("sheets") };
        let written = write_sheets(&sample).unwrap();
        assert_eq!((written.files.len(), written.planted), (9, u64::from(errors)));
        written.files.iter().map(|file| fs::read(file).unwrap()).collect()
    }

    #[test]
    fn the_same_options_make_the_same_sheets() {
        assert_eq!(bytes(15, 1), bytes(15, 1));
        assert_ne!(bytes(15, 1), bytes(15, 2));
        let planted = String::from_utf8(bytes(15, 1).pop().unwrap()).unwrap();
        assert_eq!(planted.lines().count(), 16, "{planted}");
        let too_many = SheetsSample { projects: 10, errors: 4, seed: 1, out: PathBuf::new() };
        assert!(matches!(write_sheets(&too_many), Err(SheetsSampleError::TooMany { .. })));
    }

    #[test]
    fn no_two_projects_are_alike() {
        let keys: std::collections::BTreeSet<_> = (0..2000).map(|n| project(n).0).collect();
        assert_eq!(keys.len(), 2000);
    }
}
