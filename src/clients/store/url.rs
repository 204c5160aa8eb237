//! Where a store is ([`StoreUrl`]) and what names its objects (keys), both checked before any I/O.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// S3 refuses keys longer than this.
const KEY_BYTES_MAX: usize = 1024;

/// Where a store is.
///
/// - `file:PATH`: a directory to read and write; made on the first write. `file:///PATH` is the
///   same as `file:/PATH`. The path is taken literally; nothing in it is decoded.
/// - `dir:PATH`: a read-only directory, which must exist.
/// - `s3://BUCKET/PREFIX`: a bucket, or the part of it below a prefix.
///
/// A URL cannot carry credentials, so `Display` and `Debug` have none to show.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StoreUrl {
    Directory { path: PathBuf, read_only: bool },
    S3 { bucket: String, prefix: String },
}

/// Why a text is not the URL of a store. The text itself is never repeated: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    #[error("the location of a store starts with `file:`, `dir:` or `s3://`")]
    Scheme,
    #[error("the location of a store has no path")]
    NoPath,
    #[error("`file://` with a host name is not supported; write `file:PATH`")]
    FileHost,
    #[error("an `s3://` location carries no credentials, query or fragment; set them in the environment")]
    Extras,
    #[error("the bucket's name must have 3 to 63 characters from a-z, 0-9, `.` and `-`")]
    Bucket,
    #[error("the prefix is not usable: {0}")]
    Prefix(KeyProblem),
    #[error("the path holds a NUL character")]
    Nul,
}

/// Why a key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    #[error("it is empty")]
    Empty,
    #[error("it starts with `/`")]
    LeadingSlash,
    #[error("it has an empty segment (`//` or a `/` at its end)")]
    EmptySegment,
    #[error("it has a `.` or `..` segment")]
    Dots,
    #[error("it holds a control character")]
    Control,
    #[error("it is longer than 1024 bytes")]
    Long,
}

impl StoreUrl {
    /// The URL of an object, for messages.
    pub fn object(&self, key: &str) -> String {
        match (self, key) {
            (url, "") => url.to_string(),
            (Self::Directory { path, read_only }, key) => {
                let scheme = if *read_only { "dir" } else { "file" };
                format!("{scheme}:{}", path.join(key).display())
            }
            (url, key) => format!("{url}/{key}"),
        }
    }

    /// True: nothing can be written there (`dir:`).
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Directory { read_only: true, .. })
    }
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        if let Some(rest) = text.strip_prefix("s3://") {
            return parse_s3(rest);
        }
        let (path, read_only) = match (text.strip_prefix("file:"), text.strip_prefix("dir:")) {
            (Some(path), _) => (path, false),
            (_, Some(path)) => (path, true),
            _ => return Err(StoreUrlError::Scheme),
        };
        let path = match path.strip_prefix("//") {
            Some(local) if local.starts_with('/') => local,
            Some(_) => return Err(StoreUrlError::FileHost),
            None => path,
        };
        if path.is_empty() {
            return Err(StoreUrlError::NoPath);
        }
        if path.contains('\0') {
            return Err(StoreUrlError::Nul);
        }
        Ok(Self::Directory { path: Path::new(path).to_path_buf(), read_only })
    }
}

