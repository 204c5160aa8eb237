//! Which server is the right one: the keys that files of known hosts hold for it, or pinned
//! fingerprints. Nothing secret is sent before its key is accepted here.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hmac::{Hmac, KeyInit, Mac};
use russh::Preferred;
use russh::keys::ssh_key::Fingerprint;
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::{Algorithm, HashAlg, PublicKey};
use sha1::Sha1;

use super::error::{HostKey, HostKeyProblem, KnownKey, SftpError};
use super::options::SftpOptions;
use super::url::SftpUrl;

const SYSTEM_FILE: &str = "/etc/ssh/ssh_known_hosts";

/// What is known of one server.
#[derive(Debug)]
pub(super) struct HostKeys {
    /// As files of known hosts name the server.
    name: String,
    pins: Vec<Fingerprint>,
    known: Mutex<Vec<Known>>,
    /// The files that were searched; a new key is added to the first one.
    files: Vec<PathBuf>,
    enters_new: bool,
}

/// A line that is about the server.
#[derive(Clone, Debug)]
struct Known {
    key: PublicKey,
    revoked: bool,
    /// File and line, for messages.
    place: String,
}

/// Why a key is not accepted.
#[derive(Debug)]
pub(super) enum Refusal {
    Key(Box<HostKeyProblem>),
    /// A new key should have been added to the file, but could not be.
    NotEntered(SftpError),
}

impl HostKeys {
    /// Reads the files of known hosts: the one that is named, else the user's and the system's.
    pub fn load(url: &SftpUrl, options: &SftpOptions) -> Result<Self, SftpError> {
        let name = url.known_hosts_name();
        let files = match (&options.known_hosts, &options.home) {
            (Some(path), _) => vec![path.clone()],
            (None, Some(home)) => vec![home.join(".ssh/known_hosts"), SYSTEM_FILE.into()],
            (None, None) => vec![SYSTEM_FILE.into()],
        };
        // A named file that does not exist is a mistake, unless it is about to be created.
        let may_miss =
            options.known_hosts.is_none() || options.trust_on_first_use || !options.host_keys.is_empty();
        let mut known = Vec::new();
        for path in &files {
            match fs::read(path) {
                Ok(bytes) => read_lines(path, &String::from_utf8_lossy(&bytes), &name, &mut known),
                Err(e) if may_miss && is_missing(&e) => {}
                Err(source) => {
                    let (operation, path) = ("read the file of known hosts", path.clone());
                    return Err(SftpError::Io { operation, path, source });
                }
            }
        }
        let pins = options.host_keys.clone();
        let enters_new = options.trust_on_first_use && !options.only_looks;
        Ok(Self { name, pins, known: Mutex::new(known), files, enters_new })
    }

    /// True: another key of the same server may be the one that is pinned.
    pub fn may_have_another(&self) -> bool {
        !self.pins.is_empty()
    }

    /// The kinds of key to ask the server for, those that are known first; without those in `except`.
    pub fn algorithms(&self, except: &[Algorithm]) -> Vec<Algorithm> {
        let all = Preferred::DEFAULT.key;
        let mut wanted = Vec::new();
        let known = self.known.lock().expect("no panic while it is held");
        for key in known.iter().filter(|known| !known.revoked) {
            wanted.extend(all.iter().filter(|a| same_kind(a, &key.key.algorithm())).cloned());
        }
        wanted.extend(all.iter().cloned());
        let mut unique = Vec::new();
        for algorithm in wanted {
            if !unique.contains(&algorithm) && !except.iter().any(|e| same_kind(e, &algorithm)) {
                unique.push(algorithm);
            }
        }
        unique
    }

