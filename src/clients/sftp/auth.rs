//! Who we are: the password and the private key, and the login with them.

use std::fs;
use std::sync::Arc;

use russh::client::{AuthResult, Handle, Handler, KeyboardInteractiveAuthResponse as Answer};
use russh::keys::{self, PrivateKey, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};

use super::error::{SftpError, password_note};
use super::options::{KeySource, Secret, SftpOptions};
use crate::clients::store::ObjectPlace;

/// Rounds of questions that a server may ask before the login is given up.
const ROUNDS_MAX: u32 = 8;
const MORE_QUESTIONS: &str =
    "it asks for more than a password (a code, or a new password): log in by hand once, or use a private key";

/// Our credentials. No `Debug`, so that they are never shown.
pub(super) struct Identity {
    password: Option<Secret>,
    key: Option<Arc<PrivateKey>>,
}

/// Why a login failed.
pub(super) enum LoginFailure {
    Refused(SftpError),
    /// The connection ended, or the server broke the protocol.
    Broken,
}

impl From<russh::Error> for LoginFailure {
    /// Its error only says that the connection is gone; the connection itself knows why.
    fn from(_: russh::Error) -> Self {
        Self::Broken
    }
}

impl Identity {
    /// Reads the private key.
    pub fn load(options: &SftpOptions) -> Result<Self, SftpError> {
        let passphrase = options.passphrase.as_ref().map(Secret::reveal);
        let key = match &options.key {
            None => None,
            Some(KeySource::Text(text)) => Some(decode(text.reveal(), passphrase)?),
            Some(KeySource::File(path)) => {
                let text = fs::read_to_string(path).map_err(|source| SftpError::Io {
                    operation: "read the private key of MERGANSER_SFTP_KEY from",
                    path: path.clone(),
                    source,
                })?;
                Some(decode(&text, passphrase)?)
            }
        };
        Ok(Self { password: options.password.clone(), key: key.map(Arc::new) })
    }
}

fn decode(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, SftpError> {
    let text = lines(text);
    keys::decode_secret_key(&text, passphrase).map_err(|error| {
        // Only those errors of the library that cannot quote the key.
        let detail = match (&error, passphrase) {
            _ if text.contains("PUBLIC KEY") || text.starts_with("ssh-") => "is a public key",
            (keys::Error::KeyIsEncrypted, None) => "needs its passphrase (MERGANSER_SFTP_KEY_PASSPHRASE)",
            _ if text.contains("ENCRYPTED") && passphrase.is_none() => {
                "needs its passphrase (MERGANSER_SFTP_KEY_PASSPHRASE)"
            }
            (_, Some(_)) => "cannot be read with the passphrase of MERGANSER_SFTP_KEY_PASSPHRASE",
            (_, None) => "cannot be read: it is damaged, or of a kind that is not known",
        };
        SftpError::PrivateKey { detail: detail.into(), source: None }
    })
}

/// The lines of a key's text. An environment file keeps them in one, with `\n` or blanks between.
fn lines(text: &str) -> String {
    let text = text.trim();
    let mut parts = text.split("-----");
    let text = match (text.contains('\n'), parts.next(), parts.next(), parts.next(), parts.next()) {
        (false, Some(""), Some(begin), Some(body), Some(end)) => {
            let body = body.replace("\\n", "\n").replace(' ', "\n");
            format!("-----{begin}-----\n{body}\n-----{end}-----")
        }
        _ => text.to_owned(),
    };
    text.lines().flat_map(|line| [line.trim(), "\n"]).collect()
}

/// Logs in by the methods that the server allows, the key first. The server may want several.
pub(super) async fn login<H: Handler>(
    handle: &mut Handle<H>,
    user: &str,
    identity: &Identity,
    at: &ObjectPlace,
) -> Result<(), LoginFailure> {
    let mut tried: Vec<MethodKind> = Vec::new();
    // Asks which methods there are.
    let mut allowed = match handle.authenticate_none(user).await? {
        AuthResult::Success => return Ok(()),
        AuthResult::Failure { remaining_methods, .. } => remaining_methods,
    };
    loop {
        if handle.is_closed() {
            return Err(russh::Error::Disconnect.into());
        }
        let next = [MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive]
            .into_iter()
            .find(|method| allowed.contains(method) && !tried.contains(method) && identity.knows(*method));
        let Some(method) = next else { return Err(identity.refused(&tried, &allowed, at, None)) };
        tried.push(method);
        let result = match method {
            MethodKind::PublicKey => by_key(handle, user, identity).await?,
            MethodKind::Password => {
                let password = identity.password.as_ref().map_or("", Secret::reveal);
                handle.authenticate_password(user, password).await?
            }
            _ => match by_questions(handle, user, identity).await? {
                Some(result) => result,
                None => return Err(identity.refused(&tried, &allowed, at, Some(MORE_QUESTIONS))),
            },
        };
        match result {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure { remaining_methods, .. } => {
                // The library also returns an empty list when the connection has ended.
                if handle.is_closed() {
                    return Err(russh::Error::Disconnect.into());
                }
                allowed = remaining_methods;
            }
        }
    }
}

async fn by_key<H: Handler>(
    handle: &mut Handle<H>,
    user: &str,
    identity: &Identity,
) -> Result<AuthResult, russh::Error> {
    let Some(key) = &identity.key else { return Err(russh::Error::NoAuthMethod) };
    // Keys of RSA sign with one of several hashes.
    let hashes = match key.algorithm().is_rsa() {
        false => vec![None],
        true => match handle.best_supported_rsa_hash().await? {
            Some(hash) => vec![hash],
            // It does not say: it is rather old, or very old.
            None => vec![Some(keys::HashAlg::Sha256), None],
        },
    };
    let mut result = AuthResult::Failure { remaining_methods: MethodSet::empty(), partial_success: false };
    for hash in hashes {
        result = handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key.clone(), hash)).await?;
        if !matches!(result, AuthResult::Failure { partial_success: false, .. }) {
            break;
        }
    }
    Ok(result)
}

