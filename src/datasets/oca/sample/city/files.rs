//! The made city's address directory, tax lots and census tracts, as the city publishes the real ones.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::super::part_file;
use super::places::{BOROUGHS, TRACT_DEGREES, TRACTS_A_SIDE, borough_of, corner, geoid, tract};
use super::streets::{House, Lot, Shape, Street, bin};
use super::{City, LOTS_PER_STREET};

/// The edition that the lots say they are of.
const EDITION: &str = "26v1";
/// Units of a condominium that the directory has.
const UNITS: u64 = 2;

/// Writes `bobaadr.txt`, `bobabbl.txt`, `pluto.csv` and `tracts.csv` into a folder, in place of those that are there.
///
/// # Errors
/// A file cannot be written; those that are there already are whole.
pub(in super::super) fn write_city(city: &City, dir: &Path) -> io::Result<()> {
    write(dir, "bobaadr.txt", |out| addresses(city, out))?;
    write(dir, "bobabbl.txt", |out| billing(city, out))?;
    write(dir, "pluto.csv", |out| lots(city, out))?;
    write(dir, "tracts.csv", |out| tracts(out))
}

fn write(dir: &Path, name: &str, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let part = part_file(dir)?;
    let mut out = BufWriter::with_capacity(256 << 10, part.as_file());
    fill(&mut out)?;
    out.flush()?;
    drop(out);
    part.persist(dir.join(name)).map_err(|error| error.error)?;
    Ok(())
}

impl City {
    fn each_street(&self, mut f: impl FnMut(&Street) -> io::Result<()>) -> io::Result<()> {
        for borough in &BOROUGHS {
            for at in 0..self.streets {
                f(&self.street(borough.boro, at))?;
            }
        }
        Ok(())
    }

    /// Every lot of a street, with whether it is the second that a shape speaks of.
    fn each_lot(&self, street: &Street, mut f: impl FnMut(&Lot, bool) -> io::Result<()>) -> io::Result<()> {
        for place in 0..LOTS_PER_STREET {
            let lot = self.lot(street, place);
            for (lot, is_other) in [(Some(lot), false), (street.other(&lot), true)] {
                let Some(lot) = lot else { continue };
                f(&lot, is_other)?;
                if street.is_doubled {
                    f(&street.elsewhere(&lot), is_other)?;
                }
            }
        }
        Ok(())
    }
}

const ADDRESS_COLUMNS: [&str; 26] = [
    "boro",
    "block",
    "lot",
    "bin",
    "lhnd",
    "lhns",
    "lcontpar",
    "lsos",
    "hhnd",
    "hhns",
    "hcontpar",
    "hsos",
    "scboro",
    "sc5",
    "sclgc",
    "stname",
    "addrtype",
    "realb7sc",
    "validlgcs",
    "dapsflag",
    "naubflag",
    "parity",
    "b10sc",
    "segid",
    "zipcode",
    "physical_id",
];

/// What a row of the directory says beside its lot.
struct DirectoryRow<'a> {
    bbl: u64,
    bin: u64,
    numbers: Option<(House, House)>,
    street: (u64, &'a str),
    kind: &'a str,
    zip: u64,
}

fn address(out: &mut dyn Write, row: &DirectoryRow<'_>) -> io::Result<()> {
    let (boro, block, lot) = (row.bbl / 1_000_000_000, row.bbl / 10_000 % 100_000, row.bbl % 10_000);
    let shown = |house: Option<House>| house.map(|house| house.to_string()).unwrap_or_default();
    let sorts = |house: Option<House>| house.map(House::sorts).unwrap_or_default();
    let (low, high) = row.numbers.unzip();
    let parity = low.map_or(0, |low| 2 - low.behind.unwrap_or(low.before) % 2);
    let side = if parity == 1 { "L" } else { "R" };
    let (street_boro, street) = row.street;
    let (code, group) = (row.bbl / 10_000 % 100_000, "01");
    writeln!(
        out,
        "\"{boro}\",\"{block:05}\",\"{lot:04}\",\"{}\",\"{:12}\",\"{:11}\",\" \",\"{side}\",\"{:12}\",\"{:11}\",\" \",\"{side}\",\
         \"{street_boro}\",\"{code:05}\",\"{group}\",\"{street:32}\",\"{:1}\",\"        \",\"{group}      \",\" \",\" \",\
         \"{parity}\",\"{street_boro}{code:05}{group}010\",\"{block:07}\",\"{:05}\",\"{:07}\"",
        row.bin,
        shown(low),
        sorts(low),
        shown(high),
        sorts(high),
        row.kind,
        row.zip,
        row.bin % 1_000_000
    )
}

