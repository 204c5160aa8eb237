//! Makes extracts like those that the court sends: for demonstrations, tests and benchmarks.
//!
//! In: how many cases and deletes, a seed, a run date. Out: one zip with one XML document. A file
//! appears under its name only when it is complete; a failure leaves none.
//!
//! # Which cases are in a file
//! A case's identity is the SHA-256 of `sample/{seed}/{sequence}/{number}`, so the files of one
//! seed know each other:
//! - An initial extract of a year holds the numbers 0, 1, 2, … of the sequence named by the year.
//!   Its deletes name numbers after those, cases that it does not hold.
//! - Of an incremental extract's cases 60 in 100 are sent again: out of each of the first pairs of
//!   numbers of its run year (0 and 1, 2 and 3, …) one, on another run date perhaps the other. The
//!   initial extract of that year has them all when it has twice as many cases. The rest are new, of
//!   a sequence that no other run date has.
//! - Its deletes name the other number of those pairs. So a later file may well send a case that was
//!   deleted before, which must not come back.
//! - Every fifth delete, in either kind of file, names a case that no file holds.
//!
//! No case is in a file twice. Court, address, parties and claim of a case are the same in every
//! file; what happened since depends on the run date too.
//!
//! # Where they are
//! With a reference, addresses are typed in a made city in the place of the streets of [`places`]: see [`city`]. All else of a
//! case is the same, and the files of a seed and of so many lots are of one city.
//!
//! Broken cases are among the cases, spread evenly, their ways of being broken in turn.

mod args;
mod case;
mod city;
mod flaw;
mod places;
mod property;
mod story;
mod values;
mod xml;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

pub use self::args::ExtractArgs;
use self::case::{CaseWriter, Numbering};
use self::city::{City, Truth, typed, write_city};
use self::flaw::Flaw;
use self::values::Draw;
use self::xml::{Calendar, Xml};

pub use self::city::{LEAST_LOTS, MOST_LOTS, SampleReference};

/// The options of an extract.
#[derive(Clone, Debug)]
pub struct SampleOptions {
    /// Live cases, the broken ones included.
    pub cases: u64,
    /// The directory that the file is written to; made if it is missing.
    pub out: PathBuf,
    /// Files of one seed have cases in common. The same options give the same bytes.
    pub seed: u64,
    /// The run date in the file's name and document; from the year 1900 on.
    pub run_date: Date,
    /// The year of an initial extract; none: an incremental one.
    pub initial: Option<i16>,
    /// 2: with the street lines of addresses; 1: without. All else is the same.
    pub level: u8,
    /// Cases that the file deletes, after all live cases.
    pub deletes: u64,
    /// How many of the cases are broken.
    pub malformed: u64,
}

/// An extract that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleFile {
    pub path: PathBuf,
    pub cases: u64,
    pub deletes: u64,
    pub malformed: u64,
    /// Size of the document and of the zip that holds it.
    pub xml_bytes: u64,
    pub zip_bytes: u64,
}

/// Why no extract was written.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The options contradict each other, or are out of range.
    #[error("no such sample can be made: {0}")]
    Options(&'static str),
    #[error("cannot write {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: {source}")]
    Zip { path: PathBuf, source: zip::result::ZipError },
}

/// Writes `LandlordTenant.Initial.FiledInYYYY.YYYY-MM-DD.zip` or `LandlordTenant.Incr.YYYY-MM-DD.zip`,
/// in place of one that is there, and tells what is in it. See the module for which cases these are.
///
/// Fails when the options make no sense or the directory or file cannot be written; then no file has
/// appeared or changed. Takes two threads and a few megabytes, however many the cases.
pub fn write_sample(options: &SampleOptions) -> Result<SampleFile, SampleError> {
    check(options)?;
    write_extract(options, None)
}

/// Writes a sample whose addresses are typed in a made city, and the city's own files into the reference's folder, in place
/// of those that are there: `bobaadr.txt` and `bobabbl.txt` (the address directory), `pluto.csv` (its lots), `tracts.csv` (its
/// census tracts), and `truth.csv`, what is true of each address of the extract's whole cases.
///
/// Fails as [`write_sample`] does; then files of the city may be new, and each is whole. Takes no more memory for more lots.
pub fn write_sample_with_reference(
    options: &SampleOptions,
    reference: &SampleReference,
) -> Result<SampleFile, SampleError> {
    check(options)?;
    if options.level != 2 {
        return Err(SampleError::Options(
            "a reference takes level 2: level 1 has no street lines to look up in it",
        ));
    }
    with_city(reference, options.seed, |city, truth| write_extract(options, Some((city, truth))))
}