/// Answers the server's one question with the password. `None`: it asks for more than that.
async fn by_questions<H: Handler>(
    handle: &mut Handle<H>,
    user: &str,
    identity: &Identity,
) -> Result<Option<AuthResult>, russh::Error> {
    let mut password = identity.password.as_ref();
    let mut answer = handle.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..ROUNDS_MAX {
        let answers = match answer {
            Answer::Success => return Ok(Some(AuthResult::Success)),
            Answer::Failure { remaining_methods, partial_success } => {
                return Ok(Some(AuthResult::Failure { remaining_methods, partial_success }));
            }
            Answer::InfoRequest { prompts, .. } => match prompts.as_slice() {
                [] => Vec::new(),
                [only] if !only.echo => match password.take() {
                    Some(password) => vec![password.reveal().to_owned()],
                    None => break,
                },
                _ => break,
            },
        };
        answer = handle.authenticate_keyboard_interactive_respond(answers).await?;
    }
    Ok(None)
}

impl Identity {
    fn knows(&self, method: MethodKind) -> bool {
        match method {
            MethodKind::PublicKey => self.key.is_some(),
            _ => self.password.is_some(),
        }
    }

    fn refused(
        &self,
        tried: &[MethodKind],
        allowed: &[MethodKind],
        at: &ObjectPlace,
        note: Option<&'static str>,
    ) -> LoginFailure {
        let names = |methods: &[MethodKind], none: &str| {
            let names: Vec<&str> = methods.iter().map(std::convert::Into::into).collect();
            if names.is_empty() { none.to_owned() } else { names.join(", ") }
        };
        let password_tried = tried.iter().any(|method| *method != MethodKind::PublicKey);
        let note = note.or(match (&self.password, tried.is_empty()) {
            (None, true) => Some("it wants a password: set SFTP_PSWD"),
            (Some(_), true) => Some("it does not take the password alone: set MERGANSER_SFTP_KEY"),
            (Some(password), false) if password_tried => password_note(password),
            _ => None,
        });
        LoginFailure::Refused(SftpError::Auth {
            at: at.clone(),
            tried: names(tried, "none of the configured methods"),
            allowed: names(allowed, "no method that merganser has"),
            note,
        })
    }
}
