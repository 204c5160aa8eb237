//! Where new files come from: a store, an SFTP server, a folder of a web server, or sheets with an address each, behind
//! the same operations.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::git::{GitError, GitFolder};
use super::http::{HttpUrl, HttpUrlError};
use super::sftp::{Sftp, SftpError, SftpOptions, SftpUrl, SftpUrlError};
use super::store::{Downloaded, Listing, ObjectInfo, S3Options, Store, StoreError, StoreUrl, StoreUrlError};
use super::web::{SheetUrls, WebError, WebFolder, WebSheets};

/// The location of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceUrl {
    Store(StoreUrl),
    Sftp(SftpUrl),
    Web(HttpUrl),
    /// Clones of git on this machine.
    Git(GitFolder),
    Sheets(SheetUrls),
}

/// Why a text is not the location of a source. The text itself is never repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceUrlError {
    #[error("the location of a source starts with `sftp://`, `dir:`, `file:` or `s3://`")]
    Scheme,
    #[error(transparent)]
    Store(#[from] StoreUrlError),
    #[error(transparent)]
    Sftp(#[from] SftpUrlError),
    #[error(transparent)]
    Web(#[from] HttpUrlError),
}

/// An operation on a source that failed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sftp(#[from] SftpError),
    #[error(transparent)]
    Web(#[from] WebError),
    #[error(transparent)]
    Git(#[from] GitError),
}

/// A source of files. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Source {
    Store(Store),
    Sftp(Sftp),
    Web(WebFolder),
    Git(GitFolder),
    Sheets(WebSheets),
}

impl SourceUrl {
    /// Reads a location; `env` gives what it may leave open (`SFTP_USER`).
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, SourceUrlError> {
        if text.trim_start().starts_with("sftp:") {
            return Ok(Self::Sftp(SftpUrl::parse(text, env)?));
        }
        match text.parse() {
            Ok(url) => Ok(Self::Store(url)),
            Err(StoreUrlError::Scheme) => Err(SourceUrlError::Scheme),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the location of files that hold what a service could be asked for: a folder of a web server, or of a store.
    pub fn of_files(text: &str) -> Result<Self, SourceUrlError> {
        let text = text.trim();
        match text.starts_with("https:") || text.starts_with("http:") {
            true => Ok(Self::Web(text.parse()?)),
            false => Self::parse(text, &|_| None),
        }
    }

    /// True: the sender's own server, which keeps files for a while only.
    pub fn is_feed(&self) -> bool {
        matches!(self, Self::Sftp(_))
    }

    /// True: it keeps its files forever and can be read again, so that the archive needs no copy.
    pub fn is_archive(&self) -> bool {
        matches!(self, Self::Git(_))
    }
}

impl FromStr for SourceUrl {
    type Err = SourceUrlError;

    /// Reads the text alone, without the environment.
    fn from_str(text: &str) -> Result<Self, SourceUrlError> {
        Self::parse(text, &|_| None)
    }
}

impl From<StoreUrl> for SourceUrl {
    fn from(url: StoreUrl) -> Self {
        Self::Store(url)
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(url) => url.fmt(f),
            Self::Sftp(url) => url.fmt(f),
            Self::Web(url) => url.fmt(f),
            Self::Git(folder) => folder.fmt(f),
            Self::Sheets(urls) => urls.fmt(f),
        }
    }
}

impl SourceError {
    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Sftp(error) => error.hint(),
            Self::Web(error) => error.hint(),
            Self::Git(error) => error.hint(),
        }
    }
}

impl SourceError {
    /// True: the error concerns one file only, and others may well succeed. Any other error (a connection, a login,
    /// this machine's disk) would affect them too.
    pub fn is_about_file(&self) -> bool {
        match self {
            Self::Store(error) => error.is_about_object(),
            Self::Sftp(error) => error.is_about_file(),
            Self::Web(error) => error.is_about_file(),
            Self::Git(error) => error.is_about_file(),
        }
    }
}

impl Source {
    /// Opens a source. Neither a server nor a bucket is asked yet; keys, profiles and files of known
    /// hosts are read.
    pub async fn open(url: &SourceUrl, s3: &S3Options, sftp: &SftpOptions) -> Result<Self, SourceError> {
        Ok(match url {
            SourceUrl::Store(url) => Self::Store(Store::open(url, s3).await?),
            SourceUrl::Sftp(url) => Self::Sftp(Sftp::open(url, sftp)?),
            SourceUrl::Web(url) => Self::Web(WebFolder::open(url)?),
            SourceUrl::Git(folder) => Self::Git(folder.clone()),
            SourceUrl::Sheets(urls) => Self::Sheets(WebSheets::open(urls)?),
        })
    }

    /// The same as [`list_names`](Self::list_names), together with the names there that cannot be read as files.
    pub async fn listing(&self, folder: &str) -> Result<Listing, SourceError> {
        Ok(match self {
            Self::Store(store) => store.listing(folder).await?,
            Self::Sftp(sftp) => sftp.listing(folder).await?,
            // It has no subfolders.
            Self::Web(web) => web.listing().await?,
            Self::Git(folder) => folder.listing().await?,
            Self::Sheets(sheets) => sheets.listing(),
        })
    }

    /// Opens a file and reads its first byte, if it has one.
    pub async fn try_open(&self, name: &str) -> Result<(), SourceError> {
        match self {
            Self::Store(store) => store.try_open(name).await?,
            Self::Sftp(sftp) => sftp.try_open(name).await?,
            Self::Web(web) => web.try_open(name).await?,
            // It was opened when it was listed.
            Self::Git(_) => {}
            Self::Sheets(sheets) => sheets.try_open(name).await?,
        }
        Ok(())
    }

    /// The files directly in a folder (`""`: in the source itself), by name.
    pub async fn list_names(&self, folder: &str) -> Result<Vec<ObjectInfo>, SourceError> {
        Ok(match self {
            Self::Store(store) => store.list_names(folder).await?,
            Self::Sftp(sftp) => sftp.list_names(folder).await?,
            Self::Web(web) => web.listing().await?.files,
            Self::Git(folder) => folder.listing().await?.files,
            Self::Sheets(sheets) => sheets.listing().files,
        })
    }

    /// Copies a file to the local file `to`, which appears once it is known to be complete. `progress` is
    /// given the bytes that have come so far; they go back to 0 if the download starts again.
    pub async fn download(
        &self,
        name: &str,
        to: &Path,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Downloaded, SourceError> {
        Ok(match self {
            Self::Store(store) => store.download(name, to, progress).await?,
            Self::Sftp(sftp) => sftp.download(name, to, progress).await?,
            Self::Web(web) => web.download(name, to, progress).await?,
            Self::Git(folder) => folder.download(name, to, progress).await?,
            Self::Sheets(sheets) => sheets.download(name, to, progress).await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_says_what_a_source_is() {
        for (text, is_feed) in [("dir:/in", false), ("s3://bucket/x", false), ("sftp://u@host/d", true)] {
            let url: SourceUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.is_feed()), (text, is_feed));
        }
        assert_eq!("ftp://host".parse::<SourceUrl>(), Err(SourceUrlError::Scheme));
        assert_eq!("sftp:host".parse::<SourceUrl>(), Err(SftpUrlError::Scheme.into()));
        let web = SourceUrl::of_files("https://example.org/datasets/").unwrap();
        assert_eq!((web.to_string().as_str(), web.is_feed()), ("https://example.org/datasets", false));
        assert!(matches!(SourceUrl::of_files("http://example.org/"), Err(SourceUrlError::Web(_))));
        assert!(matches!(SourceUrl::of_files("dir:/in"), Ok(SourceUrl::Store(_))));
        assert_eq!("dir:".parse::<SourceUrl>(), Err(StoreUrlError::NoPath.into()));
    }
}
