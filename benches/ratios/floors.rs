//! The unavoidable minimum of work: unzip and tokenise, `\copy` in, COPY out.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use merganser::dataset::PublishedColumns;
use merganser::datasets::oca::OCA;
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::Inputs;
use crate::pipeline::{Bench, Copied, Figures, TABLES};

/// The CPU seconds for unzipping the files and reading every token of their documents, on one thread.
pub fn tokenise(input: &Inputs) -> f64 {
    let before = merganser::system::machine::cpu_time();
    let mut events = 0_u64;
    for path in input.paths() {
        let file = File::open(path).expect("the input can be opened");
        let mut archive = zip::ZipArchive::new(BufReader::new(file)).expect("the input is a zip");
        let document = archive.by_index(0).expect("it holds a document");
        let mut reader = Reader::from_reader(BufReader::with_capacity(256 << 10, document));
        let mut buffer = Vec::new();
        while !matches!(reader.read_event_into(&mut buffer).expect("it is XML"), Event::Eof) {
            events += 1;
            buffer.clear();
        }
    }
    assert!(events > input.cases, "there are more tokens than cases");
    (merganser::system::machine::cpu_time() - before).as_secs_f64()
}

/// The seconds of `\copy` for the CSVs of a run, one after the other, into empty tables with the same keys and indexes
/// and the same durability.
pub fn copy_in(bench: &Bench, run: &Figures) -> Copied {
    let schema = format!("{}_copied", run.schema);
    bench.make_tables(&schema);
    let csvs = bench.staging_csvs(run);
    let mut took = 0.0;
    for (table, csv) in &csvs {
        let header = header(csv);
        let started = Instant::now();
        bench.psql(&[
            "-c",
            &format!("\\copy {schema}.{table} ({header}) from '{}' with (format csv, header)", csv.display()),
        ]);
        took += started.elapsed().as_secs_f64();
    }
    assert!(csvs.len() >= TABLES.len(), "every table has a CSV");
    Copied { schema, took }
}

pub fn header(csv: &Path) -> String {
    let mut first = [0; 4096];
    let read = File::open(csv).and_then(|mut file| file.read(&mut first)).expect("the CSV can be read");
    let text = String::from_utf8_lossy(&first[..read]);
    text.lines().next().expect("it has a header").to_owned()
}

/// The seconds of `COPY … TO STDOUT` for all that a run publishes, in one psql after the other, into files.
pub fn copy_out(bench: &Bench, run: &Figures) -> f64 {
    let file = bench.folder.join("copied.csv");
    let mut took = 0.0;
    for published in OCA.published {
        let out = File::create(&file).expect("a file can be made");
        let columns = match published.columns {
            PublishedColumns::Only(names) => names.join(", "),
            PublishedColumns::Named | PublishedColumns::All => "*".into(),
        };
        let table = format!("{}.{}", run.schema, published.table);
        let copy = format!("copy (select {columns} from {table}) to stdout with (format csv, header)");
        let started = Instant::now();
        let status = bench.psql_command(&["-c", &copy]).stdout(Stdio::from(out)).status();
        took += started.elapsed().as_secs_f64();
        assert!(status.expect("psql runs").success());
    }
    let _ = fs::remove_file(file);
    took
}
