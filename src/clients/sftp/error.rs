//! What can go wrong with an SFTP source, split by what a caller can do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::options::Secret;
use crate::clients::store::ObjectPlace;

use crate::clients::BoxedError;

/// An operation on an SFTP source that failed. What a server says is repeated without control
/// characters and cut; no password, key or passphrase is.
#[derive(Debug, thiserror::Error)]
pub enum SftpError {
    /// No server answers there: the name is unknown, the port is closed, nothing comes back.
    #[error("{at}: the server cannot be reached: {source}")]
    Unreachable { at: ObjectPlace, source: io::Error },
    /// The connection broke more often than it is made again.
    #[error("{at}: the connection broke: {detail}")]
    Lost { at: ObjectPlace, detail: String },
    /// The server's key is not the expected one. Nothing secret was sent.
    #[error("{at}: {problem}")]
    HostKey { at: ObjectPlace, problem: Box<HostKeyProblem> },
    /// The private key cannot be used. Nothing was sent.
    #[error("the private key of MERGANSER_SFTP_KEY {detail}")]
    PrivateKey { detail: String, source: Option<BoxedError> },
    /// The server does not let this user in.
    #[error("{at}: the server refuses the login: tried {tried}; it allows {allowed}")]
    Auth { at: ObjectPlace, tried: String, allowed: String, note: Option<&'static str> },
    #[error("{at}: there is no such folder{}", LoginFolder(.login_folder))]
    NoSuchDirectory { at: ObjectPlace, login_folder: Option<String> },
    /// Most likely a file that was listed and has been removed since.
    #[error("{at}: there is no such file")]
    NoSuchFile { at: ObjectPlace },
    #[error("{at}: access denied: {detail}")]
    Denied { at: ObjectPlace, detail: String },
    /// The server says that it cannot give this file.
    #[error("{at}: {detail}")]
    Unreadable { at: ObjectPlace, detail: String },
    /// The file changed while it was read.
    #[error("{at}: the file changed while it was read ({detail}): it is still being written")]
    Changed { at: ObjectPlace, detail: String },
    #[error("{at}: timed out: {step} within {}", seconds(.limit))]
    Timeout { at: ObjectPlace, step: &'static str, limit: Duration },
    /// The server violates the SSH or SFTP protocol, or shares no algorithm with us.
    #[error("{at}: {detail}")]
    Protocol { at: ObjectPlace, detail: String, source: Option<BoxedError> },
    /// An error of a file on this machine.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io { operation: &'static str, path: PathBuf, source: io::Error },
}

/// Why a server's key is not accepted.
#[derive(Debug)]
pub enum HostKeyProblem {
    /// No file has a key of the server.
    Unknown { offered: HostKey, looked_in: Vec<PathBuf> },
    /// The files have only other keys of it.
    Changed { offered: HostKey, expected: Vec<KnownKey>, looked_in: Vec<PathBuf> },
    /// It is not one of the pinned keys.
    NotPinned { offered: HostKey, expected: Vec<String> },
    /// A file says that it must not be taken any more.
    Revoked { offered: HostKey, place: String },
}

/// A key as people compare and enter it.
#[derive(Clone, Debug)]
pub struct HostKey {
    /// `SHA256:…`
    pub fingerprint: String,
    /// `ssh-ed25519`, `ssh-rsa`, …
    pub algorithm: String,
    /// The line of a file of known hosts that would make it known.
    pub line: String,
}

/// A key in a file of known hosts.
#[derive(Clone, Debug)]
pub struct KnownKey {
    pub fingerprint: String,
    pub algorithm: String,
    /// File and line.
    pub place: String,
}

impl SftpError {
    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { .. } => {
                "check the host's name, the port and the firewall; the server may let in known addresses only"
            }
            Self::HostKey { problem, .. } => return Some(problem.hint()),
            Self::PrivateKey { .. } => {
                "MERGANSER_SFTP_KEY is the path of a private key or its whole text, \
                 MERGANSER_SFTP_KEY_PASSPHRASE its passphrase"
            }
            Self::Auth { note: Some(note), .. } => note,
            Self::Auth { .. } => {
                "check the user and SFTP_PSWD or MERGANSER_SFTP_KEY; the sender may have to enter the public key, \
                 or may have closed the account"
            }
            Self::NoSuchDirectory { .. } => {
                "sftp://USER@HOST/DIR is taken from the server's root, sftp://USER@HOST/~/DIR (and SFTP_DIR without \
                 a / at its beginning) from the login folder"
            }
            Self::NoSuchFile { .. } => "it was there when the folder was listed: run again",
            Self::Denied { .. } => "ask the sender for the right to read there, or check the folder's name",
            Self::Changed { .. } => "wait for the next run, which takes it",
            Self::Lost { .. } | Self::Timeout { .. } => {
                "run again; if it stays so, check the network and ask the sender about the server"
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room on the disk, or name another folder with --work-dir"
            }
            Self::Unreadable { .. } => "ask the sender about this file",
            Self::Protocol { .. } | Self::Io { .. } => return None,
        };
        Some(hint.to_owned())
    }

    /// True: it is about one file alone, and others may well come.
    pub fn is_about_file(&self) -> bool {
        match self {
            Self::NoSuchFile { .. } | Self::Unreadable { .. } | Self::Changed { .. } => true,
            Self::Denied { at, .. } => at.operation != "list",
            _ => false,
        }
    }

