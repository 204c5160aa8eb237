//! Builds court extracts: cases into a document, the document into a zip with the feed's name.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// The name of the XML file in every zip of the feed.
pub const DOCUMENT: &str = "LandlordTenantExtract.xml";

/// One extract under construction.
#[derive(Clone, Debug)]
pub struct Extract {
    /// The year of filing of an initial extract.
    year: Option<u16>,
    run_date: String,
    cases: String,
    padding: usize,
}

impl Extract {
    /// An incremental extract.
    pub fn weekly(run_date: &str) -> Self {
        Self { year: None, run_date: run_date.into(), cases: String::new(), padding: 0 }
    }

    /// An initial extract: every case filed in that year.
    pub fn initial(year: u16, run_date: &str) -> Self {
        Self { year: Some(year), ..Self::weekly(run_date) }
    }

    /// Adds a live case; `inside` is XML that follows its identity.
    pub fn case(self, id: &str, inside: &str) -> Self {
        self.raw(&format!("<Index><IndexNumberId>{id}</IndexNumberId>{inside}</Index>"))
    }

    /// Adds a deleted case.
    pub fn delete(self, id: &str) -> Self {
        self.case(id, "<Delete/>")
    }

    /// Adds anything to the list of cases.
    pub fn raw(mut self, xml: &str) -> Self {
        self.cases.push_str(xml);
        self.cases.push('\n');
        self
    }

    /// Makes the zip this many bytes larger.
    pub fn padded(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// The name that the feed would give the zip.
    pub fn file_name(&self) -> String {
        match self.year {
            Some(year) => format!("LandlordTenant.Initial.FiledIn{year}.{}.zip", self.run_date),
            None => format!("LandlordTenant.Incr.{}.zip", self.run_date),
        }
    }

    /// The XML.
    pub fn document(&self) -> String {
        let Self { run_date, cases, .. } = self;
        let kind = match self.year {
            Some(year) => format!(
                "<ExtractType>Initial</ExtractType><FilingDateFrom>{year}-01-01</FilingDateFrom>\
                 <FilingDateTo>{year}-12-31</FilingDateTo>"
            ),
            None => "<ExtractType>Incremental</ExtractType>".to_owned(),
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <Extract xmlns=\"http://www.example.org/LandlordTenantExtractSchema\">\n\
             <Sender/><Recipient/>{kind}<RunDate>{run_date}</RunDate>\n\
             <Indexes>\n{cases}</Indexes>\n</Extract>\n"
        )
    }

    /// The zip.
    pub fn bytes(&self) -> Vec<u8> {
        let document = self.document();
        let padding = vec![b' '; self.padding];
        let files = [(DOCUMENT, document.as_bytes()), ("padding.txt", padding.as_slice())];
        match self.padding {
            0 => zip(&files[..1], CompressionMethod::Deflated),
            _ => zip(&files, CompressionMethod::Stored),
        }
    }

    /// Writes the zip into a folder.
    pub fn put(&self, dir: &Path) {
        fs::write(dir.join(self.file_name()), self.bytes()).expect("the extract can be written");
    }
}

/// A zip of these files.
pub fn zip(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive
            .start_file(*name, SimpleFileOptions::default().compression_method(method))
            .and_then(|()| Ok(archive.write_all(bytes)?))
            .expect("a zip can be written to memory");
    }
    archive.finish().expect("a zip can be finished in memory").into_inner()
}
