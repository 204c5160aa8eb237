//! Every name in the store, and who may read it: everybody below `public/`, only the operator below `private/`. Each
//! dataset has a folder of its own in both, except the one that was there first.
//!
//! ```text
//! public/[FOLDER/]manifest.json             what a reader needs to tell a consistent set of files; written last
//! public/[FOLDER/]TABLE[-VALUE].FORM        one object, or one for each value of a column, in each form
//! private/[FOLDER/]NAME                     the archive: under each name the posting that the ledger calls done
//! private/[FOLDER/]postings/NAME.SHA256     other postings that came under that name
//! private/[FOLDER/]asked/NAME.json          what an answer in the archive was asked for
//! private/[FOLDER/]open/HISTORY.TIME.zst    an answer that waits to be joined to others
//! private/[FOLDER/]unreadable/NAME          files that could not be read at all
//! private/[FOLDER/]runs/RUN/…               what a run stages
//! private/[FOLDER/]reference/VERSION/RUN/… what addresses and the like are looked up in
//! private/transform/JOB/VERSION/…           raw rows of a job in buckets
//! public/site/PATH                          a page or file of the site
//! private/site/state.json                   what the last build knew of it
//! ```

use uuid::Uuid;

use crate::dataset::{Dataset, PublishedTable, Reach};

/// The folder of private objects, whatever the dataset.
pub const PRIVATE: &str = "private";
/// The folder that everybody may read.
pub const PUBLIC: &str = "public";

/// The names of one dataset.
#[derive(Clone, Copy, Debug)]
pub struct Objects {
    folder: &'static str,
    target: &'static str,
}

impl Objects {
    /// The names of a dataset.
    pub fn of(dataset: &Dataset) -> Self {
        Self { folder: dataset.folder, target: dataset.target }
    }

    /// A public object.
    pub fn public(self, name: &str) -> String {
        format!("{PUBLIC}/{}{}{name}", self.folder, self.target)
    }

    fn private(self, name: &str) -> String {
        format!("{PRIVATE}/{}{name}", self.folder)
    }

    /// The one CSV of a published table.
    pub fn published(self, table: &PublishedTable) -> String {
        self.object(table, table.name)
    }

    /// The object with this name of a published table.
    pub fn object(self, table: &PublishedTable, name: &str) -> String {
        match table.reach {
            Reach::Public => self.public(name),
            Reach::Private => self.private(name),
        }
    }

    /// The folder of public objects, without a slash at its end.
    pub fn public_folder(self) -> String {
        self.public("").trim_end_matches('/').to_owned()
    }

    /// The folder of the archive, without a slash at its end. The glob of `reprocess` looks into it alone.
    pub fn archive(self) -> String {
        self.private("").trim_end_matches('/').to_owned()
    }

    /// A raw file in the archive.
    pub fn raw(self, name: &str) -> String {
        self.private(name)
    }

    /// The folder that says what the answers in the archive were asked for.
    pub fn asked(self) -> String {
        self.private("asked")
    }

    /// What an answer in the archive was asked for.
    pub fn asked_for(self, name: &str) -> String {
        format!("{}/{name}.json", self.asked())
    }

    /// The folder of answers that wait to be joined to others.
    pub fn opened(self) -> String {
        self.private("open")
    }

    /// An answer of a history that came at that time (microseconds since 1970).
    pub fn open(self, history: i64, at_us: i64) -> String {
        format!("{}/{history}.{at_us:020}.zst", self.opened())
    }

    /// History and time of the answer behind a key.
    pub fn open_of(self, key: &str) -> Option<(i64, i64)> {
        let name = key.strip_prefix(&self.opened())?.strip_prefix('/')?.strip_suffix(".zst")?;
        let (history, at_us) = name.split_once('.')?;
        Some((history.parse().ok()?, at_us.parse().ok()?))
    }

    /// A file that could not be read at all. It is kept because the sender deletes its own copy after a while.
    pub fn unreadable(self, name: &str) -> String {
        self.private(&format!("unreadable/{name}"))
    }

    /// The folder of other postings of files in the archive.
    pub fn postings(self) -> String {
        self.private("postings")
    }

    /// Another posting of a file, with its checksum behind its name.
    pub fn posting(self, name: &str, sha256: &str) -> String {
        format!("{}/{name}.{sha256}", self.postings())
    }

    /// Name and checksum of the posting behind a key.
    pub fn posted(self, key: &str) -> Option<(&str, &str)> {
        key.strip_prefix(&self.postings())?.strip_prefix('/')?.rsplit_once('.')
    }

    /// The folder in which runs put what they stage.
    pub fn runs(self) -> String {
        self.private("runs")
    }

    /// Where a batch of a run puts what it stages.
    pub fn staged(self, run_id: Uuid, batch: i32) -> String {
        match batch {
            1 => format!("{}/{run_id}", self.runs()),
            _ => format!("{}/{run_id}/batch-{batch}", self.runs()),
        }
    }

    /// A file of a reference, in the folder of its version and the run that made it.
    pub fn reference(self, folder: &str, name: &str) -> String {
        self.private(&format!("reference/{folder}/{name}.parquet"))
    }

    /// The run to which a key below [`Objects::runs`] belongs.
    pub fn run_of(self, key: &str) -> Option<&str> {
        key.strip_prefix(&self.runs())?.strip_prefix('/')?.split('/').next()
    }
}

/// The names of the buckets of one version of a job.
#[derive(Clone, Debug)]
pub struct BucketObjects {
    folder: String,
}

impl BucketObjects {
    /// The names of this version of a job.
    pub fn of(job: &str, version: Uuid) -> Self {
        Self { folder: format!("{PRIVATE}/transform/{job}/{version}") }
    }

    /// The folder that holds all of them.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// A marker: a worker that sees it uses the same store as the plan.
    pub fn planned(&self) -> String {
        format!("{}/planned.json", self.folder)
    }

    /// The list of the files that count, written once all are there.
    pub fn manifest(&self) -> String {
        format!("{}/manifest.json", self.folder)
    }

    /// The rows of a bucket that lie in a range, written under the claim that has this token.
    pub fn file(&self, bucket: i32, range: i32, token: i64) -> String {
        format!("{}/bucket={bucket:05}/range-{range:06}-{token}.parquet", self.folder)
    }
}

/// The folder of the site, without a slash at its end.
pub const SITE: &str = "public/site";
/// The state of the site after the last build.
pub const SITE_STATE: &str = "private/site/state.json";

/// A file of the site, by its path there.
pub fn site_file(path: &str) -> String {
    format!("{SITE}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dataset_has_names_of_its_own() {
        let (first, other) = (Objects { folder: "", target: "" }, Objects { folder: "sheet/", target: "" });
        assert_eq!((first.archive(), other.archive()), ("private".into(), "private/sheet".into()));
        assert_eq!(first.public("manifest.json"), "public/manifest.json");
        assert_eq!(other.public("manifest.json"), "public/sheet/manifest.json");
        assert_eq!(first.staged(Uuid::nil(), 2), format!("private/runs/{}/batch-2", Uuid::nil()));
        assert_eq!(other.run_of("private/sheet/runs/7/batch-2/a.csv"), Some("7"));
        assert_eq!(other.run_of("private/runs/7/a.csv"), None);
    }

    #[test]
    fn a_posting_is_found_by_its_key() {
        let objects = Objects { folder: "", target: "" };
        assert_eq!(objects.posted(&objects.posting("a.b.zip", "0af")), Some(("a.b.zip", "0af")));
        assert_eq!(objects.posted("private/a.zip"), None);
    }
}
