//! What is true of each address of a sample, in a file of its own.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::typed::Typed;

/// A CSV with a row an address: how it is typed, and what must come out.
pub(in super::super) struct Truth {
    out: BufWriter<File>,
    /// What went wrong first; nothing is written after it.
    failed: Option<io::Error>,
}

impl Truth {
    /// A file with its header.
    pub(in super::super) fn new(file: File) -> Self {
        let mut truth = Self { out: BufWriter::new(file), failed: None };
        truth.write(&[
            "indexnumberid",
            "kind",
            "street1",
            "street2",
            "city",
            "state",
            "postalcode",
            "status",
            "bbl",
            "bin",
            "geoid",
        ]);
        truth
    }

    /// Adds an address of a case.
    pub(in super::super) fn add(&mut self, case: &str, typed: &Typed) {
        let number = |number: u64| if number == 0 { String::new() } else { number.to_string() };
        let (bbl, bin) = (number(typed.bbl), number(typed.bin));
        let Typed { kind, street1, street2, city, postal_code, status, geoid, .. } = typed;
        let geoid = geoid.as_deref().unwrap_or_default();
        self.write(&[case, kind, street1, street2, city, "New York", postal_code, status, &bbl, &bin, geoid]);
    }

    fn write(&mut self, cells: &[&str]) {
        if self.failed.is_none() {
            self.failed = write_row(&mut self.out, cells).err();
        }
    }

    /// Whether all of it was written.
    pub(in super::super) fn finish(mut self) -> io::Result<()> {
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }
}

/// One row of a CSV; a cell with a comma or a quote stands in quotes.
pub(super) fn write_row(out: &mut (impl Write + ?Sized), cells: &[&str]) -> io::Result<()> {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        match cell.contains([',', '"']) {
            true => write!(out, "\"{}\"", cell.replace('"', "\"\""))?,
            false => out.write_all(cell.as_bytes())?,
        }
    }
    out.write_all(b"\n")
}
