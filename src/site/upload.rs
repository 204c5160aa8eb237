//! The site in the store. Only changed objects are uploaded: files before the pages that link to them, and the first
//! page last. Then obsolete objects are removed, but only those that a build has put there. Changes are noted before
//! they are made, so that the build after one that was killed repeats them.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::folder::SiteChange;
use super::render::SiteFile;
use super::state::{Contents, SiteState};
use crate::clients::store::{S3Options, Store, StoreError, StoreUrl};
use crate::error::Cause;
use crate::fault;
use crate::objects::{self, SITE, SITE_STATE};

/// Browsers and proxies may cache for five minutes, then they must revalidate.
const CACHE: &str = "public, max-age=300, must-revalidate";
/// Objects in flight at once.
const AT_ONCE: usize = 8;
/// A larger note is not ours.
const STATE_BYTES_MAX: u64 = 64 << 20;

/// A store with a site in it.
pub struct SiteStore {
    store: Store,
}

impl SiteStore {
    /// Opens it; the store is not asked yet.
    ///
    /// # Errors
    /// An error in the settings of S3.
    pub async fn open(url: &StoreUrl, s3: &S3Options) -> Result<Self, Cause> {
        let s3 = S3Options { cache_control: Some(CACHE.into()), ..s3.clone() };
        Ok(Self { store: Store::open(url, &s3).await? })
    }

