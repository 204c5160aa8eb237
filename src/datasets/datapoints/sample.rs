//! Makes places and data points for demonstrations, tests and benchmarks. The density is that of Amsterdam: 10,000 postcodes
//! within 10 km.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::ToSpan as _;
use jiff::civil::Date;

/// The centre of the places, in degrees.
const LAT: f64 = 52.3728;
const LON: f64 = 4.8936;
/// Degrees of latitude per kilometre.
const DEGREES_A_KM: f64 = 1.0 / 111.195;
/// The number of places within [`DENSE_KM`] of the centre.
const DENSE: f64 = 10_000.0;
const DENSE_KM: f64 = 10.0;
/// The most places in a zone: those whose postcodes share three digits.
const ZONE_PLACES: u64 = 6_760;
const ZONES: u64 = 900;
const BRANCHES: u64 = 21;

/// The arguments of `merganser sample datapoints`.
#[derive(clap::Args, Clone, Debug)]
pub struct PointsArgs {
    /// Data points of all days together
    #[arg(long, value_name = "N")]
    pub rows: u64,
    /// Folder for the files
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Postcodes, as dense as Amsterdam's: the more, the larger the city
    #[arg(long, default_value_t = 33_791, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub places: u64,
    /// Days
    #[arg(long, default_value_t = 365, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3660))]
    pub days: u16,
    /// The first day
    #[arg(long, default_value = "2013-01-01", value_name = "YYYY-MM-DD")]
    pub from: Date,
    /// The same seed makes the same files
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Do not pack the files
    #[arg(long)]
    pub plain: bool,
}

/// The files that were written, and their counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointFiles {
    pub files: Vec<PathBuf>,
    /// A postcode near the centre.
    pub example: String,
    pub places: u64,
    pub rows: u64,
    pub text_bytes: u64,
    pub packed_bytes: u64,
}

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub struct PointsSampleError {
    pub path: PathBuf,
    source: io::Error,
}

/// Writes places.csv and a file for each month; existing ones are replaced.
///
/// # Errors
/// A file cannot be written; others may have been written before.
pub fn write_points(args: &PointsArgs) -> Result<PointFiles, PointsSampleError> {
    let failed = |path: &Path, source| PointsSampleError { path: path.to_owned(), source };
    fs::create_dir_all(&args.out).map_err(|error| failed(&args.out, error))?;
    let mut dice = PointDice(args.seed);
    let places = places(args.places, &mut dice);
    let far = |place: &MadePlace| (place.lat - LAT).abs() + (place.lon - LON).abs();
    let middle = places.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
    let example = middle.map(|place| place.postcode.clone()).unwrap_or_default();
    let counts = (places.len() as u64, args.rows);
    let mut written = PointFiles { example, places: counts.0, rows: counts.1, ..PointFiles::default() };
    let path = args.out.join(super::PLACES_FILE);
    write(&mut written, &path, false, |out| {
        writeln!(out, "postcode,lat,lon,zone")?;
        places.iter().try_for_each(|place| {
            writeln!(out, "{},{:.6},{:.6},{}", place.postcode, place.lat, place.lon, &place.postcode[..3])
        })
    })
    .map_err(|error| failed(&path, error))?;
    let last = args.from.saturating_add(i64::from(args.days - 1).days());
    let mut month = args.from;
    while month <= last {
        let end = month.last_of_month().min(last);
        let ending = if args.plain { "csv" } else { "csv.gz" };
        let path = args.out.join(format!("datapoints-{}.{ending}", month.strftime("%Y-%m")));
        write(&mut written, &path, !args.plain, |out| points(args, &places, (month, end), &mut dice, out))
            .map_err(|error| failed(&path, error))?;
        month = end.saturating_add(1.day());
    }
    Ok(written)
}

