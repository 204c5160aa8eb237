//! How to get into an SFTP server and how long to wait for it: what the environment says, checked
//! before any connection.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use russh::keys::ssh_key::{Fingerprint, HashAlg};

/// Settings of SFTP sources. `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
pub struct SftpOptions {
    pub password: Option<Secret>,
    pub key: Option<KeySource>,
    /// The passphrase of the private key.
    pub passphrase: Option<Secret>,
    /// The file of known hosts; `None`: the user's and the system's.
    pub known_hosts: Option<PathBuf>,
    /// The user's home folder, for the default file of known hosts.
    pub home: Option<PathBuf>,
    /// The only host keys to accept, whatever the files say; empty: those of the files.
    pub host_keys: Vec<Fingerprint>,
    /// Enter the key of a server that is not known in the file of known hosts and go on.
    pub trust_on_first_use: bool,
    /// For a trial: such a key is not added, and the server is refused as unknown.
    pub only_looks: bool,
    pub limits: SftpLimits,
}

/// Where a private key comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    File(PathBuf),
    /// The key itself, as a file would hold it.
    Text(Secret),
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// How long each step may take, and how often a connection that breaks off is made again.
#[derive(Clone, Copy, Debug)]
pub struct SftpLimits {
    /// To reach the server, and as much again for the key exchange.
    pub connect: Duration,
    /// To log in and to open the SFTP session.
    pub login: Duration,
    /// How long a wait for an answer may bring no byte.
    pub idle: Duration,
    /// The interval between keepalive requests.
    pub keepalive: Duration,
    /// Keepalive answers that may be missed.
    pub keepalive_max: usize,
    /// Attempts to go on after a break without getting much further.
    pub retries: u32,
    /// The pause before the first of them; doubled each time.
    pub backoff: Duration,
}

impl Default for SftpLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            login: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            keepalive: Duration::from_secs(15),
            keepalive_max: 3,
            retries: 4,
            backoff: Duration::from_secs(1),
        }
    }
}

/// Why the settings of an SFTP source are refused. No value is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SftpOptionsError {
    #[error("SFTP_PSWD and MERGANSER_SFTP_PASSWORD hold different passwords: unset one of them")]
    TwoPasswords,
    #[error(
        "there is nothing to log in to the SFTP source with: set SFTP_PSWD to the password, or \
         MERGANSER_SFTP_KEY to a private key or the path of its file"
    )]
    NoCredentials,
    #[error("MERGANSER_SFTP_KEY_PASSPHRASE is set, but not MERGANSER_SFTP_KEY, whose passphrase it is")]
    PassphraseAlone,
    #[error(
        "MERGANSER_SFTP_HOST_KEY holds something else than fingerprints as ssh shows them \
         (SHA256: and 43 characters), separated by commas or blanks"
    )]
    HostKey,
    #[error(
        "--sftp-trust-on-first-use and MERGANSER_SFTP_HOST_KEY exclude each other: the fingerprint says which \
         key to trust"
    )]
    TrustAndPin,
}

impl SftpOptions {
    /// Reads the environment with the function given: `SFTP_PSWD` or `MERGANSER_SFTP_PASSWORD`,
    /// `MERGANSER_SFTP_KEY`, `MERGANSER_SFTP_KEY_PASSPHRASE`, `MERGANSER_SFTP_KNOWN_HOSTS`,
    /// `MERGANSER_SFTP_HOST_KEY`. A variable that is empty is not set.
    pub fn from_env(
        env: &dyn Fn(&str) -> Option<String>,
        trust_on_first_use: bool,
    ) -> Result<Self, SftpOptionsError> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let password = match (env("MERGANSER_SFTP_PASSWORD"), env("SFTP_PSWD")) {
            (Some(ours), Some(older)) if ours != older => return Err(SftpOptionsError::TwoPasswords),
            (ours, older) => ours.or(older).map(Secret),
        };
        let key = env("MERGANSER_SFTP_KEY").map(|value| match is_key_text(&value) {
            true => KeySource::Text(Secret(value)),
            false => KeySource::File(value.into()),
        });
        let passphrase = env("MERGANSER_SFTP_KEY_PASSPHRASE").map(Secret);
        if passphrase.is_some() && key.is_none() {
            return Err(SftpOptionsError::PassphraseAlone);
        }
        if password.is_none() && key.is_none() {
            return Err(SftpOptionsError::NoCredentials);
        }
        let host_keys = fingerprints(&env("MERGANSER_SFTP_HOST_KEY").unwrap_or_default())?;
        if trust_on_first_use && !host_keys.is_empty() {
            return Err(SftpOptionsError::TrustAndPin);
        }
        Ok(Self {
            password,
            key,
            passphrase,
            known_hosts: env("MERGANSER_SFTP_KNOWN_HOSTS").map(PathBuf::from),
            home: env("HOME").map(PathBuf::from),
            host_keys,
            trust_on_first_use,
            only_looks: false,
            limits: SftpLimits::default(),
        })
    }
}

