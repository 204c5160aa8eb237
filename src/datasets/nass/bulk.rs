//! The bulk files: one for each sector, tab-separated without quotes, with column names in capitals, packed with gzip.

use std::io::{BufRead, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::Date;

use super::columns::{COLUMNS, Fields, SECTOR, VALUE};
use super::quickstats::records::StatRecords;

/// The sectors, and their names in file names.
pub const SECTORS: [(&str, &str); 5] = [
    ("ANIMALS & PRODUCTS", "animals_products"),
    ("CROPS", "crops"),
    ("DEMOGRAPHICS", "demographics"),
    ("ECONOMICS", "economics"),
    ("ENVIRONMENTAL", "environmental"),
];

/// The width to which codes such as `(D)` are padded with blanks, both in bulk files and in answers of the API.
const CODE_WIDTH: usize = 20;

/// The reasons why a text is not a bulk file.
#[derive(Debug, thiserror::Error)]
pub enum BulkFault {
    #[error("line 1 does not name the 39 columns")]
    Header,
    #[error("line {line} has {fields} fields in the place of 39")]
    Fields { line: u64, fields: usize },
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
}

/// The name of a sector's file of a day: `qs.crops_20260102.txt.gz`. `sector` is the second name in [`SECTORS`].
pub fn file_name(sector: &str, day: Date) -> String {
    format!("qs.{sector}_{:04}{:02}{:02}.txt.gz", day.year(), day.month(), day.day())
}

/// Adds the line with the names of the columns.
pub fn add_header(out: &mut Vec<u8>) {
    out.extend_from_slice(header().as_bytes());
    out.push(b'\n');
}

fn header() -> String {
    let names = COLUMNS.map(|name| if name == "CV (%)" { "CV_%".to_owned() } else { name.to_uppercase() });
    names.join("\t")
}

/// Adds the line of a record.
pub fn add_line(out: &mut Vec<u8>, fields: &Fields<'_>) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b'\t');
        }
        if at == VALUE {
            add_blanks(out, field);
        }
        out.extend_from_slice(field.as_bytes());
    }
    out.push(b'\n');
}

/// The newest file of each sector among these names, in the order of the sectors. Other files, such as `qs.census2022…`, repeat
/// records of these.
pub fn newest(names: &[String]) -> Vec<&str> {
    let newest = |(_, sector): &(&str, &str)| {
        let day = |name: &&String| {
            let day = name.strip_prefix(&format!("qs.{sector}_"))?.strip_suffix(".txt.gz")?;
            (day.len() == 8 && day.bytes().all(|c| c.is_ascii_digit())).then(|| day.to_owned())
        };
        names.iter().filter(|name| day(name).is_some()).max_by_key(day)
    };
    SECTORS.iter().filter_map(newest).map(String::as_str).collect()
}

/// Adds the blanks that precede a code; a number has none.
pub fn add_blanks(out: &mut Vec<u8>, value: &str) {
    if value.starts_with('(') {
        out.resize(out.len() + CODE_WIDTH.saturating_sub(value.len()), b' ');
    }
}

/// A stream that packs what is written to it, as bulk files are packed.
pub fn packer<W: Write>(out: W) -> GzEncoder<W> {
    GzEncoder::new(out, Compression::fast())
}

/// Writes the packed file of a sector, given by its first name in [`SECTORS`].
///
/// # Errors
/// Any error of the stream.
pub fn pack<W: Write>(records: &StatRecords, sector: &str, out: W) -> std::io::Result<()> {
    let mut packer = packer(out);
    let mut lines = Vec::new();
    add_header(&mut lines);
    for row in 0..records.len() {
        if records.field(row, SECTOR) == sector {
            add_line(&mut lines, &records.fields(row));
        }
        if lines.len() > 1 << 16 {
            packer.write_all(&lines)?;
            lines.clear();
        }
    }
    packer.write_all(&lines)?;
    packer.finish()?.flush()
}

/// Adds the records of an unpacked bulk file to others.
///
/// # Errors
/// [`BulkFault`]; the records before the fault have been added.
pub fn unpack(mut text: impl BufRead, records: &mut StatRecords) -> Result<(), BulkFault> {
    let mut line = String::new();
    text.read_line(&mut line)?;
    if line.trim_end() != header() {
        return Err(BulkFault::Header);
    }
    for number in 2.. {
        line.clear();
        if text.read_line(&mut line)? == 0 {
            break;
        }
        let fields: Vec<_> = line.trim_end_matches(['\r', '\n']).split('\t').collect();
        let count = fields.len();
        let fields: Fields<'_> =
            fields.try_into().map_err(|_| BulkFault::Fields { line: number, fields: count })?;
        records.push(&fields.map(str::trim_start));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    fn record(sector: &'static str, value: &'static str) -> Fields<'static> {
        let mut fields = [""; 39];
        fields[0] = "SURVEY";
        fields[SECTOR] = sector;
        fields[VALUE] = value;
        fields
    }

    fn unpacked(bytes: &[u8]) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_file_has_the_records_of_its_sector_and_gives_them_back() {
        let mut records = StatRecords::default();
        records.push(&record("CROPS", "1,234"));
        records.push(&record("ECONOMICS", "5"));
        records.push(&record("CROPS", "(D)"));
        let mut bytes = Vec::new();
        pack(&records, "CROPS", &mut bytes).unwrap();
        let text = unpacked(&bytes);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("SOURCE_DESC\tSECTOR_DESC\t") && lines[0].ends_with("\tVALUE\tCV_%"));
        assert!(lines[1].starts_with("SURVEY\tCROPS\t") && lines[1].ends_with("\t1,234\t"));
        assert!(lines[2].ends_with("\t                 (D)\t"));
        let mut back = StatRecords::default();
        unpack(BufReader::new(text.as_bytes()), &mut back).unwrap();
        assert_eq!((back.len(), back.field(1, VALUE)), (2, "(D)"));
        assert_eq!(back.fields(0), record("CROPS", "1,234"));
    }

    #[test]
    fn the_newest_file_of_a_sector_counts() {
        let names = ["qs.crops_20251230.txt.gz", "qs.census2022_20260102.txt.gz", "qs.crops_20260102.txt.gz"];
        let others = ["qs.crops_2026.txt.gz", "qs.economics_20260101.txt.gz", "qs.crops_20260103.txt", "x"];
        let names: Vec<_> = names.into_iter().chain(others).map(str::to_owned).collect();
        assert_eq!(newest(&names), ["qs.crops_20260102.txt.gz", "qs.economics_20260101.txt.gz"]);
    }

    #[test]
    fn what_is_no_bulk_file_is_refused() {
        let mut records = StatRecords::default();
        let mut read = |text: &str| unpack(text.as_bytes(), &mut records).unwrap_err().to_string();
        assert_eq!(read(""), "line 1 does not name the 39 columns");
        assert_eq!(read(&header().to_lowercase()), "line 1 does not name the 39 columns");
        assert_eq!(read(&format!("{}\na\tb\n", header())), "line 2 has 2 fields in the place of 39");
        let day = jiff::civil::date(2026, 1, 2);
        assert_eq!(file_name("crops", day), "qs.crops_20260102.txt.gz");
    }
}
