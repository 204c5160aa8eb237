//! The address directory against a made-up city: every way of typing, together with the truth.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use jiff::civil::date;
use merganser::clients::duckdb::{DuckLimits, Staging};
use merganser::datasets::oca::sample::{
    SampleOptions, SampleReference, write_addresses, write_sample_with_reference,
};
use merganser::run::answered::portion;
use merganser::sql;

use super::lookup::{look_up, write_reference};

/// PLUTO's columns with the names of the city's planning department.
const LOTS: [(&str, &str); 14] = [
    ("bbl", "bbl"),
    ("cd", "cd"),
    ("council", "council"),
    ("ct", "ct2010"),
    ("cb", "cb2010"),
    ("bct", "bct2020"),
    ("bctcb", "bctcb2020"),
    ("zip", "zipcode"),
    ("address", "address"),
    ("units_res", "unitsres"),
    ("units_total", "unitstotal"),
    ("latitude", "latitude"),
    ("longitude", "longitude"),
    ("version", "version"),
];

/// The result for one way of typing.
struct Kind {
    name: String,
    lines: i64,
    /// The number of lines that have a lot.
    lots: i64,
    found: i64,
    /// The number of wrong lots and buildings, including those for lines that have none.
    wrong: i64,
    /// The number of answers with a wrong status.
    others: i64,
    example: Option<String>,
}

/// Runs the reference's own scripts over a made-up city, asks for every address of an extract, and compares with the
/// truth.
fn answered(cases: u64, lots: u64, seed: u64) -> Vec<Kind> {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let options = SampleOptions {
        cases,
        out: dir.to_owned(),
        seed,
        run_date: date(2026, 9, 26),
        initial: Some(2026),
        level: 2,
        deletes: 0,
        malformed: 0,
    };
    write_sample_with_reference(&options, &SampleReference { dir: dir.to_owned(), lots }).unwrap();
    let staging = Staging::create(dir, DuckLimits { memory_mib: 1024, threads: 2 }).unwrap();
    let path = |name: &str| dir.join(name).display().to_string();
    ask(&staging, dir, &path("truth.csv"));
    let query = "
        select
            kind, count(*), count(truth.bbl), count(*) filter (where truth.bbl is not null and said.status = 'match'),
            count(*) filter (where said.bbl <> coalesce(truth.bbl, '') or said.bin <> coalesce(truth.bin, '')),
            count(*) filter (where said.status is distinct from truth.status),
            any_value(concat_ws(' | ', street1, street2, city, postalcode, 'true:', truth.status, truth.bbl, truth.bin,
                'said:', said.status, said.bbl, said.bin, said.msg))
                filter (where said.status is distinct from truth.status
                    or said.bbl is distinct from truth.bbl and said.bbl is not null
                    or said.bin is distinct from truth.bin and said.bin is not null)
        from truth join answers as said on said.key = truth.row_no::varchar
        group by kind order by kind";
    let read = |row: &duckdb::Row<'_>| {
        Ok(Kind {
            name: row.get(0)?,
            lines: row.get(1)?,
            lots: row.get(2)?,
            found: row.get(3)?,
            wrong: row.get(4)?,
            others: row.get(5)?,
            example: row.get(6)?,
        })
    };
    staging.query("compare", query, read).unwrap()
}

fn ask(staging: &Staging, dir: &Path, truth: &str) {
    let files = reference(staging, dir);
    let questions = "
        create table truth as
        select row_number() over () as row_no, * from read_csv(:'truth', header = true, all_varchar = true);
        create table questions as
        select row_no::varchar as key, street1, street2, city, state, postalcode from truth;";
    staging.execute("put the questions", questions, &[("truth", truth)]).unwrap();
    let files: Vec<_> = files.iter().map(|(name, file)| (*name, file.as_str())).collect();
    // Several portions, which look up the same streets.
    look_up(staging, &files, 2_000);
}

/// Makes the reference's files from a city's.
fn reference(staging: &Staging, dir: &Path) -> Vec<(&'static str, String)> {
    let path = |name: &str| dir.join(name).display().to_string();
    let (addresses, billing, pluto) = (path("bobaadr.txt"), path("bobabbl.txt"), path("pluto.csv"));
    let mut variables = LOTS.to_vec();
    variables.extend([("addresses", addresses.as_str()), ("billing", &billing), ("pluto", &pluto)]);
    write_reference(staging, &variables, dir)
}

/// Lines that are no plain line with one range are counted separately.
const APART: [&str; 3] = ["also known as", "place name", "typed range"];

/// Compares the figures with their limits, and returns the table of them.
fn figures(kinds: &[Kind]) -> String {
    let mut table = String::from(
        "| way of typing | lines | with a lot | found | wrong lot or building | precision | recall |\n",
    );
    table += "|---|---|---|---|---|---|---|\n";
    let mut row = |name: &str, of: &[&Kind]| {
        let sum = |value: fn(&Kind) -> i64| of.iter().map(|kind| value(kind)).sum::<i64>();
        let [lines, lots, found, wrong] =
            [|k: &Kind| k.lines, |k: &Kind| k.lots, |k: &Kind| k.found, |k: &Kind| k.wrong].map(sum);
        let said = found.max(wrong);
        let per_cent = |some: i64, all: i64| match all {
            0 => "-".to_owned(),
            all => format!("{:.2} %", 100.0 * some as f64 / all as f64),
        };
        let (precision, recall) = (per_cent(said - wrong, said), per_cent(found, lots));
        writeln!(table, "| {name} | {lines} | {lots} | {found} | {wrong} | {precision} | {recall} |")
            .unwrap();
        (lots, found)
    };
    for kind in kinds {
        row(&kind.name, &[kind]);
    }
    let plain: Vec<_> = kinds.iter().filter(|kind| !APART.contains(&kind.name.as_str())).collect();
    let (lots, found) = row("**all but names, ranges and AKA lines**", &plain);
    row("**all**", &kinds.iter().collect::<Vec<_>>());
    let wrong: Vec<_> = kinds.iter().filter(|kind| kind.wrong > 0).collect();
    for kind in kinds.iter().filter(|kind| kind.wrong + kind.others > 0) {
        let example = kind.example.as_deref().unwrap_or_default();
        eprintln!("{}: {} wrong, {} of another status: {example}", kind.name, kind.wrong, kind.others);
    }
    assert!(wrong.is_empty(), "a wrong lot is worse than none:\n{table}");
    assert!(lots > 0 && found * 100 >= lots * 98, "less than 98 % found:\n{table}");
    table
}