/// Writes a file under a temporary name, and renames it when it is complete.
fn write(
    written: &mut PointFiles,
    path: &Path,
    is_packed: bool,
    lines: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let part = path.with_extension("part");
    let file = BufWriter::with_capacity(256 << 10, File::create(&part)?);
    let inner: Box<dyn PackedFile> = match is_packed {
        true => Box::new(GzEncoder::new(file, Compression::fast())),
        false => Box::new(file),
    };
    let mut out = Counting { inner, bytes: 0 };
    lines(&mut out)?;
    written.text_bytes += out.bytes;
    out.inner.end()?;
    fs::rename(&part, path)?;
    written.packed_bytes += fs::metadata(path)?.len();
    written.files.push(path.to_owned());
    Ok(())
}

/// A file that may be packed.
trait PackedFile: Write {
    fn end(self: Box<Self>) -> io::Result<()>;
}

impl PackedFile for BufWriter<File> {
    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

impl PackedFile for GzEncoder<BufWriter<File>> {
    fn end(self: Box<Self>) -> io::Result<()> {
        self.finish()?.flush()
    }
}

struct Counting {
    inner: Box<dyn PackedFile>,
    bytes: u64,
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

struct MadePlace {
    postcode: String,
    lat: f64,
    lon: f64,
}

/// Makes places in a disc; the places of a zone lie in one square of it.
fn places(count: u64, dice: &mut PointDice) -> Vec<MadePlace> {
    let km = DENSE_KM * (count as f64 / DENSE).sqrt();
    // The squares have sides of 2 km or more: a zone then has some 130 places, and three digits are enough for all zones.
    let side_km = (2.0 * km / (ZONES as f64).sqrt().floor()).max(2.0);
    let across = (2.0 * km / side_km).ceil() as u64 + 1;
    let mut taken = std::collections::BTreeMap::new();
    let mut places = Vec::new();
    while (places.len() as u64) < count {
        let (x, y) = (dice.unit() * 2.0 * km - km, dice.unit() * 2.0 * km - km);
        // Not `hypot`, which needs a newer glibc than the wheel allows.
        if x * x + y * y > km * km {
            continue;
        }
        let square = |at: f64| ((at + km) / side_km) as u64;
        let zone = 100 + (square(y) * across + square(x)) % ZONES;
        let number = taken.entry(zone).or_insert(0_u64);
        if *number >= ZONE_PLACES {
            continue;
        }
        let letter = |number: u64| char::from(b'A' + (number % 26) as u8);
        let postcode = format!("{zone}{}{}{}", *number / 676, letter(*number / 26), letter(*number));
        *number += 1;
        let lon = LON + x * DEGREES_A_KM / LAT.to_radians().cos();
        places.push(MadePlace { postcode, lat: LAT + y * DEGREES_A_KM, lon });
    }
    places
}

fn points(
    args: &PointsArgs,
    places: &[MadePlace],
    (first, last): (Date, Date),
    dice: &mut PointDice,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "date,hour,id_activity,postcode,hits,delta,sbi")?;
    let mut day = first;
    while day <= last {
        let number = day.duration_since(args.from).as_hours() as u64 / 24;
        let days = u64::from(args.days);
        // The rows of all days up to this one, less those of the days before.
        let rows = args.rows * (number + 1) / days - args.rows * number / days;
        for _ in 0..rows {
            let place = &places[dice.below(places.len() as u64) as usize];
            let hits = 1 + dice.below(7) * dice.below(7);
            let delta = (hits + dice.below(5)).saturating_sub(dice.below(5));
            // The first branches get the most hits.
            let most = dice.below(BRANCHES);
            let branch = 1 + dice.below(1 + most);
            let (hour, activity) = (dice.below(24), 1_000 + dice.below(9_000));
            writeln!(out, "{day},{hour},{activity},{},{hits},{delta},{branch}", place.postcode)?;
        }
        day = day.saturating_add(1.day());
    }
    Ok(())
}

/// SplitMix64, which gives the same numbers on every machine.
struct PointDice(u64);

impl PointDice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