impl Secret {
    /// The text itself. It must not reach a message, a log or an argument of a program.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A key rather than the name of its file?
fn is_key_text(value: &str) -> bool {
    value.contains("-----BEGIN ") || value.trim_start().starts_with("PuTTY-User-Key-File-")
}

fn fingerprints(text: &str) -> Result<Vec<Fingerprint>, SftpOptionsError> {
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    words
        .map(|word| {
            // Some programs pad it, as base64 usually is.
            let fingerprint: Fingerprint =
                word.trim_end_matches('=').parse().map_err(|_| SftpOptionsError::HostKey)?;
            match fingerprint.algorithm() {
                HashAlg::Sha256 => Ok(fingerprint),
                _ => Err(SftpOptionsError::HostKey),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: &str = "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ";

    fn of(pairs: &[(&str, &str)]) -> Result<SftpOptions, SftpOptionsError> {
        let env = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        SftpOptions::from_env(&env, false)
    }

    #[test]
    fn credentials_come_from_the_environment_and_are_not_shown() {
        let options = of(&[("SFTP_PSWD", "sesame"), ("MERGANSER_SFTP_PASSWORD", "sesame")]).unwrap();
        assert_eq!(options.password.as_ref().unwrap().reveal(), "sesame");
        let text = [
            ("MERGANSER_SFTP_KEY", "-----BEGIN OPENSSH PRIVATE KEY-----\nsesame"),
            ("MERGANSER_SFTP_KEY_PASSPHRASE", "sesame"),
            ("SFTP_PSWD", ""),
        ];
        let keyed = of(&text).unwrap();
        assert!(matches!(keyed.key, Some(KeySource::Text(_))) && keyed.password.is_none());
        assert!(!format!("{options:?}{keyed:?}").contains("sesame"));
        let file = of(&[("MERGANSER_SFTP_KEY", "/keys/id")]).unwrap();
        assert!(matches!(file.key, Some(KeySource::File(path)) if path.ends_with("keys/id")));
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        use SftpOptionsError as E;
        let refused = |pairs: &[(&str, &str)]| of(pairs).unwrap_err();
        assert_eq!(refused(&[("SFTP_PSWD", "a"), ("MERGANSER_SFTP_PASSWORD", "b")]), E::TwoPasswords);
        assert_eq!(refused(&[("SFTP_PSWD", "")]), E::NoCredentials);
        assert_eq!(
            refused(&[("SFTP_PSWD", "a"), ("MERGANSER_SFTP_KEY_PASSPHRASE", "b")]),
            E::PassphraseAlone
        );
        for bad in ["sesame", "SHA256:short", "MD5:b6:61:34:ff:dd:81:4b:9d:fd:7c:b0:11:c4:a2:8c:2f"] {
            assert_eq!(refused(&[("SFTP_PSWD", "a"), ("MERGANSER_SFTP_HOST_KEY", bad)]), E::HostKey, "{bad}");
        }
        let env = |name: &str| match name {
            "SFTP_PSWD" => Some("a".to_owned()),
            "MERGANSER_SFTP_HOST_KEY" => Some(PIN.to_owned()),
            _ => None,
        };
        assert_eq!(SftpOptions::from_env(&env, true).unwrap_err(), E::TrustAndPin);
    }

    #[test]
    fn several_fingerprints_are_separated_by_commas_or_blanks() {
        let list = format!("{PIN}, {PIN}=\n{PIN}");
        let options = of(&[("SFTP_PSWD", "a"), ("MERGANSER_SFTP_HOST_KEY", &list)]).unwrap();
        assert_eq!(options.host_keys.len(), 3);
        assert_eq!(options.host_keys[1].to_string(), PIN);
    }
}