    /// True: the same call may succeed when made again later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Lost { .. } | Self::Timeout { .. } | Self::Changed { .. }
        )
    }
}

impl HostKeyProblem {
    fn hint(&self) -> String {
        match self {
            Self::Unknown { offered, looked_in } => format!(
                "ask the sender for the fingerprint; if it is the offered one, add this line to {}:\n    {}\n  \
                 or set MERGANSER_SFTP_HOST_KEY={}",
                first(looked_in),
                offered.line,
                offered.fingerprint
            ),
            Self::Changed { offered, expected, looked_in } => {
                let places: Vec<_> = expected.iter().map(|key| key.place.as_str()).collect();
                format!(
                    "somebody may be between us and the server: ask the sender whether the key was changed. If it \
                     was, remove {} and add this line to {}:\n    {}",
                    places.join(", "),
                    first(looked_in),
                    offered.line
                )
            }
            Self::NotPinned { offered, .. } => format!(
                "somebody may be between us and the server: ask the sender for the fingerprint. If it is the \
                 offered one, set MERGANSER_SFTP_HOST_KEY={}, or unset it and add this line to the file of known \
                 hosts:\n    {}",
                offered.fingerprint, offered.line
            ),
            Self::Revoked { .. } => "ask the sender for the server's new key".into(),
        }
    }
}

impl fmt::Display for HostKeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { offered, looked_in } => {
                let files: Vec<_> = looked_in.iter().map(|path| path.display().to_string()).collect();
                let files = if files.is_empty() { "there is no file".into() } else { files.join(" and ") };
                write!(f, "the server is not known: no key is expected ({files}), offered is {offered}")
            }
            Self::Changed { offered, expected, .. } => {
                let expected: Vec<_> = expected.iter().map(KnownKey::to_string).collect();
                write!(
                    f,
                    "the server has ANOTHER KEY: expected is {}, offered is {offered}",
                    expected.join(" or ")
                )
            }
            Self::NotPinned { offered, expected } => write!(
                f,
                "the server's key is not the pinned one: expected is {} (MERGANSER_SFTP_HOST_KEY), offered is \
                 {offered}",
                expected.join(" or ")
            ),
            Self::Revoked { offered, place } => {
                write!(f, "the server's key is revoked ({place}): offered is {offered}")
            }
        }
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.fingerprint, self.algorithm)
    }
}

impl fmt::Display for KnownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.fingerprint, self.algorithm, self.place)
    }
}

struct LoginFolder<'a>(&'a Option<String>);

impl fmt::Display for LoginFolder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(folder) => write!(f, " (the login folder is {folder})"),
            None => Ok(()),
        }
    }
}

/// A time limit as people write it.
fn seconds(limit: &Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}

fn first(paths: &[PathBuf]) -> String {
    paths.first().map_or("the file of known hosts".into(), |path| path.display().to_string())
}

/// What a server said, fit for a line of a log: no control characters, not long.
pub(super) fn said(text: &str) -> String {
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    if text.is_empty() { "(no reason given)".into() } else { text }
}

/// What may be wrong with a password that a server refuses, without revealing any of it.
pub(super) fn password_note(password: &Secret) -> Option<&'static str> {
    let text = password.reveal();
    (text.trim() != text).then_some(
        "the password begins or ends with a blank or a line break: a secret made from a file often does",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> ObjectPlace {
        ObjectPlace { operation: "list", url: "sftp://u@host/d".into() }
    }

    fn offered() -> HostKey {
        HostKey {
            fingerprint: "SHA256:new".into(),
            algorithm: "ssh-ed25519".into(),
            line: "host ssh-ed25519 AAAA".into(),
        }
    }

    #[test]
    fn a_changed_key_shows_both_fingerprints_and_the_line_to_add() {
        let known = KnownKey {
            fingerprint: "SHA256:old".into(),
            algorithm: "ssh-ed25519".into(),
            place: "/kh:3".into(),
        };
        let looked_in = vec![PathBuf::from("/kh")];
        let problem = HostKeyProblem::Changed { offered: offered(), expected: vec![known], looked_in };
        let error = SftpError::HostKey { at: at(), problem: Box::new(problem) };
        assert_eq!(
            error.to_string(),
            "list sftp://u@host/d failed: the server has ANOTHER KEY: expected is SHA256:old (ssh-ed25519, /kh:3), \
             offered is SHA256:new (ssh-ed25519)"
        );
        let hint = error.hint().unwrap();
        assert!(hint.contains("remove /kh:3 and add this line to /kh:\n    host ssh-ed25519 AAAA"), "{hint}");
        assert!(!error.is_transient());
    }

    #[test]
    fn limits_and_words_of_a_server_read_well() {
        let limit = Duration::from_millis(1500);
        let error = SftpError::Timeout { at: at(), step: "no byte came", limit };
        assert_eq!(error.to_string(), "list sftp://u@host/d failed: timed out: no byte came within 1.5 s");
        assert_eq!(said("no\r\n\x1b[31mway\n"), "no   [31mway");
        assert_eq!((said(" \n").as_str(), said(&"x".repeat(999)).len()), ("(no reason given)", 200));
    }

    #[test]
    fn a_password_with_a_line_break_is_hinted_at_and_not_shown() {
        let note = password_note(&Secret::from("sesame\n")).unwrap();
        assert!(!note.contains("sesame") && password_note(&Secret::from("sesame")).is_none());
    }
}
