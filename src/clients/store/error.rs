//! What can go wrong with a store, split by what a caller can do about it.

use std::error::Error;
use std::fmt;
use std::io;

use rustix::io::Errno;

use super::url::KeyProblem;

/// The name of the operation that reads an object for a caller that keeps it.
pub(super) const DOWNLOAD: &str = "download";
/// The name of the operation that only tests whether an object can be read.
pub(super) const OPEN: &str = "open";

use crate::clients::BoxedError;

/// The operation, and its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPlace {
    pub operation: &'static str,
    /// URL of the object or of the store; never with a secret.
    pub url: String,
}

impl ObjectPlace {
    /// The same object, where its copy is written to this machine's disk.
    pub(super) fn kept(&self) -> Self {
        Self { operation: "keep a copy of", url: self.url.clone() }
    }
}

impl fmt::Display for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} failed", self.operation, self.url)
    }
}

/// An operation on a store that failed. `detail` is the cause in words, for a reader who sees one
/// line only.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such object, bucket or directory.
    #[error("{at}: {detail}")]
    NotFound { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    /// The credentials (or the user) lack the right to do this, or are unknown.
    #[error("{at}: access denied: {detail}")]
    Denied { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    /// The bucket is in another region: `region`, if S3 names it.
    #[error("{at}: the bucket is in {}", .region.as_deref().unwrap_or("another region"))]
    WrongRegion { at: ObjectPlace, region: Option<String>, source: Option<BoxedError> },
    #[error("{at}: the credentials have expired: {detail}")]
    ExpiredCredentials { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    #[error("{at}: no usable credentials: {detail}")]
    NoCredentials { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    /// The service could not be reached, or the connection broke more often than it is retried.
    #[error("{at}: {detail}")]
    Network { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    #[error("{at}: timed out: {detail}")]
    Timeout { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    /// This machine's disk (or quota) is full.
    #[error("{at}: no space left on the disk: {detail}")]
    DiskFull { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    /// Another error of this machine's files.
    #[error("{at}: {detail}")]
    Local { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    /// The service, or the store itself, refuses the operation.
    #[error("{at}: refused: {detail}")]
    Refused { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    #[error("{at}: the key is not usable: {problem}")]
    BadKey { at: ObjectPlace, problem: KeyProblem },
    /// The object changed while it was read.
    #[error("{at}: the object changed while it was read")]
    Changed { at: ObjectPlace, source: Option<BoxedError> },
    /// What arrived is not what was sent.
    #[error("{at}: what arrived is not what was sent: {detail}")]
    Checksum { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    /// The object is larger than the caller allows.
    #[error("{at}: the object is larger than {max_bytes} bytes")]
    TooLarge { at: ObjectPlace, max_bytes: u64 },
}

impl StoreError {
    /// The operation, and its object.
    pub fn place(&self) -> &ObjectPlace {
        match self {
            Self::NotFound { at, .. }
            | Self::Denied { at, .. }
            | Self::WrongRegion { at, .. }
            | Self::ExpiredCredentials { at, .. }
            | Self::NoCredentials { at, .. }
            | Self::Network { at, .. }
            | Self::Timeout { at, .. }
            | Self::DiskFull { at, .. }
            | Self::Local { at, .. }
            | Self::Refused { at, .. }
            | Self::BadKey { at, .. }
            | Self::Changed { at, .. }
            | Self::Checksum { at, .. }
            | Self::TooLarge { at, .. } => at,
        }
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let s3 = self.place().url.starts_with("s3:");
        let hint = match self {
            Self::NotFound { .. } if s3 => "check the bucket's name and the prefix",
            Self::NotFound { .. } => "check the path",
            // Amazon's words, and Garage's.
            Self::Denied { detail, .. } | Self::Refused { detail, .. }
                if ["RequestTimeTooSkewed", "Date is too old"].iter().any(|word| detail.contains(word)) =>
            {
                "the clock of this machine is wrong: set it"
            }
            Self::Denied { detail, .. }
                if ["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "Invalid signature"]
                    .iter()
                    .any(|code| detail.contains(code)) =>
            {
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN: they do not fit together"
            }
            // The answer to a HEAD has no body that could say why.
            Self::Denied { detail, .. } if s3 && detail.starts_with("HTTP status") => {
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; if they are right, they lack \
                 s3:ListBucket on the bucket or s3:GetObject below the prefix, or the clock of this machine is wrong"
            }
            Self::Refused { detail, .. } if s3 && detail.starts_with("HTTP status") => {
                "the clock of this machine may be wrong, or AWS_REGION: merganser check DATASET says which"
            }
            Self::Denied { .. } if s3 => {
                "give the credentials s3:ListBucket on the bucket and s3:GetObject, s3:PutObject, \
                 s3:DeleteObject and s3:AbortMultipartUpload below the prefix"
            }
            Self::Denied { .. } => "give this user the right to read and write there",
            Self::WrongRegion { region: Some(region), .. } => {
                return Some(format!("set AWS_REGION={region}"));
            }
            Self::WrongRegion { region: None, .. } => "set AWS_REGION to the bucket's region",
            Self::ExpiredCredentials { .. } => "renew the credentials, then run again",
            Self::NoCredentials { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is given"
            }
            Self::Network { .. } | Self::Timeout { .. } => {
                "check the network and AWS_ENDPOINT_URL_S3, then run again"
            }
            Self::DiskFull { .. } => "make room on the disk, then run again",
            Self::Changed { .. } | Self::Checksum { .. } => "run again",
            Self::Local { .. } | Self::Refused { .. } | Self::BadKey { .. } | Self::TooLarge { .. } => {
                return None;
            }
        };
        Some(hint.to_owned())
    }

    /// True: the same call may succeed when made again later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Network { .. } | Self::Timeout { .. } | Self::Changed { .. } | Self::Checksum { .. }
        )
    }

    /// True: the error of a download concerns this object only, and others may well succeed.
    pub fn is_about_object(&self) -> bool {
        if ![DOWNLOAD, OPEN].contains(&self.place().operation) {
            return false;
        }
        let s3 = self.place().url.starts_with("s3:");
        match self {
            Self::NotFound { detail, .. } => !detail.contains("NoSuchBucket"),
            // With wrong keys or a wrong clock, every object is denied.
            Self::Denied { detail, .. } if s3 => {
                ["AccessDenied", "InvalidObjectState"].iter().any(|code| detail.contains(code))
                    && !detail.contains("Date is too old")
            }
            // Damage in transit would affect other objects too.
            Self::Denied { .. } | Self::Changed { .. } => true,
            Self::Local { source: Some(source), .. } => {
                let error = source.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
                let about_file = [Errno::LOOP, Errno::ISDIR, Errno::IO, Errno::STALE];
                about_file.iter().any(|errno| error == Some(errno.raw_os_error()))
            }
            _ => false,
        }
    }

    pub(super) fn from_io(at: ObjectPlace, error: io::Error) -> Self {
        use io::ErrorKind as K;
        let detail = error.to_string();
        let kind = error.kind();
        let source: Option<BoxedError> = Some(Box::new(error));
        match kind {
            K::NotFound => Self::NotFound { at, detail, source },
            K::PermissionDenied | K::ReadOnlyFilesystem => Self::Denied { at, detail, source },
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => Self::DiskFull { at, detail, source },
            _ => Self::Local { at, detail, source },
        }
    }

    pub(super) fn other_content(at: ObjectPlace, sha256: &str, expected: &str) -> Self {
        let detail = format!("its SHA-256 is {sha256}, and {expected} was read before");
        Self::Checksum { at, detail, source: None }
    }

    pub(super) fn refused(at: ObjectPlace, detail: impl Into<String>) -> Self {
        Self::Refused { at, detail: detail.into(), source: None }
    }
}

/// An error and its causes in one line; a cause that repeats the one before it is left out.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> ObjectPlace {
        ObjectPlace { operation: "upload", url: "file:/out/a.csv".into() }
    }

    #[test]
    fn a_full_disk_is_told_from_a_missing_right() {
        let full = StoreError::from_io(at(), io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(full, StoreError::DiskFull { .. }));
        assert!(full.hint().unwrap().contains("room"));
        assert!(full.source().is_some(), "the source is kept");
        assert!(full.to_string().starts_with("upload file:/out/a.csv failed: no space left"), "{full}");
        let denied = StoreError::from_io(at(), io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(matches!(denied, StoreError::Denied { .. }));
        assert!(!denied.is_transient());
    }

    #[test]
    fn what_is_said_of_one_object_is_told_from_what_is_said_of_all() {
        let place = |url: &str| ObjectPlace { operation: DOWNLOAD, url: url.into() };
        let io = |errno: Errno| {
            StoreError::from_io(place("dir:/in/a.zip"), io::Error::from_raw_os_error(errno.raw_os_error()))
        };
        for errno in [Errno::NOENT, Errno::ACCESS, Errno::LOOP, Errno::ISDIR, Errno::IO] {
            assert!(io(errno).is_about_object(), "{errno}");
        }
        for errno in [Errno::NOSPC, Errno::NOTCONN, Errno::MFILE] {
            assert!(!io(errno).is_about_object(), "{errno}");
        }
        let denied = |detail: &str| {
            let at = place("s3://bucket/a.zip");
            StoreError::Denied { at, detail: detail.into(), source: None }.is_about_object()
        };
        assert!(denied("Access Denied. (AccessDenied)") && denied("archived (InvalidObjectState)"));
        assert!(!denied("who are you? (InvalidAccessKeyId)") && !denied("HTTP status 403"));
        assert!(!StoreError::from_io(at(), io::Error::from(io::ErrorKind::NotFound)).is_about_object());
    }

    #[test]
    fn the_right_region_is_in_the_hint() {
        let error = StoreError::WrongRegion { at: at(), region: Some("eu-west-1".into()), source: None };
        assert_eq!(error.hint().unwrap(), "set AWS_REGION=eu-west-1");
        assert!(error.to_string().ends_with("the bucket is in eu-west-1"));
    }
}