/// A row a range: units of a condominium, buildings of one address, corners and named places have rows of their own.
fn addresses(city: &City, out: &mut dyn Write) -> io::Result<()> {
    let header: Vec<_> = ADDRESS_COLUMNS.iter().map(|name| format!("\"{name}\"")).collect();
    writeln!(out, "{}", header.join(","))?;
    city.each_street(|street| {
        city.each_lot(street, |lot, _| {
            let row = DirectoryRow {
                bbl: lot.bbl,
                bin: lot.bin,
                numbers: Some((lot.low, lot.high)),
                street: (street.boro, &street.name),
                kind: " ",
                zip: lot.zip,
            };
            if lot.shape == Shape::Condominium {
                return (1..=UNITS).try_for_each(|unit| {
                    address(out, &DirectoryRow { bbl: lot.bbl - 7501 + 1000 + unit, ..row })
                });
            }
            if lot.bin == 0 {
                // Half of these are buildings without a number, half are two buildings.
                let bins = match street.at % 4 {
                    0 => [Some(street.boro * 1_000_000), None],
                    _ => [Some(bin(street, 98)), Some(bin(street, 99))],
                };
                return bins
                    .into_iter()
                    .flatten()
                    .try_for_each(|bin| address(out, &DirectoryRow { bin, ..row }));
            }
            address(out, &row)
        })?;
        let (corner, named) = (city.lot(street, 0), city.lot(street, 1));
        let (next, number) = city.around_the_corner(street);
        let row = DirectoryRow {
            bbl: corner.bbl,
            bin: corner.bin,
            numbers: Some((number, number)),
            street: (next.boro, &next.name),
            kind: " ",
            zip: corner.zip,
        };
        address(out, &row)?;
        let Some(name) = city.place_name(street) else { return Ok(()) };
        let street = (street.boro, name.as_str());
        let (bbl, bin, zip) = (named.bbl, named.bin, named.zip);
        address(out, &DirectoryRow { bbl, bin, numbers: None, street, kind: "N", zip })
    })
}

const BILLING_COLUMNS: [&str; 23] = [
    "loboro",
    "loblock",
    "lolot",
    "lobblscc",
    "hiboro",
    "hiblock",
    "hilot",
    "hibblscc",
    "boro",
    "block",
    "lot",
    "bblscc",
    "billboro",
    "billblock",
    "billlot",
    "billbblscc",
    "condoflag",
    "condonum",
    "coopnum",
    "numbf",
    "numaddr",
    "vacant",
    "interior",
];

/// A row a lot; units of a condominium are a range of lots that one is billed for.
fn billing(city: &City, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", BILLING_COLUMNS.join(","))?;
    city.each_street(|street| {
        city.each_lot(street, |lot, _| {
            let (boro, block, number) =
                (lot.bbl / 1_000_000_000, lot.bbl / 10_000 % 100_000, lot.bbl % 10_000);
            let (low, high, bill, flag) = match lot.shape {
                Shape::Condominium => {
                    (1001, 1000 + UNITS, format!("{boro},{block:05},{number:04},0"), "C")
                }
                _ => (number, number, ",,,".to_owned(), ""),
            };
            writeln!(
                out,
                "{boro},{block:05},{low:04},0,{boro},{block:05},{high:04},0,{boro},{block:05},{low:04},0,{bill},{flag},,,1,1,,"
            )
        })
    })
}