fn parse_s3(rest: &str) -> Result<StoreUrl, StoreUrlError> {
    if rest.contains(['@', '?', '#']) {
        return Err(StoreUrlError::Extras);
    }
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let usable = (3..=63).contains(&bucket.len())
        && bucket.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
        && end(bucket.chars().next())
        && end(bucket.chars().last())
        && !bucket.contains("..");
    if !usable {
        return Err(StoreUrlError::Bucket);
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty() {
        check_key(prefix).map_err(StoreUrlError::Prefix)?;
    }
    Ok(StoreUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path, read_only: false } => write!(f, "file:{}", path.display()),
            Self::Directory { path, read_only: true } => write!(f, "dir:{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// Refuses a key that could lead out of the store, or that one kind of store could not hold.
pub(super) fn check_key(key: &str) -> Result<(), KeyProblem> {
    if key.is_empty() {
        return Err(KeyProblem::Empty);
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(KeyProblem::Long);
    }
    if key.starts_with('/') {
        return Err(KeyProblem::LeadingSlash);
    }
    // Control characters (NUL above all) end a path early or forge a line of a log.
    if key.chars().any(char::is_control) {
        return Err(KeyProblem::Control);
    }
    for segment in key.split('/') {
        match segment {
            "" => return Err(KeyProblem::EmptySegment),
            "." | ".." => return Err(KeyProblem::Dots),
            _ => {}
        }
    }
    Ok(())
}

/// A folder to list: empty for the whole store, else a key; one `/` at its end is allowed.
/// Returns it without that `/`.
pub(super) fn check_prefix(prefix: &str) -> Result<&str, KeyProblem> {
    if prefix.is_empty() {
        return Ok("");
    }
    let folder = prefix.strip_suffix('/').unwrap_or(prefix);
    check_key(folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_parsed_and_shown() {
        for (text, shown) in [
            ("file:out", "file:out"),
            ("file:/srv/out/", "file:/srv/out/"),
            ("file:///srv/out", "file:/srv/out"),
            ("dir:../in box", "dir:../in box"),
            ("s3://my-bucket", "s3://my-bucket"),
            ("s3://my-bucket/", "s3://my-bucket"),
            ("s3://my.bucket/a/b/", "s3://my.bucket/a/b"),
        ] {
            assert_eq!(text.parse::<StoreUrl>().unwrap().to_string(), shown, "{text}");
        }
        let url: StoreUrl = "s3://buck/a".parse().unwrap();
        assert_eq!(url.object("x/y.csv"), "s3://buck/a/x/y.csv");
        assert_eq!("dir:/in".parse::<StoreUrl>().unwrap().object("a.zip"), "dir:/in/a.zip");
    }

    #[test]
    fn bad_locations_are_refused_and_not_repeated() {
        use StoreUrlError as E;
        for (text, problem) in [
            ("/srv/out", E::Scheme),
            ("http://sesame", E::Scheme),
            ("file:", E::NoPath),
            ("file://host/share", E::FileHost),
            ("dir:a\0b", E::Nul),
            ("s3://AKIA:sesame@bucket/x", E::Extras),
            ("s3://bucket/x?token=sesame", E::Extras),
            ("s3://", E::Bucket),
            ("s3://Bucket", E::Bucket),
            ("s3://-bucket", E::Bucket),
            ("s3://a..b", E::Bucket),
            ("s3://bucket//x", E::Prefix(KeyProblem::LeadingSlash)),
            ("s3://bucket/a//x", E::Prefix(KeyProblem::EmptySegment)),
            ("s3://bucket/../x", E::Prefix(KeyProblem::Dots)),
        ] {
            let error = text.parse::<StoreUrl>().unwrap_err();
            assert_eq!(error, problem, "{text}");
            assert!(!error.to_string().contains("sesame"));
        }
    }

    #[test]
    fn keys_that_leave_the_store_are_refused() {
        use KeyProblem as P;
        for (key, problem) in [
            ("", P::Empty),
            ("/a", P::LeadingSlash),
            ("a//b", P::EmptySegment),
            ("a/", P::EmptySegment),
            ("..", P::Dots),
            ("a/../b", P::Dots),
            ("./a", P::Dots),
            ("a\0b", P::Control),
            ("a\nb", P::Control),
        ] {
            assert_eq!(check_key(key), Err(problem), "{key:?}");
        }
        assert_eq!(check_key(&"a".repeat(1025)), Err(P::Long));
        assert_eq!(check_key("a/b..c/…/.d e.csv"), Ok(()));
        assert_eq!(check_prefix("a/b/"), Ok("a/b"));
        assert_eq!(check_prefix("/"), Err(P::Empty));
    }
}