#[test]
fn no_lot_of_a_made_city_is_wrong_and_nearly_all_are_found() {
    let kinds = answered(6_000, 4_000, 11);
    figures(&kinds);
    assert!(kinds.len() >= 25, "not every way of typing was generated: {}", kinds.len());
    let others: i64 = kinds.iter().map(|kind| kind.others).sum();
    assert_eq!(others, 0, "a line has a wrong status");
}

/// `cargo test --test it -- --ignored --nocapture the_figures_of_a_hundred_thousand`
#[test]
#[ignore = "takes a minute; its table is in docs/performance.md"]
fn the_figures_of_a_hundred_thousand_addresses() {
    println!("{}", figures(&answered(102_000, 100_000, 6)));
}

/// The columns that a look-up needs of each file.
const DIRECTORY_COUNTS: &str = "count(boro), count(block), count(lot), count(bin), count(lhnd), count(lhns), count(hhnd), count(hhns), \
    count(scboro), count(stname), count(addrtype), count(parity), count(zipcode)";
const ADDRESS_COUNTS: &str =
    "count(key), count(street1), count(street2), count(city), count(state), count(postalcode)";

/// `cargo test --test it -- --ignored --nocapture a_million_addresses`
///
/// In one process: DuckDB reads the columns that a look-up needs from the directory and the addresses, both CSV, and
/// counts their values; then the scripts look the addresses up. Both have a run's limits: one thread, and memory that
/// spills. For comparison, the time in which DuckDB counts the rows without reading a value.
#[test]
#[ignore = "takes some minutes; its figures are in docs/performance.md"]
fn a_million_addresses_against_a_million_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("MERGANSER_TEST_CITY").map(std::path::PathBuf::from);
    let dir = kept.as_deref().unwrap_or(folder.path());
    let path = |name: &str| dir.join(name).display().to_string();
    let limits = DuckLimits { memory_mib: 136, threads: 1 };
    let (addresses, directory) = (path("addresses.csv"), path("bobaadr.txt"));
    let files = {
        let reference_of = SampleReference { dir: dir.to_owned(), lots: 800_000 };
        write_addresses(&reference_of, 6, 1_250_000).unwrap();
        let staging = Staging::create(dir, DuckLimits { memory_mib: 1024, ..limits }).unwrap();
        let distinct = "
            copy (
                select any_value(indexnumberid) as key, street1, street2, city, state, postalcode
                from read_csv(:'truth', header = true, all_varchar = true)
                group by street1, street2, city, state, postalcode order by key limit 1000000
            ) to :'addresses' (format csv)";
        let variables = [("truth", path("truth.csv")), ("addresses", addresses.clone())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        staging.execute("take different ones", distinct, &variables).unwrap();
        reference(&staging, dir)
    };
    let files: Vec<_> = files.iter().map(|(name, file)| (*name, file.as_str())).collect();
    let counted = |of_directory: &str, of_addresses: &str| {
        let staging = Staging::create(dir, limits).unwrap();
        let started = Instant::now();
        let count = |counts: &str, file: &str| -> i64 {
            let file = sql::literal(file);
            let query = format!("select {counts} from read_csv({file}, header = true, all_varchar = true)");
            staging.query("count", &query, |row| row.get(0)).unwrap()[0]
        };
        let counts = (count(of_directory, &directory), count(of_addresses, &addresses));
        assert!(counts.0 >= 1_000_000 && counts.1 == 1_000_000, "{counts:?}");
        started.elapsed().as_secs_f64()
    };
    let looked_up = |memory_mib| {
        let staging = Staging::create(dir, DuckLimits { memory_mib, ..limits }).unwrap();
        let questions = "create table questions as
            select * from read_csv(:'addresses', header = true, all_varchar = true)";
        let started = Instant::now();
        staging.execute("put the questions", questions, &[("addresses", &addresses)]).unwrap();
        // All columns of all answers go to the engine, which has them as text.
        let seconds = look_up(&staging, &files, portion(memory_mib));
        let time = started.elapsed().as_secs_f64();
        eprintln!("scripts: {seconds:.2?}");
        let answers = staging.query("count", "select count(*) from answers", |row| row.get::<_, i64>(0));
        assert_eq!(answers.unwrap(), [1_000_000], "one answer for each question");
        time
    };
    // The least memory that a run takes.
    println!("with 96 MiB: {:.2} s", looked_up(96));
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let rows = counted("count(*)", "count(*)");
        let floor = counted(DIRECTORY_COUNTS, ADDRESS_COUNTS);
        let time = looked_up(limits.memory_mib);
        println!(
            "read and counted in {floor:.2} s, looked up in {time:.2} s: {:.1} times; {:.1} times the {rows:.2} s of the rows \
             alone",
            time / floor,
            time / rows
        );
        ratios.push(time / floor);
    }
    ratios.sort_by(f64::total_cmp);
    assert!(ratios[1] <= 8.0, "{ratios:?}");
}
