//! A folder of files on a web server: its page lists them, and an interrupted download resumes where it was.
//!
//! If the file has changed by then, which its ETag shows, the download starts again. Without an ETag, an interrupted
//! download always starts again.

mod sheets;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::{AsyncSeekExt, AsyncWriteExt, BufWriter};

use super::backoff;
use super::http::{Answering, Http, HttpError, HttpSetupError, HttpUrl};
use super::store::{Downloaded, Listing, ObjectInfo};
use crate::fault;
use crate::words::{hex, size};

pub use sheets::{SheetUrls, SheetUrlsError, WebSheets};

/// How long to wait for an answer to begin.
const BEGINS: Duration = Duration::from_secs(60);
/// The largest page of links that is read, in bytes.
const PAGE_BYTES: usize = 8 << 20;
/// Files whose sizes are asked for at once.
const AT_ONCE: usize = 8;
/// How many tries in a row may bring nothing.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often a file may change while it is read.
const CHANGES: u32 = 3;

/// A folder of files. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WebFolder {
    http: Http,
}

/// An operation on a folder that failed; `at` is the address of the folder or of the file.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("{at}: {source}")]
    Http { at: String, source: HttpError },
    #[error("{at} changed {CHANGES} times while it was read")]
    Changing { at: String },
    #[error("{at}: {came} bytes came, and the server announced {announced}")]
    Short { at: String, came: u64, announced: u64 },
    #[error("{at}: the server sent a web page ({content_type}) instead of a sheet: does it need a login?")]
    Page { at: String, content_type: String },
    #[error("write {}", .path.display())]
    Local { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Setup(#[from] HttpSetupError),
}

impl WebError {
    /// True: the error concerns one file only, and others of the folder may well succeed.
    pub fn is_about_file(&self) -> bool {
        matches!(
            self,
            Self::Http { source: HttpError::Refused { .. } | HttpError::Elsewhere { .. }, .. }
                | Self::Changing { .. }
                | Self::Short { .. }
                | Self::Page { .. }
        )
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Http { source: HttpError::Unreachable, .. } => {
                "see that the address is right and the network is there"
            }
            Self::Http { source: HttpError::Refused { status: 404 | 410 }, .. } => {
                "look at the address with a browser: the folder's page names the files that are there"
            }
            Self::Http { source: HttpError::Refused { status: 401 | 403 | 407 }, .. } => {
                "check that the address is right and public: no name or password is sent there"
            }
            Self::Changing { .. } => "it is being written: run again later",
            Self::Page { .. } => {
                "publish the sheet as CSV, for everybody who has the link, and give that link"
            }
            Self::Local { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room on this machine's disk, or name another with --work-dir"
            }
            _ => return None,
        };
        Some(hint.into())
    }
}

/// Why a request did not complete a file.
enum WebHalt {
    /// Another try may resume where this one ended.
    Broken(HttpError),
    /// The file has changed.
    Changed,
    Failed(WebError),
}

impl From<HttpError> for WebHalt {
    fn from(source: HttpError) -> Self {
        Self::Broken(source)
    }
}

impl WebFolder {
    /// Prepares a client; opens nothing.
    ///
    /// # Errors
    /// If TLS cannot be prepared.
    pub fn open(url: &HttpUrl) -> Result<Self, WebError> {
        Ok(Self { http: Http::new(url.clone())? })
    }

    /// The files that the folder's page links to, by name, with their sizes where the server reports them.
    ///
    /// # Errors
    /// [`WebError::Http`] if the page cannot be had.
    pub async fn listing(&self) -> Result<Listing, WebError> {
        let page = self.page().await?;
        let names = names(&page, self.http.base());
        let files = stream::iter(names).map(|name| self.info(name)).buffered(AT_ONCE).collect().await;
        Ok(Listing { files, odd: Vec::new() })
    }

    async fn page(&self) -> Result<String, WebError> {
        let failed = |source| WebError::Http { at: format!("{}/", self.http.base()), source };
        let mut tried = 0;
        loop {
            let page = async {
                let mut answer = self.http.fetch("/", &[], BEGINS).await?;
                match answer.refusal() {
                    Some(refusal) => Err(refusal),
                    None => answer.bytes(PAGE_BYTES).await,
                }
            };
            tried += 1;
            match page.await {
                Ok(page) => return Ok(String::from_utf8_lossy(&page).into_owned()),
                Err(source) if source.may_pass() && tried < TRIES => wait(&source, tried).await,
                Err(source) => return Err(failed(source)),
            }
        }
    }

    async fn info(&self, name: String) -> ObjectInfo {
        let answer = self.http.head(&format!("/{name}"), BEGINS).await.ok();
        let answer = answer.filter(|answer| answer.status == 200);
        let size_bytes = answer.as_ref().and_then(|answer| answer.header("content-length")?.parse().ok());
        ObjectInfo { key: name, size_bytes: size_bytes.unwrap_or_default(), modified: None }
    }

