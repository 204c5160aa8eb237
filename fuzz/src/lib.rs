//! What reads bytes from outside, with what must be true of it whatever the bytes are. `fuzz_targets/` hands these
//! functions to libFuzzer; the test below gives them the corpora that are kept.

mod archive;
mod csv;
mod document;
mod name;
mod parse;

pub use archive::archive;
pub use csv::csv;
pub use document::document;
pub use name::name;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Runs every file of a target's corpus.
    fn replay(target: &str, run: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let mut files = 0;
        for entry in fs::read_dir(folder).expect("a corpus").flatten() {
            eprintln!("{}", entry.path().display());
            run(&fs::read(entry.path()).expect("a file can be read"));
            files += 1;
        }
        assert!(files > 0, "an empty corpus");
    }

    #[test]
    fn documents() {
        replay("document", super::document);
    }

    #[test]
    fn archives() {
        replay("archive", super::archive);
    }

    #[test]
    fn names() {
        replay("name", super::name);
    }

    #[test]
    fn csvs() {
        replay("csv", super::csv);
        super::csv::close();
    }
}
