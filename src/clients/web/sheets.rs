//! Sheets with an address each. A spreadsheet that is published as CSV has such an address for each of its sheets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use super::{BEGINS, WebError, WebFile};
use crate::clients::http::{Http, HttpError, HttpUrl, HttpUrlError};
use crate::clients::store::{Downloaded, Listing, ObjectInfo};

/// The address of each sheet, by its name. Anybody who knows an address can read the sheet, so none is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetUrls(BTreeMap<String, HttpUrl>);

/// Why texts do not say where sheets are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SheetUrlsError {
    #[error("a sheet is given as FILE=URL, such as projects.csv=https://…")]
    Shape,
    #[error("{0} is given twice")]
    Twice(String),
    #[error("{name}: {source}")]
    Url { name: String, source: HttpUrlError },
}

impl SheetUrls {
    /// Reads texts of the form `FILE=URL`; one text may hold several, separated by blanks.
    ///
    /// # Errors
    /// Fails if a text has another form; the message repeats no address.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, SheetUrlsError> {
        let mut urls = BTreeMap::new();
        for text in texts.into_iter().flat_map(str::split_whitespace) {
            let (name, url) = text.split_once('=').ok_or(SheetUrlsError::Shape)?;
            if name.is_empty() || name.contains(['/', ':']) {
                return Err(SheetUrlsError::Shape);
            }
            let url = HttpUrl::of_file(url)
                .map_err(|source| SheetUrlsError::Url { name: name.to_owned(), source })?;
            if urls.insert(name.to_owned(), url).is_some() {
                return Err(SheetUrlsError::Twice(name.to_owned()));
            }
        }
        Ok(Self(urls))
    }

    /// The names of the sheets.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Host and port of the first.
    pub fn host(&self) -> Option<(&str, u16)> {
        self.0.values().next()?.host()
    }
}

/// `8 sheets at docs.example.org`.
impl fmt::Display for SheetUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: BTreeSet<_> = self.0.values().filter_map(HttpUrl::host).map(|(host, _)| host).collect();
        write!(f, "{} sheets at {}", self.0.len(), hosts.into_iter().collect::<Vec<_>>().join(", "))
    }
}

/// Sheets, each with a connection of its own. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WebSheets {
    sheets: BTreeMap<String, Http>,
}

impl WebSheets {
    /// Prepares clients; opens nothing.
    ///
    /// # Errors
    /// If TLS cannot be prepared.
    pub fn open(urls: &SheetUrls) -> Result<Self, WebError> {
        let open = |(name, url): (&String, &HttpUrl)| Ok((name.clone(), Http::of_file(url.clone())?));
        Ok(Self { sheets: urls.0.iter().map(open).collect::<Result<_, WebError>>()? })
    }

    /// The sheets. Their sizes are not known before they are downloaded.
    pub fn listing(&self) -> Listing {
        let file = |name: &String| ObjectInfo { key: name.clone(), size_bytes: 0, modified: None };
        Listing { files: self.sheets.keys().map(file).collect(), odd: Vec::new() }
    }

    /// Requests a sheet without reading its content.
    ///
    /// # Errors
    /// [`WebError`] if it does not come, or something else comes instead.
    pub async fn try_open(&self, name: &str) -> Result<(), WebError> {
        let file = self.file(name)?;
        let failed = |source| WebError::Http { at: file.at.clone(), source };
        // With GET rather than HEAD: some servers generate the sheet on request, and support nothing else.
        let answer = file.http.fetch("", &[], BEGINS).await.map_err(failed)?;
        answer.refusal().map_or_else(|| file.admit(&answer), |refusal| Err(failed(refusal)))
    }

    /// Copies a sheet; see [`WebFolder::download`](super::WebFolder::download).
    ///
    /// # Errors
    /// [`WebError`]; what came is gone then.
    pub async fn download(
        &self,
        name: &str,
        to: &Path,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Downloaded, WebError> {
        self.file(name)?.download(to, progress).await
    }

    fn file(&self, name: &str) -> Result<WebFile<'_>, WebError> {
        let gone = || WebError::Http { at: name.to_owned(), source: HttpError::Refused { status: 404 } };
        let http = self.sheets.get(name).ok_or_else(gone)?;
        let host = http.base().host().map(|(host, _)| host.to_owned()).unwrap_or_default();
        Ok(WebFile { http, path: String::new(), at: format!("{name} at {host}"), is_sheet: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sheet_has_an_address_that_is_shown_nowhere() {
        let given =
            "links.csv=https://docs.example.org/e/secret/pub?gid=1&output=csv  a.csv=http://127.0.0.1:1/a";
        let urls = SheetUrls::parse([given, "b.csv=https://docs.example.org/b#top"]).unwrap();
        assert_eq!(urls.names().collect::<Vec<_>>(), ["a.csv", "b.csv", "links.csv"]);
        assert_eq!(urls.to_string(), "3 sheets at 127.0.0.1, docs.example.org");
        for (bad, why) in [
            ("https://docs.example.org/secret", SheetUrlsError::Shape),
            ("https://docs.example.org/secret?output=csv", SheetUrlsError::Shape),
            (
                "a.csv=https://e.org b.csv=https://e.org a.csv=https://e.org",
                SheetUrlsError::Twice("a.csv".into()),
            ),
            (
                "a.csv=http://e.org/",
                SheetUrlsError::Url { name: "a.csv".into(), source: HttpUrlError::Scheme },
            ),
            (
                "a.csv=https://u:p@e.org/",
                SheetUrlsError::Url { name: "a.csv".into(), source: HttpUrlError::Parts },
            ),
        ] {
            assert_eq!(SheetUrls::parse([bad]), Err(why), "{bad}");
        }
    }
}