/// Writes a made city as [`write_sample_with_reference`] does, and so many addresses in its five boroughs with what is true of
/// them, but no extract: the cases in `truth.csv` are numbers.
///
/// Fails where a file cannot be written.
pub fn write_addresses(reference: &SampleReference, seed: u64, addresses: u64) -> Result<(), SampleError> {
    with_city(reference, seed, |city, mut truth| {
        let mut draw = Draw::new(seed, addresses);
        for number in 0..addresses {
            truth.add(&number.to_string(), &typed(&city, &mut draw, number % 5 + 1));
        }
        truth.finish().map_err(|source| SampleError::Io { path: reference.dir.clone(), source })
    })
}

/// Writes a city's files, and `truth.csv` when `fill` has filled it.
fn with_city<T>(
    reference: &SampleReference,
    seed: u64,
    fill: impl FnOnce(City, Truth) -> Result<T, SampleError>,
) -> Result<T, SampleError> {
    if !(LEAST_LOTS..=MOST_LOTS).contains(&reference.lots) {
        return Err(SampleError::Options("a reference has 4,000 to 1,000,000 lots"));
    }
    let dir = &reference.dir;
    let failed = |source| SampleError::Io { path: dir.clone(), source };
    fs::create_dir_all(dir).map_err(failed)?;
    let city = City::new(seed, reference.lots);
    write_city(&city, dir).map_err(failed)?;
    let part = part_file(dir).map_err(failed)?;
    let truth = Truth::new(part.as_file().try_clone().map_err(failed)?);
    let filled = fill(city, truth)?;
    part.persist(dir.join("truth.csv")).map_err(|error| failed(error.error))?;
    Ok(filled)
}

fn write_extract(options: &SampleOptions, city: Option<(City, Truth)>) -> Result<SampleFile, SampleError> {
    let path = options.out.join(file_name(options));
    let failed = |source| SampleError::Io { path: path.clone(), source };
    fs::create_dir_all(&options.out).map_err(failed)?;
    let part = part_file(&options.out).map_err(failed)?;
    let xml_bytes = pack(part.as_file(), options, city)
        .map_err(|source| SampleError::Zip { path: path.clone(), source })?;
    let zip_bytes = part.as_file().metadata().map_err(failed)?.len();
    part.persist(&path).map_err(|error| failed(error.error))?;
    let SampleOptions { cases, deletes, malformed, .. } = *options;
    Ok(SampleFile { path, cases, deletes, malformed, xml_bytes, zip_bytes })
}

fn check(options: &SampleOptions) -> Result<(), SampleError> {
    const YEARS: std::ops::RangeInclusive<i16> = 1900..=2999;
    let year = options.initial.unwrap_or(options.run_date.year());
    let fault = if !YEARS.contains(&year) || !YEARS.contains(&options.run_date.year()) {
        "the years go from 1900 to 2999"
    } else if year > options.run_date.year() {
        "the cases of a year cannot be extracted before that year"
    } else if !matches!(options.level, 1 | 2) {
        "the level is 1 or 2"
    } else if options.malformed > options.cases {
        "more cases are to be malformed than there are"
    } else {
        return Ok(());
    };
    Err(SampleError::Options(fault))
}

fn file_name(options: &SampleOptions) -> String {
    match options.initial {
        Some(year) => format!("LandlordTenant.Initial.FiledIn{year}.{}.zip", options.run_date),
        None => format!("LandlordTenant.Incr.{}.zip", options.run_date),
    }
}

/// A temporary file beside the one to be; it goes when it is dropped.
fn part_file(out: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sample-").suffix(".part");
    // Temporary files are private to their owner; an extract is to be served by other accounts too.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder.tempfile_in(out)
}

/// Bytes of the document that go from the thread that makes it to the one that packs it.
const CHUNK_BYTES: usize = 256 << 10;
/// How many such chunks there are.
const CHUNKS: usize = 8;

/// Writes the whole zip and gives the size of its document.
fn pack(file: &File, options: &SampleOptions, city: Option<(City, Truth)>) -> zip::result::ZipResult<u64> {
    let (full, filled) = sync_channel::<Vec<u8>>(CHUNKS);
    let (empty, emptied) = sync_channel::<Vec<u8>>(CHUNKS);
    // The receiver is moved in, so that a failure here ends the other thread too.
    thread::scope(move |scope| {
        let made = scope.spawn(move || make(options, &Outlet { full, emptied }, city));
        let [month, day] = [options.run_date.month(), options.run_date.day()].map(i8::unsigned_abs);
        let year = options.run_date.year().unsigned_abs();
        let modified = DateTime::from_date_and_time(year, month, day, 0, 0, 0);
        let entry = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1))
            .large_file(true)
            .unix_permissions(0o644)
            .last_modified_time(modified.unwrap_or_default());
        let mut zip = ZipWriter::new(BufWriter::with_capacity(CHUNK_BYTES, file));
        zip.start_file("LandlordTenantExtract.xml", entry)?;
        let mut xml_bytes = 0;
        for mut chunk in filled {
            zip.write_all(&chunk)?;
            xml_bytes += chunk.len() as u64;
            chunk.clear();
            // When the maker has ended, the chunk is no longer needed.
            let _ = empty.try_send(chunk);
        }
        zip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        made.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(xml_bytes)
    })
}

