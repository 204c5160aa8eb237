//! `merganser reference` from end to end: a made-up city's files go into the store and the database, and a run looks
//! its addresses up in them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::civil::date;
use merganser::datasets::oca::sample::{
    LEAST_LOTS, SampleOptions, SampleReference, write_addresses, write_sample_with_reference,
};
use zip::write::SimpleFileOptions;

use crate::support::csv::{Cell, Csv};
use crate::support::extract::Extract;
use crate::support::files::FileServer;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::sha256;

mod refused;

/// A made-up city's files.
struct City {
    dir: PathBuf,
}

impl City {
    /// The files alone.
    fn new(pipeline: &Pipeline) -> Self {
        let dir = pipeline.folder().join("city");
        write_addresses(&SampleReference { dir: dir.clone(), lots: LEAST_LOTS }, 3, 1).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// Another file, made from an existing one.
    fn changed(&self, name: &str, new: &str, change: impl FnOnce(String) -> String) -> String {
        fs::write(self.dir.join(new), change(self.text(name))).unwrap();
        self.path(new)
    }

    /// Both files of the directory in a zip.
    fn pad_zip(&self) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["bobaadr.txt", "bobabbl.txt"] {
            zip.start_file(format!("pad26a/{name}"), SimpleFileOptions::default()).unwrap();
            zip.write_all(self.text(name).as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

async fn take(pipeline: &Pipeline, pad: &str, pluto: &str, more: &[&str]) -> Ran {
    pipeline.other(&[&["reference", "oca", "--pad", pad, "--pluto", pluto], more].concat()).await
}

/// The data that must not change when a reference is refused.
const IN_USE: &str = "
    select concat_ws('|', (select string_agg(concat_ws(',', version, name, sha256, rows), ';' order by version, name)
        from etl.reference_files),
        (select md5(string_agg(oca_lots::text, ';' order by bbl)) from oca_lots))";

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_looked_up_in_what_was_taken_in() {
    let pipeline = Pipeline::new("reference").await.with("--level", "2");
    let city = City { dir: pipeline.folder().join("city") };
    let options = SampleOptions {
        cases: 800,
        out: pipeline.source(),
        seed: 3,
        run_date: date(2026, 9, 26),
        initial: Some(2026),
        level: 2,
        deletes: 0,
        malformed: 0,
    };
    let reference = SampleReference { dir: city.dir.clone(), lots: LEAST_LOTS };
    write_sample_with_reference(&options, &reference).unwrap();
    let (pad, pluto, tracts) = (city.path(""), city.path("pluto.csv"), city.path("tracts.csv"));
    let before = pipeline.other(&["check", "oca", "--geocode", "pad,census"]).await;
    before
        .says("no reference: pad is chosen")
        .says("merganser reference oca --pad FILE --pluto FILE makes a");
    pipeline.other(&["check", "oca"]).await.says(
        "no reference: no lookup is configured to say where the addresses \
                      are",
    );
    let taken = take(&pipeline, &pad, &pluto, &["--tracts", &tracts]).await.exits(0);
    let taken = taken.says("is in use").says("There was none before").says("oca_tracts: 320 rows, 0 before");
    taken.says("Next: merganser backfill oca geocode");

    // The ledger has the checksums of the files in the store and of the given files.
    let objects = pipeline.objects();
    let listed = pipeline.rows("select object, sha256 from etl.reference_files order by object").await;
    assert_eq!(listed.len(), 3);
    for row in listed {
        let [Some(object), Some(sum)] = &row[..] else { panic!("{row:?}") };
        assert_eq!(&sha256(&objects[object]), sum, "{object}");
    }
    let given = "select count(*) from etl.steps, jsonb_array_elements(details -> 'files') as file
        where step = 'fetch' and file ->> 'sha256' = any ($$";
    let sums: Vec<_> = ["bobaadr.txt", "bobabbl.txt", "pluto.csv", "tracts.csv"]
        .map(|name| sha256(city.text(name).as_bytes()))
        .into();
    let given = format!("{}{{{}}}$$)", given, sums.join(","));
    assert_eq!(pipeline.one(&given).await, "4");
    let rows = (city.text("pluto.csv").lines().count() - 1).to_string();
    assert_eq!(
        pipeline.one("select count(*) from oca_lots").await,
        rows,
        "no lot is lost, not the first one either"
    );
    assert_eq!(pipeline.one("select count(*) from oca_tracts where st_isvalid(geom)").await, "320");

    pipeline.other(&["check", "oca"]).await.says("reference 26v1-").says("no request is sent");
    pipeline.run().await.exits(0);
    let truth = Csv::parse(&city.text("truth.csv"));
    let place = |name: &str| truth.columns.iter().position(|column| column == name).unwrap();
    let columns = ["indexnumberid", "status", "bbl", "bin"].map(place);
    let tract = place("geoid");
    let mut expected: Vec<Vec<Cell>> =
        truth.rows.iter().map(|row| columns.map(|at| row[at].clone()).to_vec()).collect();
    let mut found =
        pipeline.rows("select indexnumberid, status, bbl, bin from oca_addresses order by 1, 2, 3, 4").await;
    expected.sort();
    found.sort();
    assert!(expected.len() > 700);
    let wrong: Vec<_> = expected.iter().zip(&found).filter(|(expected, found)| expected != found).collect();
    assert!(wrong.is_empty() && expected.len() == found.len(), "{} wrong: {:?}", wrong.len(), wrong.first());

    // The geometries give the right tracts too, in the published view.
    let mut tracts: BTreeMap<(Cell, Cell), u32> = BTreeMap::new();
    for row in &truth.rows {
        *tracts.entry((row[columns[0]].clone(), row[tract].clone())).or_default() += 1;
    }
    let published = pipeline.csv("public/oca_addresses_with_ct.csv");
    let in_tracts = published.rows.iter().filter(|row| row[1].is_some());
    assert!(in_tracts.clone().count() > 400);
    for row in in_tracts {
        assert!(tracts.contains_key(&(row[0].clone(), row[1].clone())), "{row:?}");
    }

    // The same files again change nothing, and the tracts stay.
    let again = take(&pipeline, &pad, &pluto, &[]).await.exits(0);
    again.says("0 new, 0 gone").says("It was in use before: nothing changed.");
    assert_eq!(pipeline.one("select count(*) from oca_tracts").await, "320");
}

/// The open-data portal's names for the planning department's columns.
const PORTAL: [(&str, &str); 7] = [
    ("block", "Tax block"),
    ("lot", "Tax lot"),
    ("cd", "community board"),
    ("ct2010", "census tract 2010"),
    ("council", "council district"),
    ("zipcode", "postcode"),
    ("bbl", "BBL"),
];

/// The portal's dialect: its own names, quotes, numbers with commas and lots without a fraction.
fn as_the_portal_has_it(text: &str) -> String {
    let mut lines = text.lines();
    let names = lines.next().unwrap().split(',').map(|name| {
        let known = PORTAL.iter().find(|(ours, _)| *ours == name).map_or(name, |(_, theirs)| theirs);
        format!("\"{known}\"")
    });
    let mut made = names.collect::<Vec<_>>().join(",") + "\n";
    for line in lines {
        let cells = line.split(',').enumerate().map(|(at, cell)| match at {
            13 => format!("\"{}\"", cell.trim_end_matches(".00000000")),
            // Some numbers of units have commas in the portal's file.
            11 | 12 if cell.len() > 3 => {
                format!("\"{},{}\"", &cell[..cell.len() - 3], &cell[cell.len() - 3..])
            }
            _ => format!("\"{cell}\""),
        });
        made += &(cells.collect::<Vec<_>>().join(",") + "\n");
    }
    made
}

/// The file of the lots in the store's folder of references.
fn lots_of(store: &Path) -> PathBuf {
    let only = |folder: PathBuf| fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    only(only(store.to_owned())).join("lots.parquet")
}

/// A file that was fetched once is not fetched again, and one that somebody has changed is not used.
#[tokio::test(flavor = "multi_thread")]
async fn the_reference_is_fetched_once() {
    let pipeline = Pipeline::new("reference_cache").await.with("--level", "2");
    let cache = pipeline.folder().join("cache");
    let pipeline = pipeline.env([("MERGANSER_CACHE".to_owned(), cache.display().to_string())]);
    let city = City::new(&pipeline);
    take(&pipeline, &city.path(""), &city.path("pluto.csv"), &[]).await.exits(0);
    let address = "<PropertyAddresses><PropertyAddress><Street1>1 NOWHERE ST</Street1><City>Bronx</City>\
        <PostalCode>10458</PostalCode></PropertyAddress></PropertyAddresses>";
    pipeline.put(Extract::weekly("2024-05-06").case("a", address));
    pipeline.run().await.exits(0);
    let kept = || {
        let listed = fs::read_dir(cache.join("reference")).unwrap();
        let mut names: Vec<_> =
            listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let sums = pipeline.column("select sha256 from etl.reference_files order by sha256").await;
    assert_eq!(kept(), sums);
    assert_eq!(fs::metadata(cache.join("reference")).unwrap().permissions().mode() & 0o777, 0o700);
    // Without the store's files, the cache is used.
    let store = pipeline.store().join("private/reference");
    let aside = pipeline.folder().join("aside");
    let lots = fs::read(lots_of(&store)).unwrap();
    pipeline.other(&["check", "oca"]).await.exits(0).says("\nok    geocode ");
    fs::rename(&store, &aside).unwrap();
    let checked = pipeline.other(&["check", "oca"]).await.exits(0);
    let checked = checked.says("\nwarn  geocode ").says("lots.parquet is not there");
    checked.says("still has a copy").says("merganser reference oca --pad PAD --pluto PLUTO");
    pipeline.put(Extract::weekly("2024-05-13").case("b", address));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select count(*) from oca_addresses where status = 'no_street'").await, "2");
    // When the store's files are gone and the cache has other bytes, the cache is not used.
    for name in kept() {
        fs::remove_file(cache.join("reference").join(&name)).unwrap();
        fs::write(cache.join("reference").join(&name), b"PAR1 something else PAR1").unwrap();
    }
    pipeline.put(Extract::weekly("2024-05-20").case("c", address));
    let checked = pipeline.other(&["check", "oca"]).await.exits(1).says("\nFAIL  geocode ");
    checked.says("lots.parquet is not there").says("A run of oca would not work");
    pipeline.other(&["check", "oca", "--geocode", "none"]).await.exits(0);
    let ran = pipeline.run().await.exits(1).says("lots.parquet is not there");
    ran.says("merganser reference oca --pad PAD --pluto PLUTO").says("--geocode none");
    fs::rename(&aside, &store).unwrap();
    fs::write(lots_of(&store), b"PAR1 something else PAR1").unwrap();
    pipeline.other(&["check", "oca"]).await.exits(1).says("lots.parquet has 24 bytes");
    fs::write(lots_of(&store), lots).unwrap();
    pipeline.run().await.exits(0);
    assert_eq!(kept(), sums);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_dialects_come_over_http_and_the_changes_are_told() {
    let pipeline = Pipeline::new("reference_http").await;
    let city = City::new(&pipeline);
    // One building has a thousand units or more.
    let ours = city.text("pluto.csv").replacen(",21,22,", ",1700,1701,", 1);
    assert!(ours.contains(",1700,1701,"));
    let theirs = as_the_portal_has_it(&ours);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("pluto_26v1.csv", SimpleFileOptions::default()).unwrap();
    zip.write_all(ours.as_bytes()).unwrap();
    let zipped = zip.finish().unwrap().into_inner();
    // One lot less, one range more.
    let mut fewer: Vec<_> = ours.lines().map(str::to_owned).collect();
    fewer.pop();
    let files = [
        ("pad26a.zip", city.pad_zip()),
        ("pluto_26v1.zip", zipped),
        ("portal.csv", theirs.into_bytes()),
        ("fewer.csv", (fewer.join("\n") + "\n").into_bytes()),
        ("broken.zip", city.pad_zip()),
    ];
    let server = FileServer::start(files, &["broken.zip"]);
    let (pad, pluto) = (server.url("pad26a.zip"), server.url("pluto_26v1.zip"));
    take(&pipeline, &pad, &pluto, &[]).await.exits(0).says("is in use");
    let lots = "select md5(string_agg(oca_lots::text, ';' order by bbl)) from oca_lots";
    let before = pipeline.one(lots).await;
    assert_eq!(pipeline.one("select count(*) from oca_lots where unitsres = 1700").await, "1");
    take(&pipeline, &pad, &server.url("portal.csv"), &[]).await.exits(0).says("lots: ").says("0 new, 0 gone");
    assert_eq!(pipeline.one(lots).await, before, "the dialects say the same");
    take(&pipeline, &pad, &server.url("fewer.csv"), &[]).await.exits(0).says("0 new, 1 gone");
    assert_eq!(server.asked().len(), 6);
    let in_use = pipeline.one(IN_USE).await;
    let broken = take(&pipeline, &server.url("broken.zip"), &pluto, &[]).await;
    assert_ne!(broken.code, 0, "{}", broken.stdout);
    let absent = take(&pipeline, &server.url("none.zip"), &pluto, &[]).await;
    assert_ne!(absent.code, 0, "{}", absent.stdout);
    assert_eq!(pipeline.one(IN_USE).await, in_use);
}
