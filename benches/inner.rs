//! The inner loops alone, on one small extract: tokenise, parse into nothing, append, export.
//!
//! `cargo bench --bench inner`; the bytes counted are those of the XML document.

use std::path::PathBuf;
use std::sync::OnceLock;

use divan::Bencher;
use divan::counter::BytesCount;
use merganser::clients::duckdb::{DuckError, DuckLimits, Staging};
use merganser::dataset::{Dataset, FailedRecord, Limits, ParseInput, RowBatch, Sink, SinkClosed};
use merganser::datasets::oca::OCA;
use merganser::datasets::oca::options::of_level;
use merganser::datasets::oca::sample::{SampleFile, SampleOptions, write_sample};
use merganser::stages::{enrich, export, parse};
use tempfile::TempDir;

fn main() {
    divan::main();
}

/// A sample of 5,000 cases.
fn sample() -> &'static SampleFile {
    static SAMPLE: OnceLock<(TempDir, SampleFile)> = OnceLock::new();
    let (_, sample) = SAMPLE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = SampleOptions {
            cases: 5_000,
            out: folder.path().to_owned(),
            seed: 1,
            run_date: jiff::civil::date(2026, 9, 26),
            initial: Some(2026),
            level: 1,
            deletes: 0,
            malformed: 0,
        };
        let sample = write_sample(&options).expect("a sample can be written");
        (folder, sample)
    });
    sample
}

fn dataset() -> &'static Dataset {
    &OCA
}

fn parse_all(sink: &mut dyn Sink) {
    let input = ParseInput {
        path: &sample().path,
        name: "a.zip",
        tables: dataset().tables,
        file_no: 1,
        options: &of_level(1),
        secret: None,
        batch_records: 2000,
        limits: Limits::default(),
        only_ordinals: &[],
        slice: None,
        holds_more: false,
    };
    (dataset().parse)(&input, sink).expect("the sample can be parsed");
}

/// Takes everything and keeps nothing.
struct Null;

impl Sink for Null {
    fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed> {
        divan::black_box(batch);
        Ok(())
    }

    fn failed(&mut self, _: FailedRecord) -> Result<(), SinkClosed> {
        panic!("the sample has no broken record");
    }
}

/// Keeps the rows, so that the steps after the parser can be measured alone.
#[derive(Default)]
struct Keep(Vec<RowBatch>);

impl Sink for Keep {
    fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed> {
        self.0.push(batch);
        Ok(())
    }

    fn failed(&mut self, _: FailedRecord) -> Result<(), SinkClosed> {
        panic!("the sample has no broken record");
    }
}

fn batches() -> &'static [RowBatch] {
    static BATCHES: OnceLock<Vec<RowBatch>> = OnceLock::new();
    BATCHES.get_or_init(|| {
        let mut keep = Keep::default();
        parse_all(&mut keep);
        keep.0
    })
}

/// A store with the tables of the dataset, and its folder.
fn store() -> (TempDir, Staging) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let limits = DuckLimits { memory_mib: 128, threads: 2 };
    let staging = Staging::create(folder.path(), limits).expect("a store can be made");
    parse::make_tables(&staging, dataset()).expect("the scripts are good");
    (folder, staging)
}

fn append(staging: &mut Staging) -> u64 {
    let mut load = staging.load().expect("a transaction begins");
    for batch in batches() {
        load.append(batch.table, batch.rows.clone()).expect("the rows fit");
    }
    load.commit().expect("the transaction commits")
}

#[divan::bench]
fn tokenise(bencher: Bencher) {
    let path: PathBuf = sample().path.clone();
    bencher.counter(BytesCount::new(sample().xml_bytes)).bench(|| {
        let file = std::fs::File::open(&path).expect("the sample is there");
        let mut archive = zip::ZipArchive::new(std::io::BufReader::new(file)).expect("it is a zip");
        let document = archive.by_index(0).expect("it holds a document");
        let mut reader =
            quick_xml::Reader::from_reader(std::io::BufReader::with_capacity(256 << 10, document));
        let (mut buffer, mut events) = (Vec::new(), 0_u64);
        while !matches!(
            reader.read_event_into(&mut buffer).expect("it is XML"),
            quick_xml::events::Event::Eof
        ) {
            events += 1;
            buffer.clear();
        }
        events
    });
}

#[divan::bench]
fn parse_into_nothing(bencher: Bencher) {
    bencher.counter(BytesCount::new(sample().xml_bytes)).bench(|| parse_all(&mut Null));
}

#[divan::bench]
fn append_to_the_store(bencher: Bencher) {
    batches();
    bencher
        .counter(BytesCount::new(sample().xml_bytes))
        .with_inputs(store)
        .bench_local_values(|(folder, mut staging)| (append(&mut staging), staging, folder));
}

#[divan::bench]
fn export_to_csv(bencher: Bencher) {
    let with_rows = || {
        let (folder, mut staging) = store();
        append(&mut staging);
        (folder, staging)
    };
    bencher.counter(BytesCount::new(sample().xml_bytes)).with_inputs(with_rows).bench_local_values(
        |(folder, staging)| {
            let target = folder.path().join("csv");
            std::fs::create_dir(&target).expect("a folder can be made");
            enrich::find_winners(&staging, dataset()).expect("the scripts are good");
            export::write(&staging, dataset(), &target, || Ok::<_, DuckError>(()))
                .expect("the scripts are good");
            (folder, staging)
        },
    );
}
