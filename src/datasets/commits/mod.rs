//! Histories of projects: who committed what, and when. From clones, or from the API of a host, with the same rows.

mod answer;
mod clone;
mod dictionary;
mod email;
pub mod host;
mod identity;
mod mailmap;
mod message;
mod object;
pub mod options;
mod parse;
mod person;
mod project;
mod record;
mod rows;
pub mod sample;
mod tables;
mod trailer;
mod walk;

use jiff::Timestamp;

use crate::dataset::walked::{HistoryFeed, HistoryList, KeptSecret, ParseSecret, PersonRemoval};
use crate::dataset::{
    Dataset, FileName, Promotion, PublishedColumns, PublishedForm, PublishedTable, Reach, Scripts, SplitBy,
    Tombstones,
};

/// What a clone is called as a part of a run: its folder, a mark of its heads, and this.
const CLONE: &str = ".clone";
/// What the name of a part of answers ends in.
const ANSWERS: &str = ".ndjson.zst";

/// The variable that holds the key of the hashes of addresses and names.
const EMAIL_KEY: &str = "MERGANSER_EMAIL_KEY";

/// The dataset `commits`.
pub const COMMITS: Dataset = Dataset {
    name: "commits",
    about: "Commit histories of projects (git)",
    record: "commit",
    format: "objects",
    private: Some("names of people"),
    folder: "commits/",
    target: "",
    tables: &[tables::COMMITS, tables::PARENTS, tables::TRAILERS],
    file_name,
    near_name: |_| None,
    asked: None,
    links: None,
    walked: Some(&WALKED),
    parse: parse::parse,
    enrichment: None,
    reference: None,
    promotion: Promotion::Merge {
        key: "record_id",
        plan: include_str!("../../../sql/commits/6_promote.pg.sql"),
        tombstones: Tombstones {
            tables: &[tables::REPOSITORIES],
            check: include_str!("../../../sql/commits/6_kept.pg.sql"),
            sealed: include_str!("../../../sql/commits/6_sealed.pg.sql"),
            purge: include_str!("../../../sql/commits/7_purge.pg.sql"),
            proof: include_str!("../../../sql/commits/7_proof.pg.sql"),
        },
    },
    feed_days: None,
    guards: &[],
    variables: |_| Vec::new(),
    scripts: Scripts {
        stage: include_str!("../../../sql/commits/1_stage.duckdb.sql"),
        check: None,
        export: include_str!("../../../sql/commits/3_export.duckdb.sql"),
        tables: include_str!("../../../sql/commits/4_tables.pg.sql"),
        keys: include_str!("../../../sql/commits/5_keys.pg.sql"),
        complete: Some(include_str!("../../../sql/commits/8_reached.pg.sql")),
        guards: None,
        newest: None,
        staging: None,
        known: None,
    },
    derived: tables::DERIVED,
    dictionary: dictionary::DICTIONARY,
    map: None,
    published: &[
        PublishedTable {
            name: "commits.csv",
            reach: Reach::Public,
            table: "git_commits",
            columns: PublishedColumns::Only(tables::PUBLIC),
            split: Some(SplitBy { column: "year", order: &["record_id"], forms: &[PublishedForm::Parquet] }),
        },
        PublishedTable {
            name: "parents.csv",
            reach: Reach::Public,
            table: "git_parents",
            columns: PublishedColumns::Only(&["repository_id", "sha", "position", "parent_sha"]),
            split: None,
        },
        PublishedTable {
            name: "repositories.csv",
            reach: Reach::Public,
            table: "git_repositories",
            columns: PublishedColumns::Only(tables::PUBLIC_REPOSITORIES),
            split: None,
        },
    ],
    forms: &[PublishedForm::Csv, PublishedForm::Packed, PublishedForm::Parquet],
    notice: None,
    served: None,
    has_sheets: false,
    counts_as_posted: false,
    has_demo: true,
    inputs: &[],
};