/// Where the document goes, chunk by chunk.
struct Outlet {
    full: SyncSender<Vec<u8>>,
    emptied: Receiver<Vec<u8>>,
}

/// The packing thread has ended; its own error says why.
struct SampleClosed;

impl Outlet {
    /// Hands over what has been written once it has reached `least` bytes.
    fn pass(&self, out: &mut Vec<u8>, least: usize) -> Result<(), SampleClosed> {
        if out.len() < least {
            return Ok(());
        }
        let next = self.emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(CHUNK_BYTES * 5 / 4));
        self.full.send(std::mem::replace(out, next)).map_err(|_| SampleClosed)
    }
}

/// Makes the document, and writes down what is true of it.
fn make(options: &SampleOptions, outlet: &Outlet, city: Option<(City, Truth)>) -> io::Result<()> {
    let mut writer = writer(options);
    writer.city = city;
    // If the packing thread has ended, its own error says why.
    let _ = make_cases(options, outlet, &mut writer);
    writer.city.map_or(Ok(()), |(_, truth)| truth.finish())
}

/// What comes before and behind the days of an extract's cases: interest runs from before the filing, appearances are set for
/// after the run. That the calendar begins with a year gives every run date a day of its own in it, which the stories go by.
fn writer(options: &SampleOptions) -> CaseWriter {
    let year = options.initial.unwrap_or(options.run_date.year());
    let calendar = Calendar::new(date(year - 2, 1, 1), options.run_date.saturating_add(4.months()));
    let run_day = calendar.day(options.run_date);
    CaseWriter::new(Xml::new(calendar), run_day, options.level == 2)
}

fn make_cases(options: &SampleOptions, outlet: &Outlet, writer: &mut CaseWriter) -> Result<(), SampleClosed> {
    let SampleOptions { cases, seed, run_date, deletes, malformed, .. } = *options;
    let year = options.initial.unwrap_or(run_date.year());
    let new_year = date(year, 1, 1);
    let new_from = run_date.saturating_sub(9.days());
    let run_day = writer.run_day;
    let sequence = |name: &str, first: Date, days: i16| Numbering {
        prefix: format!("sample/{seed}/{name}/"),
        first: writer.xml.calendar.day(first),
        days: days.unsigned_abs().into(),
    };
    let of_year = sequence(&year.to_string(), new_year, new_year.days_in_year());
    let new = sequence(&format!("incr/{run_date}"), new_from, 10);
    let unseen = sequence(&format!("unseen/{run_date}"), run_date, 1);
    // Which number of a pair is sent again.
    let coin = |pair: u64| u64::from(Draw::new(seed ^ pair, run_day.into()).below(2));

    open_document(&mut writer.xml, options);
    let resent = cases / 5 * 3 + cases % 5 * 3 / 5;
    for i in 0..cases {
        let flaw = turn(i, malformed, cases).map(|n| Flaw::ROTATION[n as usize % Flaw::ROTATION.len()]);
        match (options.initial, turn(i, resent, cases)) {
            (Some(_), _) => writer.case(&of_year, i, flaw),
            (None, Some(pair)) => writer.case(&of_year, pair * 2 + coin(pair), flaw),
            (None, None) => writer.case(&new, i, flaw),
        }
        outlet.pass(&mut writer.xml.out, CHUNK_BYTES)?;
    }
    for i in 0..deletes {
        match options.initial {
            _ if i % 5 == 4 => writer.delete(&unseen, i),
            Some(_) => writer.delete(&of_year, cases + i),
            None => writer.delete(&of_year, i * 2 + 1 - coin(i)),
        }
        outlet.pass(&mut writer.xml.out, CHUNK_BYTES)?;
    }
    writer.xml.line("</Indexes>\n</Extract>");
    outlet.pass(&mut writer.xml.out, 0)
}

/// Picks `some` of `all` things, evenly: for the `i`th thing, how many were picked before it when
/// it is picked itself.
fn turn(i: u64, some: u64, all: u64) -> Option<u64> {
    let until = |i: u64| (u128::from(i) * u128::from(some) / u128::from(all)) as u64;
    (until(i) < until(i + 1)).then(|| until(i))
}

fn open_document(xml: &mut Xml, options: &SampleOptions) {
    xml.line(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
    xml.line(r#"<Extract xmlns="http://www.example.org/LandlordTenantExtractSchema">"#);
    xml.text("Sender", "Office of Court Administration");
    xml.text("Recipient", "SampleFile");
    match options.initial {
        Some(year) => {
            let last = date(year, 12, 31).min(options.run_date);
            xml.text("ExtractType", "Initial");
            xml.text("FilingDateFrom", &date(year, 1, 1).to_string());
            xml.text("FilingDateTo", &last.to_string());
        }
        None => xml.text("ExtractType", "Incremental"),
    }
    xml.text("RunDate", &options.run_date.to_string());
    xml.line("<Indexes>");
}

#[cfg(test)]
mod tests;