    /// The note of the last build that wrote one; `None`: there was none.
    ///
    /// # Errors
    /// Any error of the store, except that there is no such object.
    pub async fn state(&self) -> Result<Option<SiteState>, Cause> {
        // A store whose folder does not exist yet has no note either.
        if self.store.head(SITE_STATE).await?.is_none() {
            return Ok(None);
        }
        match self.store.read_bytes(SITE_STATE, STATE_BYTES_MAX).await {
            Ok(text) => Ok(SiteState::parse(&text)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Uploads the site.
    ///
    /// # Errors
    /// Any error of the store. Uploaded pages are then new and the others old; the next build continues.
    pub async fn put(&self, files: &[SiteFile], state: &SiteState) -> Result<SiteChange, Cause> {
        if files.is_empty() {
            let message = "a site without a file is not put into the store".to_owned();
            let hint = Some("run the same command again; if it fails again, report this message".into());
            return Err(Cause::Refused { message, hint });
        }
        let known = self.state().await?.unwrap_or_default();
        let listed = self.store.list(SITE).await;
        let listed = match listed {
            Err(StoreError::NotFound { .. }) => Vec::new(),
            listed => listed?,
        };
        let there: BTreeMap<_, _> =
            listed.into_iter().map(|object| (object.key, object.size_bytes)).collect();
        let is_same = |file: &&SiteFile| {
            there.get(&objects::site_file(&file.path)) == Some(&(file.bytes.len() as u64))
                && known.files.get(&file.path) == Some(&file.sha256)
        };
        let (same, changed): (Vec<_>, Vec<_>) = files.iter().partition(is_same);
        // An object that is not noted was put there by somebody else.
        let gone = known.files.keys().filter(|path| !state.files.contains_key(*path));
        let removed = gone.filter(|path| there.contains_key(&objects::site_file(path)));
        let change = SiteChange {
            written: changed.iter().map(|file| file.path.clone()).collect(),
            removed: removed.cloned().collect(),
            same: same.len(),
        };
        if change.is_none() && known == *state {
            return Ok(change);
        }
        let open = [&change.written, &change.removed].into_iter().flatten();
        let open: Contents = open.map(|path| (path.clone(), String::new())).collect();
        let mut noted = state.clone();
        // A build that finds this note has no complete site yet.
        noted.steps.remove("site");
        noted.files.extend(open);
        self.note(&noted).await?;
        fault::point!("site.noted");
        for at in 0..=LAST {
            let group: Vec<_> = changed.iter().filter(|file| place(&file.path) == at).collect();
            for some in group.chunks(AT_ONCE) {
                try_join_all(some.iter().map(|file| self.upload(file))).await?;
            }
        }
        fault::point!("site.before_removal");
        for path in &change.removed {
            self.store.delete(&objects::site_file(path)).await?;
        }
        if self.state().await?.as_ref() != Some(&noted) {
            // Objects of either site may be there now, so all of them are written again.
            noted.files.values_mut().for_each(String::clear);
            self.note(&noted).await?;
            return Err(Cause::Refused {
                message: "another build has put a site into the store at the same time".to_owned(),
                hint: Some(
                    "a store is for one ledger and one site: build again when the other has ended".into(),
                ),
            });
        }
        self.note(state).await?;
        Ok(change)
    }

    async fn upload(&self, file: &SiteFile) -> Result<(), Cause> {
        let key = objects::site_file(&file.path);
        self.store.upload_bytes(&key, Bytes::copy_from_slice(&file.bytes)).await?;
        fault::point!("site.object");
        Ok(())
    }

    async fn note(&self, state: &SiteState) -> Result<(), Cause> {
        self.store.upload_bytes(SITE_STATE, state.to_text().into()).await?;
        Ok(())
    }
}

/// The rank of the pages that link to all others.
const LAST: u8 = 3;

/// The rank of a path: a page comes after the files it links to.
fn place(path: &str) -> u8 {
    match path {
        "index.html" | "sitemap.xml" => LAST,
        path if !path.ends_with(".html") => 0,
        path if path.contains('/') => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_others_comes_after_them() {
        let paths = ["data/metrics.csv", "projects/a.html", "projects.html", "index.html"];
        assert_eq!(paths.map(place), [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn a_store_whose_folder_is_not_there_yet_has_no_site_and_takes_one() {
        let folder = tempfile::tempdir().unwrap();
        let url: StoreUrl = format!("file:{}/new/store", folder.path().display()).parse().unwrap();
        let store = SiteStore::open(&url, &S3Options::default()).await.unwrap();
        assert_eq!(store.state().await.unwrap(), None);
        let files = [SiteFile::new("index.html", "a")];
        let state = SiteState::new(Default::default(), &files);
        assert_eq!(store.put(&files, &state).await.unwrap().written, ["index.html"]);
        assert_eq!(store.state().await.unwrap(), Some(state));
    }

    #[tokio::test]
    async fn a_store_gets_what_changed_alone_and_what_was_cut_off_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let url: StoreUrl = format!("file:{}", folder.path().display()).parse().unwrap();
        let store = SiteStore::open(&url, &S3Options::default()).await.unwrap();
        let files = |texts: &[(&str, &str)]| -> Vec<SiteFile> {
            texts.iter().map(|(path, text)| SiteFile::new(*path, *text)).collect()
        };
        let put = async |texts: &[(&str, &str)]| {
            let files = files(texts);
            store.put(&files, &SiteState::new(Default::default(), &files)).await.unwrap()
        };
        assert_eq!(put(&[("index.html", "a"), ("projects/b.html", "b")]).await.written.len(), 2);
        let second = put(&[("index.html", "c"), ("projects/d.html", "b")]).await;
        assert_eq!(second.written, ["index.html", "projects/d.html"]);
        assert_eq!(second.removed, ["projects/b.html"]);
        assert!(put(&[("index.html", "c"), ("projects/d.html", "b")]).await.is_none());
        // A build that was killed has uploaded a page without a note.
        let state = store.state().await.unwrap().unwrap();
        let mut noted = state.clone();
        noted.files.remove("index.html");
        store.note(&noted).await.unwrap();
        std::fs::write(folder.path().join("public/site/index.html"), "x").unwrap();
        assert_eq!(put(&[("index.html", "c"), ("projects/d.html", "b")]).await.written, ["index.html"]);
        assert_eq!(store.state().await.unwrap().unwrap(), state);
        // Or it has noted what it was about to remove, and an unrelated object is there.
        let mut noted = state.clone();
        noted.files.insert("projects/old.html".into(), String::new());
        store.note(&noted).await.unwrap();
        for path in ["projects/old.html", "robots.txt"] {
            std::fs::write(folder.path().join("public/site").join(path), "x").unwrap();
        }
        let third = put(&[("index.html", "c"), ("projects/d.html", "b")]).await;
        assert_eq!((third.written, third.removed), (vec![], vec!["projects/old.html".into()]));
        assert!(folder.path().join("public/site/robots.txt").exists(), "it is somebody else's");
        let none = store.put(&[], &SiteState::default()).await.unwrap_err();
        assert!(none.to_string().contains("without a file"), "{none}");
        assert_eq!(store.state().await.unwrap().unwrap(), state);
    }
}