/// Histories of git.
const WALKED: HistoryFeed = HistoryFeed {
    service: "the host",
    token: "GITHUB_TOKEN",
    accept: "application/vnd.github+json",
    is_closed: answer::is_closed,
    parse_secret: ParseSecret {
        variable: EMAIL_KEY,
        purpose: "addresses are kept as hashes under a key of yours",
        whence: "make one once, keep it, and use the same for every run: openssl rand -hex 32",
    },
    clones: options::clones,
    list: HistoryList {
        is_wanted: options::is_catalog,
        needs: ("catalog_projects", "merganser run catalog makes it of sheets"),
        query: include_str!("../../../sql/commits/9_projects.pg.sql"),
        add: project::add_listed,
    },
    histories: options::histories,
    number: project::number,
    budget: options::budget,
    walk: walk::walk,
    nodes: answer::nodes,
    known: include_str!("../../../sql/commits/9_known.pg.sql"),
    missing: include_str!("../../../sql/commits/9_missing.pg.sql"),
    heads: include_str!("../../../sql/commits/9_heads.pg.sql"),
    complete: include_str!("../../../sql/commits/9_complete.pg.sql"),
    person: PersonRemoval {
        known_as: person::known_as,
        known: include_str!("../../../sql/commits/7_person_known.pg.sql"),
        purge: include_str!("../../../sql/commits/7_person.pg.sql"),
        proof: include_str!("../../../sql/commits/7_person_left.pg.sql"),
        beside: &["metrics"],
        secret: KeptSecret {
            variable: EMAIL_KEY,
            hash: person::hash_of_key,
            kept: include_str!("../../../sql/commits/7_key.pg.sql"),
            keep: include_str!("../../../sql/commits/7_key_kept.pg.sql"),
            table: "git_removed_people",
        },
        removed: include_str!("../../../sql/commits/7_removed.pg.sql"),
        hash_name: person::hash_name,
        hash_person: person::hash_person,
        rekeyed_name: person::rekeyed_name,
        rekey_names: include_str!("../../../sql/commits/7_rekeyed.pg.sql"),
        names_alone: include_str!("../../../sql/commits/8_alone.pg.sql"),
        without: person::without,
    },
    part_name,
    is_archived: |name| name.ends_with(ANSWERS),
};

/// `9001.20261126T182001.000.ndjson.zst`: the number of a repository, when the part was closed, and the so-manieth of that run.
fn part_name(history: i64, closed: Timestamp, number: usize) -> String {
    format!("{history}.{}.{number:03}{ANSWERS}", closed.strftime("%Y%m%dT%H%M%S%3f"))
}

fn file_name(name: &str) -> Option<FileName> {
    let clone = name.strip_suffix(CLONE).and_then(|stem| stem.rsplit_once('@'));
    let closed = name.strip_suffix(ANSWERS).and_then(|stem| {
        let mut pieces = stem.split('.');
        pieces.next()?.parse::<i64>().ok()?;
        let closed = pieces.next()?;
        pieces.next()?.parse::<u32>().ok()?;
        pieces.next().is_none().then_some(closed)
    });
    // What was fetched later counts more; of a clone, whatever its heads are, what was read last.
    let order_key = match (closed, clone) {
        (Some(closed), _) => format!("{closed} {name}"),
        (None, Some((path, _))) => path.to_owned(),
        (None, None) => return None,
    };
    Some(FileName { run_date: None, order_key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_part_is() {
        let time = "2026-11-26T18:20:01.5Z".parse().unwrap();
        let name = part_name(9001, time, 7);
        assert_eq!(name, "9001.20261126T182001500.007.ndjson.zst");
        assert_eq!(file_name(&name).unwrap().order_key, format!("20261126T182001500 {name}"));
        assert!(file_name(&part_name(-7, time, 0)).is_some());
        assert_eq!(file_name("a__b@0123.clone").unwrap().order_key, "a__b");
        for other in
            ["a.clone", "x.20261126.0.ndjson.zst", "1.2.3.4.ndjson.zst", "commits.csv", "1.2.ndjson.zst"]
        {
            assert_eq!(file_name(other), None, "{other}");
        }
    }
}