const LOT_COLUMNS: [&str; 17] = [
    "borough",
    "block",
    "lot",
    "cd",
    "bct2020",
    "bctcb2020",
    "ct2010",
    "cb2010",
    "council",
    "zipcode",
    "address",
    "unitsres",
    "unitstotal",
    "bbl",
    "latitude",
    "longitude",
    "version",
];

/// A row a lot, but for some that are missing.
fn lots(city: &City, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", LOT_COLUMNS.join(","))?;
    city.each_street(|street| {
        let (borough, tract) = (borough_of(street.boro), tract(street.at));
        let (south, west) = corner(street.boro, tract);
        let number = tract + 1;
        city.each_lot(street, |lot, is_other| {
            if lot.bbl % 97 == 0 {
                return Ok(());
            }
            let (block, parcel) = (lot.bbl / 10_000 % 100_000, lot.bbl % 10_000);
            // Well inside the tract.
            let lat = south + TRACT_DEGREES * (0.1 + 0.8 * (street.at % 1000) as f64 / 1000.0);
            let lon = west + TRACT_DEGREES * (0.1 + 0.8 * (lot.place * 2 + u64::from(is_other)) as f64 / 48.0);
            let units = lot.bbl % 60;
            writeln!(
                out,
                "{},{block},{parcel},{boro}{:02},{boro}{number:04}00,{boro}{number:04}001000,{number},1000,{},{},{} {},{units},{},\
                 {}.00000000,{lat:.6},{lon:.6},{EDITION}",
                borough.letters,
                1 + number % 12,
                1 + (street.boro * 10 + number) % 51,
                lot.zip,
                lot.low,
                street.name,
                units + 1,
                lot.bbl,
                boro = street.boro,
            )
        })
    })
}

/// Squares, with the columns of the city's file of census tracts.
fn tracts(out: &mut dyn Write) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(["the_geom", "CTLabel", "BoroCode", "BoroName", "CT2020", "BoroCT2020", "GEOID"])?;
    const NAMES: [&str; 5] = ["Manhattan", "Bronx", "Brooklyn", "Queens", "Staten Island"];
    for (borough, name) in BOROUGHS.iter().zip(NAMES) {
        for tract in 0..TRACTS_A_SIDE * TRACTS_A_SIDE {
            let (south, west) = corner(borough.boro, tract);
            let (north, east) = (south + TRACT_DEGREES, west + TRACT_DEGREES);
            let number = format!("{:06}", (tract + 1) * 100);
            let geometry = format!(
                "MULTIPOLYGON ((({west:.6} {south:.6}, {east:.6} {south:.6}, {east:.6} {north:.6}, {west:.6} {north:.6}, \
                 {west:.6} {south:.6})))"
            );
            let (boro, label) = (borough.boro.to_string(), (tract + 1).to_string());
            let its = format!("{boro}{number}");
            let geoid = geoid(borough.boro, tract);
            out.write_record([geometry.as_str(), &label, &boro, name, &number, &its, &geoid])?;
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every lot's number is its own: two lots of one number would make truth of a mistake.
    #[test]
    fn no_two_lots_have_a_number_or_a_building_in_common() {
        let city = City::new(3, super::super::LEAST_LOTS);
        let (mut lots, mut bins, mut count) =
            (std::collections::BTreeSet::new(), std::collections::BTreeSet::new(), 0);
        let mut buildings = 0;
        city.each_street(|street| {
            city.each_lot(street, |lot, _| {
                count += 1;
                lots.insert(lot.bbl);
                assert_eq!(lot.bbl / 1_000_000_000, street.boro);
                buildings += usize::from(lot.bin > 0);
                bins.extend((lot.bin > 0).then_some(lot.bin));
                Ok(())
            })
        })
        .unwrap();
        assert_eq!((lots.len(), bins.len()), (count, buildings));
    }
}