    /// Asks whether a file is there.
    ///
    /// # Errors
    /// [`WebError::Http`] if it is not, or if nobody answers.
    pub async fn try_open(&self, name: &str) -> Result<(), WebError> {
        let failed = |source| WebError::Http { at: self.file(name).at, source };
        let answer = self.http.head(&format!("/{name}"), BEGINS).await.map_err(failed)?;
        answer.refusal().map_or(Ok(()), |refusal| Err(failed(refusal)))
    }

    fn file(&self, name: &str) -> WebFile<'_> {
        let at = format!("{}/{name}", self.http.base());
        WebFile { http: &self.http, path: format!("/{name}"), at, is_sheet: false }
    }

    /// Copies a file to the local file `to`, which appears when it is complete. `progress` is given the bytes that have
    /// come so far; they go back to 0 if the download starts again.
    ///
    /// # Errors
    /// [`WebError`]; the partial file is removed.
    pub async fn download(
        &self,
        name: &str,
        to: &Path,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Downloaded, WebError> {
        self.file(name).download(to, progress).await
    }
}

/// A file on a web server.
struct WebFile<'a> {
    http: &'a Http,
    /// Relative to the client's address; empty: the address itself.
    path: String,
    /// The address as messages show it.
    at: String,
    /// It is a sheet: an HTML page is not accepted as its content.
    is_sheet: bool,
}

impl WebFile<'_> {
    /// Copies it; see [`WebFolder::download`].
    async fn download(&self, to: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<Downloaded, WebError> {
        let mut local = LocalCopy::create(to, progress).await?;
        // A server that restarts the file each time must get further than ever before, or it is given up.
        let (mut tried, mut changes, mut furthest) = (0, 0, 0);
        loop {
            let source = match self.go_on(&mut local).await {
                Ok(()) => return local.finish(to).await,
                Err(WebHalt::Failed(error)) => return Err(error),
                Err(WebHalt::Changed) => {
                    changes += 1;
                    if changes >= CHANGES {
                        return Err(WebError::Changing { at: self.at.clone() });
                    }
                    tracing::warn!("{} is not the same file as before: its download starts again", self.at);
                    local.begin_anew().await?;
                    furthest = 0;
                    continue;
                }
                Err(WebHalt::Broken(source)) => source,
            };
            tried = if local.size_bytes > furthest { 1 } else { tried + 1 };
            furthest = furthest.max(local.size_bytes);
            if tried >= TRIES {
                return Err(WebError::Http { at: self.at.clone(), source });
            }
            match local.size_bytes {
                0 => tracing::info!("{}: {source}; it is asked again", self.at),
                bytes => tracing::info!("{}: {source}, after {}; it goes on there", self.at, size(bytes)),
            }
            wait(&source, tried).await;
        }
    }

    /// Is the answer a file?
    fn admit(&self, answer: &Answering) -> Result<(), WebError> {
        let content_type = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let is_page = ["text/html", "application/xhtml"].iter().any(|page| content_type.starts_with(page));
        match self.is_sheet && is_page {
            true => Err(WebError::Page { at: self.at.clone(), content_type }),
            false => Ok(()),
        }
    }

    /// Requests the missing rest of a file, and writes it.
    async fn go_on(&self, local: &mut LocalCopy<'_>) -> Result<(), WebHalt> {
        let range = format!("bytes={}-", local.size_bytes);
        let etag = local.etag.clone();
        let headers = match &etag {
            Some(etag) if local.size_bytes > 0 => vec![("range", range.as_str()), ("if-range", etag)],
            _ => Vec::new(),
        };
        let mut answer = self.http.fetch(&self.path, &headers, BEGINS).await?;
        match answer.status {
            200 => {
                self.admit(&answer).map_err(WebHalt::Failed)?;
                let is_other = local.size_bytes > 0 && etag.is_some() && etag != answer.strong_etag();
                if is_other {
                    return Err(WebHalt::Changed);
                }
                // The server ignores the range and sends the whole file.
                local.begin_anew().await.map_err(WebHalt::Failed)?;
                local.etag = answer.strong_etag();
                local.announced = answer.header("content-length").and_then(|length| length.parse().ok());
            }
            206 if local.is_continued_by(&answer) => {}
            // The file is now shorter than what has arrived, or has changed.
            206 | 412 | 416 => return Err(WebHalt::Changed),
            _ => {
                let source = answer.refusal().unwrap_or(HttpError::Broken);
                return Err(match source.may_pass() {
                    true => WebHalt::Broken(source),
                    false => WebHalt::Failed(WebError::Http { at: self.at.clone(), source }),
                });
            }
        }
        while let Some(chunk) = answer.chunk().await? {
            local.write(&chunk).await.map_err(WebHalt::Failed)?;
        }
        match local.announced {
            Some(announced) if announced != local.size_bytes => Err(WebHalt::Failed(WebError::Short {
                at: self.at.clone(),
                came: local.size_bytes,
                announced,
            })),
            _ => Ok(()),
        }
    }
}

