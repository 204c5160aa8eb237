//! The site in the store: changed objects alone, files before the pages that lead to them, the first page last of all, and what
//! is gone taken away at the end: of what a build has put there, and nothing else. What is being changed is noted first, so that
//! a build after one that was killed writes it again, or takes it away.

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

/// What a browser and what stands between may keep, and for how long: for five minutes, then it asks whether it is the same.
const CACHE: &str = "public, max-age=300, must-revalidate";
/// Objects on their way at once.
const AT_ONCE: usize = 8;
/// A note of more is none of ours.
const STATE_BYTES_MAX: u64 = 64 << 20;

/// A store with a site in it.
pub struct SiteStore {
    store: Store,
}

impl SiteStore {
    /// Opens it; nothing is asked yet.
    ///
    /// # Errors
    /// What is wrong with the settings of S3.
    pub async fn open(url: &StoreUrl, s3: &S3Options) -> Result<Self, Cause> {
        let s3 = S3Options { cache_control: Some(CACHE.into()), ..s3.clone() };
        Ok(Self { store: Store::open(url, &s3).await? })
    }

    /// What the last build that came so far has noted; `None`: there was none.
    ///
    /// # Errors
    /// What the store says, but that there is no such object.
    pub async fn state(&self) -> Result<Option<SiteState>, Cause> {
        // A store of which not even the folder is there yet has none either.
        if self.store.head(SITE_STATE).await?.is_none() {
            return Ok(None);
        }
        match self.store.read_bytes(SITE_STATE, STATE_BYTES_MAX).await {
            Ok(text) => Ok(SiteState::parse(&text)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts the site there.
    ///
    /// # Errors
    /// What the store says. Pages that were put are new then, and those that were not are old; the next build goes on.
    pub async fn put(&self, files: &[SiteFile], state: &SiteState) -> Result<SiteChange, Cause> {
        if files.is_empty() {
            let message = "a site without a file is not put into the store".to_owned();
            return Err(Cause::Refused { message, hint: None });
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
        // What nobody has noted was put there by somebody else.
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
        // Whoever finds this note has no site yet.
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
            // Of either site anything may be there now: all of it is written again.
            noted.files.values_mut().for_each(String::clear);
            self.note(&noted).await?;
            return Err(Cause::Refused {
                message: "another build has put a site into the store at the same time".to_owned(),
                hint: Some(
                    "a store is for one ledger and one site: build again when the other is over".into(),
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

/// The place of the pages that lead to all others.
const LAST: u8 = 3;

/// What leads to others comes after them.
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
        // A build that was killed has put a page of which no note was made.
        let state = store.state().await.unwrap().unwrap();
        let mut noted = state.clone();
        noted.files.remove("index.html");
        store.note(&noted).await.unwrap();
        std::fs::write(folder.path().join("public/site/index.html"), "x").unwrap();
        assert_eq!(put(&[("index.html", "c"), ("projects/d.html", "b")]).await.written, ["index.html"]);
        assert_eq!(store.state().await.unwrap().unwrap(), state);
        // Or has noted what it was about to take away, and something lies there that is nobody's.
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
