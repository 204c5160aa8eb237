//! What is true of each address of a sample, in a file of its own.

use std::fs::File;
use std::io;

use super::typed::Typed;

/// A CSV with a row an address: how it is typed, and what must come out.
pub(in super::super) struct Truth {
    out: csv::Writer<File>,
    /// What went wrong first; nothing is written after it.
    failed: Option<csv::Error>,
}

impl Truth {
    /// A file with its header.
    pub(in super::super) fn new(file: File) -> Self {
        let mut truth = Self { out: csv::Writer::from_writer(file), failed: None };
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
            self.failed = self.out.write_record(cells).err();
        }
    }

    /// Whether all of it was written.
    pub(in super::super) fn finish(mut self) -> io::Result<()> {
        match self.failed {
            Some(error) => Err(error.into()),
            None => self.out.flush(),
        }
    }
}