    /// Accepts the key that the server offers, or says why not. A server that is not known is entered
    /// in the file if that was asked for.
    pub fn check(&self, key: &PublicKey) -> Result<(), Refusal> {
        let offered = self.describe(key);
        let mut known = self.known.lock().expect("no panic while it is held");
        let same = |known: &&Known| known.key.key_data() == key.key_data();
        if let Some(revoked) = known.iter().filter(|known| known.revoked).find(same) {
            return Err(HostKeyProblem::Revoked { offered, place: revoked.place.clone() }.into());
        }
        if !self.pins.is_empty() {
            return match self.pins.contains(&key.fingerprint(HashAlg::Sha256)) {
                true => Ok(()),
                false => {
                    let expected = self.pins.iter().map(Fingerprint::to_string).collect();
                    Err(HostKeyProblem::NotPinned { offered, expected }.into())
                }
            };
        }
        let valid: Vec<&Known> = known.iter().filter(|known| !known.revoked).collect();
        if valid.iter().any(same) {
            return Ok(());
        }
        let looked_in = self.files.clone();
        if !valid.is_empty() {
            let expected = valid.iter().map(|known| known.describe()).collect();
            return Err(HostKeyProblem::Changed { offered, expected, looked_in }.into());
        }
        let Some(path) = self.files.first().filter(|_| self.enters_new) else {
            return Err(HostKeyProblem::Unknown { offered, looked_in }.into());
        };
        append(path, &offered.line).map_err(|source| {
            let operation = "enter the server's key in the file of known hosts";
            Refusal::NotEntered(SftpError::Io { operation, path: path.clone(), source })
        })?;
        tracing::warn!(
            "the key of {} was not known; it is trusted because of --sftp-trust-on-first-use and now in {}: {offered}",
            self.name,
            path.display()
        );
        known.push(Known { key: key.clone(), revoked: false, place: path.display().to_string() });
        Ok(())
    }

    fn describe(&self, key: &PublicKey) -> HostKey {
        let mut bare = key.clone();
        bare.set_comment("");
        HostKey {
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            algorithm: key.algorithm().to_string(),
            line: format!("{} {}", self.name, bare.to_openssh().unwrap_or_default()),
        }
    }
}

impl From<HostKeyProblem> for Refusal {
    fn from(problem: HostKeyProblem) -> Self {
        Self::Key(Box::new(problem))
    }
}

impl Known {
    fn describe(&self) -> KnownKey {
        KnownKey {
            fingerprint: self.key.fingerprint(HashAlg::Sha256).to_string(),
            algorithm: self.key.algorithm().to_string(),
            place: self.place.clone(),
        }
    }
}

/// An RSA key has several algorithms, which differ in the hash of the signature.
fn same_kind(one: &Algorithm, other: &Algorithm) -> bool {
    one == other || matches!((one, other), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Adds the lines that are about `name`. Lines that cannot be read are left out, as ssh does.
fn read_lines(path: &Path, text: &str, name: &str, known: &mut Vec<Known>) {
    for (line, number) in text.lines().zip(1..) {
        let mut words = line.split_whitespace().peekable();
        let marker = words.next_if(|word| word.starts_with('@'));
        let (Some(hosts), Some(kind), Some(key)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        // A line of a certificate authority would need certificates, which are not requested.
        if hosts.starts_with('#') || !matches!(marker, None | Some("@revoked")) || !names(hosts, name) {
            continue;
        }
        let place = format!("{}:{number}", path.display());
        match PublicKey::from_openssh(&format!("{kind} {key}")) {
            Ok(key) => known.push(Known { key, revoked: marker.is_some(), place }),
            Err(error) => tracing::warn!("{place}: the key cannot be read and is left out: {error}"),
        }
    }
}

/// Do the patterns of a line name the server?
fn names(patterns: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        if pattern.starts_with("|1|") {
            found |= is_hash_of(pattern, name);
        } else if let Some(pattern) = pattern.strip_prefix('!') {
            if is_match(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()) {
                return false;
            }
        } else {
            found |= is_match(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes());
        }
    }
    found
}

fn is_hash_of(pattern: &str, name: &str) -> bool {
    let Ok(HostPatterns::HashedName { salt, hash }) = pattern.parse() else { return false };
    let Ok(mac) = Hmac::<Sha1>::new_from_slice(&salt) else { return false };
    mac.chain_update(name).verify_slice(&hash).is_ok()
}

/// A pattern with `*` (any text) and `?` (any character); `[` is a character like others.
fn is_match(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to backtrack to: the pattern behind the last `*`, and the text that this `*` has not matched yet.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((after, taken)) = star else { return false };
                star = Some((after, taken + 1));
                (p, t) = (after, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// Adds a line to a file, which is created if needed, readable by its owner only.
fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut text = String::new();
    if file.seek(SeekFrom::End(-1)).is_ok() {
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push('\n');
        }
    }
    text.push_str(line);
    text.push('\n');
    // In one write, so that no line of another process gets in between.
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
