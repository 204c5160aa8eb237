//! `merganser reference` on the whole path: a made city's files into the store and the database, and a run that looks its
//! addresses up in them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::civil::date;
use merganser::datasets::oca::sample::{
    LEAST_LOTS, SampleOptions, SampleReference, write_addresses, write_sample_with_reference,
};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use crate::support::csv::{Cell, Csv};
use crate::support::extract::Extract;
use crate::support::files::FileServer;
use crate::support::pipeline::{Pipeline, Ran};

/// A made city's files.
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

    /// A further file, made of one that is there.
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

/// What must stay as it is when a reference is refused.
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
    before.says("no reference: pad is asked for").says("merganser reference oca makes a reference");
    pipeline.other(&["check", "oca"]).await.says(
        "no reference: no lookup is configured to say where the addresses \
                      are",
    );
    let taken = take(&pipeline, &pad, &pluto, &["--tracts", &tracts]).await.exits(0);
    taken.says("is in use").says("There was none before");

    // The ledger has the checksums of what lies in the store, and of what was given.
    let objects = pipeline.objects();
    let listed = pipeline.rows("select object, sha256 from etl.reference_files order by object").await;
    assert_eq!(listed.len(), 3);
    for row in listed {
        let [Some(object), Some(sha256)] = &row[..] else { panic!("{row:?}") };
        assert_eq!(&hex(&objects[object]), sha256, "{object}");
    }
    let given = "select count(*) from etl.steps, jsonb_array_elements(details -> 'files') as file
        where step = 'fetch' and file ->> 'sha256' = any ($$";
    let sums: Vec<_> = ["bobaadr.txt", "bobabbl.txt", "pluto.csv", "tracts.csv"]
        .map(|name| hex(city.text(name).as_bytes()))
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

    // By geometry, the tracts are the true ones too, in the view that is published.
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

    // The same again changes nothing, and keeps the tracts.
    let again = take(&pipeline, &pad, &pluto, &[]).await.exits(0);
    again.says("0 new, 0 gone").says("It was in use before: nothing changed.");
    assert_eq!(pipeline.one("select count(*) from oca_tracts").await, "320");
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
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

/// The portal's dialect: its names, in quotes, numbers with commas and lots without a fraction.
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
            // Units: some of the portal's numbers have commas.
            11 | 12 if cell.len() > 3 => {
                format!("\"{},{}\"", &cell[..cell.len() - 3], &cell[cell.len() - 3..])
            }
            _ => format!("\"{cell}\""),
        });
        made += &(cells.collect::<Vec<_>>().join(",") + "\n");
    }
    made
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
    // Without the store's files there is the cache.
    let store = pipeline.store().join("private/reference");
    let aside = pipeline.folder().join("aside");
    fs::rename(&store, &aside).unwrap();
    pipeline.put(Extract::weekly("2024-05-13").case("b", address));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select count(*) from oca_addresses where status = 'no_street'").await, "2");
    // Where both are gone, or what is in the cache is something else, it is not taken.
    for name in kept() {
        fs::remove_file(cache.join("reference").join(&name)).unwrap();
        fs::write(cache.join("reference").join(&name), b"PAR1 something else PAR1").unwrap();
    }
    pipeline.put(Extract::weekly("2024-05-20").case("c", address));
    assert_ne!(pipeline.run().await.code, 0);
    fs::rename(&aside, &store).unwrap();
    pipeline.run().await.exits(0);
    assert_eq!(kept(), sums);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_dialects_come_over_http_and_the_changes_are_told() {
    let pipeline = Pipeline::new("reference_http").await;
    let city = City::new(&pipeline);
    // One building of a thousand units or more.
    let ours = city.text("pluto.csv").replacen(",21,22,", ",1700,1701,", 1);
    assert!(ours.contains(",1700,1701,"));
    let theirs = as_the_portal_has_it(&ours);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("pluto_26v1.csv", SimpleFileOptions::default()).unwrap();
    zip.write_all(ours.as_bytes()).unwrap();
    let zipped = zip.finish().unwrap().into_inner();
    // A lot less, a range more.
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_whole_edition_is_refused_and_the_one_in_use_stays() {
    let pipeline = Pipeline::new("reference_refused").await;
    let city = City::new(&pipeline);
    let (pad, pluto) = (city.path(""), city.path("pluto.csv"));
    take(&pipeline, &pad, &pluto, &[]).await.exits(0);
    let in_use = pipeline.one(IN_USE).await;
    let lines = |text: &str, some: usize| text.lines().take(some).collect::<Vec<_>>().join("\n") + "\n";
    let all = city.text("pluto.csv").lines().count();
    let pad_of = |name: &str, change: &dyn Fn(String) -> String| {
        let dir = pipeline.folder().join(name);
        fs::create_dir(&dir).unwrap();
        fs::copy(Path::new(&city.path("bobabbl.txt")), dir.join("bobabbl.txt")).unwrap();
        fs::write(dir.join("bobaadr.txt"), change(city.text("bobaadr.txt"))).unwrap();
        dir.display().to_string()
    };
    let zip = city.pad_zip();
    fs::write(city.path("cut.zip"), &zip[..zip.len() / 2]).unwrap();
    let plutos = [
        (city.changed("pluto.csv", "half.csv", |text| lines(&text, all / 2)), "guard drop lots"),
        (
            city.changed("pluto.csv", "no_units.csv", |text| text.replacen("unitsres", "units", 1)),
            "no column unitsres",
        ),
        (
            city.changed("pluto.csv", "older.csv", |text| text.replace("26v1", "25v3")),
            "older than the reference in use",
        ),
        (
            city.changed("pluto.csv", "mixed.csv", |text| text.replacen("26v1", "26v2", 40)),
            "several editions",
        ),
        (city.changed("pluto.csv", "empty.csv", |_| String::new()), "empty"),
        (city.changed("pluto.csv", "header.csv", |text| lines(&text, 1)), "have no rows"),
        (
            city.changed("pluto.csv", "cut.csv", |text| text[..text.len() / 2].to_owned() + ",\"26"),
            "broken off",
        ),
        (city.path("none.csv"), "there is no"),
    ];
    for (path, says) in plutos {
        let ran = take(&pipeline, &pad, &path, &[]).await;
        assert_ne!(ran.code, 0, "{path} is taken: {}", ran.stdout);
        ran.says(says);
        assert_eq!(pipeline.one(IN_USE).await, in_use, "{path}");
    }
    let pads = [
        (city.path("cut.zip"), "may have broken off"),
        (pad_of("no_zip", &|text| text.replacen("zipcode", "zip", 1)), "no column zipcode"),
        (pad_of("half", &|text| lines(&text, text.lines().count() / 2)), "guard drop ranges"),
        (pad_of("nothing", &|_| String::new()), "empty"),
        (pad_of("mid_quote", &|text| text[..text.len() / 3 * 2].to_owned() + "\n\"1"), "broken off"),
    ];
    for (path, says) in pads {
        let ran = take(&pipeline, &path, &pluto, &[]).await;
        assert_ne!(ran.code, 0, "{path} is taken: {}", ran.stdout);
        ran.says(says);
        assert_eq!(pipeline.one(IN_USE).await, in_use, "{path}");
    }
    take(&pipeline, &pad, &pluto, &["--allow", "orphans"]).await.exits(2).says("no guard `orphans`");
    // A reference that is smaller on purpose is accepted, and the ledger says who let it through.
    take(&pipeline, &pad, &city.path("half.csv"), &["--allow", "drop"]).await.exits(0);
    assert_ne!(pipeline.one(IN_USE).await, in_use);
    let allowed = "select string_agg(distinct subject, ',') from etl.guards
        where name = 'drop' and not passed and allowed_by is not null";
    assert_eq!(pipeline.one(allowed).await, "lots");
}

#[tokio::test(flavor = "multi_thread")]
async fn tracts_are_valid_shapes_of_the_state_or_none_are_taken() {
    let pipeline = Pipeline::new("reference_tracts").await;
    let city = City::new(&pipeline);
    let (pad, pluto, tracts) = (city.path(""), city.path("pluto.csv"), city.path("tracts.csv"));
    take(&pipeline, &pad, &pluto, &["--tracts", &tracts]).await.exits(0);
    let shapes = "select concat_ws('|', count(*), md5(string_agg(concat(geoid, countyfp, st_astext(geom)), ';' order by geoid)))
        from oca_tracts";
    let before = pipeline.one(shapes).await;
    let first = city.text("tracts.csv").lines().nth(1).unwrap().to_owned();
    let with = |name: &str, row: &str| city.changed("tracts.csv", name, |text| text.replacen(&first, row, 1));
    let shape = |text: &str| format!("\"{text}\",1,1,Manhattan,000100,1000100,36061000100");
    // A bow tie is no area.
    let bow = "MULTIPOLYGON (((-74.0 40.75, -73.99 40.76, -73.99 40.75, -74.0 40.76, -74.0 40.75)))";
    let feet = "MULTIPOLYGON (((981219 195373, 983000 195373, 983000 197000, 981219 195373)))";
    let open = "MULTIPOLYGON (((-74.0 40.75, -73.99 40.75, -73.99 40.76, -74.0 40.76)))";
    let away = "MULTIPOLYGON (((-74.0 40.75, -73.99 40.75, 12.0 51.0, -74.0 40.75)))";
    let cases = [
        (with("bow.csv", &shape(bow)), "a shape that is not valid"),
        (with("feet.csv", &shape(feet)), "not in the state, in degrees"),
        (with("open.csv", &shape(open)), "no shape that can be read"),
        (with("away.csv", &shape(away)), "does not lie in the state"),
        (with("cut.csv", &shape("MULTIPOLYGON (((-74.0 40.75, -73.99")), "no polygon"),
        (with("point.csv", &shape("POINT (-74.0 40.75)")), "no polygon"),
        (with("number.csv", &first.replace("36061000100", "61000100")), "no number of a tract"),
        (with("twice.csv", &first.replace("36061000100", "36061000200")), "there twice"),
        (
            city.changed("tracts.csv", "no_shape.csv", |text| text.replacen("the_geom", "shape", 1)),
            "no column the_geom",
        ),
        (
            city.changed("tracts.csv", "few.csv", |text| {
                text.lines().take(100).collect::<Vec<_>>().join("\n") + "\n"
            }),
            "guard drop oca_tracts",
        ),
        (city.changed("tracts.csv", "none.csv", |_| String::new()), "empty"),
    ];
    for (path, says) in cases {
        let ran = take(&pipeline, &pad, &pluto, &["--tracts", &path]).await;
        assert_ne!(ran.code, 0, "{path} is taken: {}", ran.stdout);
        ran.says(says);
        assert_eq!(pipeline.one(shapes).await, before, "{path}");
    }
    // The edition of 2010 has the city's numbers alone, and a polygon is one of one part.
    let older = city.changed("tracts.csv", "older.csv", |text| {
        let text = text.replace("CT2020", "CT2010").replace(",GEOID", "");
        let text = text.replace("MULTIPOLYGON (((", "POLYGON ((").replace(")))", "))");
        text.lines()
            .map(|line| match line.rsplit_once(",36") {
                Some((rest, _)) => format!("{rest}\n"),
                None => format!("{line}\n"),
            })
            .collect()
    });
    take(&pipeline, &pad, &pluto, &["--tracts", &older]).await.exits(0);
    assert_eq!(pipeline.one(shapes).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn tracts_take_postgis() {
    let pipeline = Pipeline::new("reference_no_postgis").await;
    pipeline.execute("drop extension if exists postgis cascade").await;
    let city = City::new(&pipeline);
    let (pad, pluto, tracts) = (city.path(""), city.path("pluto.csv"), city.path("tracts.csv"));
    let ran = take(&pipeline, &pad, &pluto, &["--tracts", &tracts]).await;
    assert_ne!(ran.code, 0);
    ran.says("has no PostGIS").says("create extension postgis");
    take(&pipeline, &pad, &pluto, &[]).await.exits(0);
    // With PostGIS, the table that is there without a geometry gets it.
    pipeline.run().await.exits(0);
    pipeline.execute("create extension postgis").await;
    take(&pipeline, &pad, &pluto, &["--tracts", &tracts]).await.exits(0);
    assert_eq!(pipeline.one("select count(*) from oca_tracts where st_isvalid(geom)").await, "320");
}
