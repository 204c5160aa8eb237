//! The code that reads bytes from outside, with properties that must hold for any bytes. `fuzz_targets/` hands these
//! functions to libFuzzer; the test below runs them on the corpora in the repository.

mod archive;
mod csv;
mod document;
mod file;
mod name;
mod parse;
mod question;

pub use archive::archive;
pub use csv::csv;
pub use document::document;
pub use file::file;
pub use name::name;
pub use question::question;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Runs every file of a target's corpus. The name of each file says what it is for.
    fn replay(target: &str, run: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let mut files = 0;
        for entry in fs::read_dir(folder).expect("a corpus").flatten() {
            let name = entry.file_name().into_string().expect("a name");
            eprintln!("{target}/{name}");
            let is_hash = name.len() >= 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(!is_hash, "name it after what it is for: {target}/{name}");
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
    fn files() {
        replay("file", super::file);
    }

    #[test]
    fn questions() {
        replay("question", super::question);
    }

    #[test]
    fn csvs() {
        replay("csv", super::csv);
        super::csv::close();
    }
}