async fn wait(source: &HttpError, tried: u32) {
    let asked = match source {
        HttpError::Busy { retry_after, .. } => retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    tokio::time::sleep(asked.max(backoff::pause(PAUSE, LONGEST_PAUSE, tried))).await;
}

/// The part of a file that has arrived so far.
struct LocalCopy<'a> {
    /// Removed if this is dropped before the file is complete.
    temp: TempPath,
    file: BufWriter<tokio::fs::File>,
    hash: Sha256,
    size_bytes: u64,
    /// Distinguishes this file from a later one of its name.
    etag: Option<String>,
    /// The total size in bytes that the server announced.
    announced: Option<u64>,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl<'a> LocalCopy<'a> {
    async fn create(to: &Path, progress: &'a (dyn Fn(u64) + Sync)) -> Result<Self, WebError> {
        let local = |source| WebError::Local { path: to.to_owned(), source };
        let folder = to.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let (file, temp) = NamedTempFile::new_in(folder).map_err(local)?.into_parts();
        let file = BufWriter::with_capacity(1 << 20, tokio::fs::File::from_std(file));
        Ok(Self { temp, file, hash: Sha256::new(), size_bytes: 0, etag: None, announced: None, progress })
    }

    fn local(&self, source: io::Error) -> WebError {
        WebError::Local { path: self.temp.to_path_buf(), source }
    }

    async fn begin_anew(&mut self) -> Result<(), WebError> {
        if self.size_bytes > 0 {
            // Rewinding waits for writes that are still under way.
            self.file.rewind().await.map_err(|error| self.local(error))?;
            self.file.get_mut().set_len(0).await.map_err(|error| self.local(error))?;
        }
        (self.hash, self.size_bytes) = (Sha256::new(), 0);
        (self.etag, self.announced) = (None, None);
        (self.progress)(0);
        Ok(())
    }

    /// Does the answer's part begin where this one ends, and belong to the same file?
    fn is_continued_by(&self, answer: &Answering) -> bool {
        let begins = answer.header("content-range").and_then(|range| {
            let (place, all) = range.strip_prefix("bytes ")?.split_once('/')?;
            let (first, _) = place.split_once('-')?;
            Some((first.parse::<u64>().ok()?, all.parse::<u64>().ok()))
        });
        let is_same = answer.strong_etag().is_none_or(|etag| Some(etag) == self.etag);
        is_same
            && begins.is_some_and(|(first, all)| {
                first == self.size_bytes
                    && (all.is_none() || self.announced.is_none() || all == self.announced)
            })
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), WebError> {
        self.file.write_all(chunk).await.map_err(|error| self.local(error))?;
        fault::point!("fetch.mid_file", |error| self.local(error));
        self.hash.update(chunk);
        self.size_bytes += chunk.len() as u64;
        (self.progress)(self.size_bytes);
        Ok(())
    }

    async fn finish(mut self, to: &Path) -> Result<Downloaded, WebError> {
        self.file.flush().await.map_err(|error| self.local(error))?;
        self.temp
            .persist(to)
            .map_err(|error| WebError::Local { path: to.to_owned(), source: error.error })?;
        Ok(Downloaded { size_bytes: self.size_bytes, sha256: hex(&self.hash.finalize()) })
    }
}

/// The names of the files in the folder that a page links to, sorted. Links to other places are left out.
fn names(page: &str, folder: &HttpUrl) -> Vec<String> {
    let lower = page.to_ascii_lowercase();
    let mut names = BTreeSet::new();
    for (at, found) in lower.match_indices("href=") {
        let rest = &page[at + found.len()..];
        let link = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => rest[1..].split(quote).next(),
            _ => rest.split(|c: char| c.is_whitespace() || c == '>').next(),
        };
        names.extend(link.and_then(|link| folder.file_of(link)));
    }
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_leads_to_the_files_of_its_folder() {
        let folder: HttpUrl = "https://example.org/datasets/".parse().unwrap();
        let page = "<A HREF='b.txt.gz'>b</A> <a class=x href=\"./a.txt.gz\">a</a> <a href=c.gz>c</a> \
            <a href=\"/datasets/d.gz\">d</a> <a href=\"https://example.org/datasets/e.gz\">e</a> \
            <a href=\"?C=M;O=A\">sort</a> <a href=\"../up.gz\">up</a> <a href=\"/elsewhere/f.gz\">f</a> \
            <a href=\"https://example.com/datasets/g.gz\">g</a> <a href=\"sub/h.gz\">h</a> <a href=\"/datasets/\">.</a> \
            <a href=\"i.gz?x=1\">i</a> <a href=\"b.txt.gz\">again</a> <a href=\"";
        assert_eq!(names(page, &folder), ["a.txt.gz", "b.txt.gz", "c.gz", "d.gz", "e.gz"]);
    }
}
