//! One version everywhere: the documents, the manifests of `deploy/` and the changelog name that of Cargo.toml.

use std::fs;
use std::path::Path;

use crate::support;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn images_and_changelog_are_of_this_version() {
    for path in
        ["deploy/Containerfile", "deploy/jobs/check.yaml", "deploy/jobs/reprocess.yaml", "docs/operations.md"]
    {
        let text = read(path);
        let mut images =
            text.split("merganser:").skip(1).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        assert!(images.all(|rest| rest.starts_with(VERSION)), "{path} names an image of another version");
    }
    for line in
        read("deploy/overlays/production/kustomization.yaml").lines().filter(|line| line.contains("newTag"))
    {
        assert!(line.ends_with(VERSION), "{line}");
    }
    assert!(
        read("CHANGELOG.md").contains(&format!("\n## [{VERSION}] - 20")),
        "the changelog has no release {VERSION}"
    );
}

/// The short answer is one line, for scripts. The long answer says what the program was built from, or why that is
/// unknown.
#[test]
fn the_program_says_what_it_was_built_of() {
    let none: [(&str, &str); 0] = [];
    let said = |word: &str| {
        let output = support::merganser([word], none);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("it is text")
    };
    assert_eq!(said("-V"), format!("merganser {VERSION}\n"));
    let long = said("--version");
    assert!(long.starts_with(&format!("merganser {VERSION} (")) && long.contains("commit "), "{long}");
    let lock = read("Cargo.lock");
    let of = |name: &str| {
        let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).expect("it is locked");
        format!("{name} {}", rest.split('"').next().expect("it has a version"))
    };
    for library in ["DuckDB v".to_owned(), of("arrow"), of("aws-sdk-s3"), of("russh"), of("tokio-postgres")] {
        assert!(long.contains(&library), "{library} is not in: {long}");
    }
}
