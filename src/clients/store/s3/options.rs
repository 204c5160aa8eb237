//! What can be set for S3 beyond AWS's standard environment.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Settings of S3 stores. The default leaves everything to AWS's standard environment and profile.
#[derive(Clone, Debug, Default)]
pub struct S3Options {
    /// A server other than AWS (`http://` or `https://`).
    pub endpoint_url: Option<String>,
    pub region: Option<String>,
    /// Put the bucket into the path instead of the host name; `None`: only with a custom endpoint.
    pub path_style: Option<bool>,
    /// Credentials to use instead of the default chain; for tests.
    pub credentials: Option<Keys>,
    /// Certificates (PEM) to trust beside those of the system.
    pub ca_bundle: Option<PathBuf>,
    /// Encryption at rest to ask for.
    pub encryption: Encryption,
    /// `Cache-Control` of what is written.
    pub cache_control: Option<String>,
}

/// A pair of keys; `Debug` does not show the secret ones.
#[derive(Clone)]
pub struct Keys {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(***)")
    }
}

/// The encryption at rest that S3 is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// The bucket's own default.
    #[default]
    None,
    Aes256,
    /// With a key of the key management service: this one, or the account's default.
    Kms(Option<String>),
}

/// Why a setting of S3 is refused. The value is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum S3OptionsError {
    #[error("{0} is `true` or `false`")]
    NotBoolean(&'static str),
    #[error(
        "the endpoint of S3 (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL) is an http:// or https:// URL without user, password, query or fragment"
    )]
    Endpoint,
    #[error("the encryption is `none`, `AES256`, `aws:kms` or `aws:kms:KEY-ID`")]
    Encryption,
}

impl S3Options {
    /// Reads `AWS_ENDPOINT_URL_S3` (else `AWS_ENDPOINT_URL`), `AWS_CA_BUNDLE` and
    /// `MERGANSER_S3_PATH_STYLE` with the function given. The SDK reads the rest by itself.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Self, S3OptionsError> {
        let env = |name| env(name).filter(|value| !value.is_empty());
        let ignored =
            env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        let endpoint_url = match ignored {
            true => None,
            false => env("AWS_ENDPOINT_URL_S3").or_else(|| env("AWS_ENDPOINT_URL")),
        };
        if let Some(endpoint) = &endpoint_url {
            check_endpoint(endpoint)?;
        }
        let path_style = match env("MERGANSER_S3_PATH_STYLE").map(|text| text.to_ascii_lowercase()).as_deref()
        {
            None => None,
            Some("true" | "yes" | "on" | "1") => Some(true),
            Some("false" | "no" | "off" | "0") => Some(false),
            Some(_) => return Err(S3OptionsError::NotBoolean("MERGANSER_S3_PATH_STYLE")),
        };
        let ca_bundle = env("AWS_CA_BUNDLE").map(PathBuf::from);
        Ok(Self { endpoint_url, path_style, ca_bundle, ..Self::default() })
    }

    pub(super) fn uses_path_style(&self) -> bool {
        self.path_style.unwrap_or(self.endpoint_url.is_some())
    }
}

/// An endpoint ends up in messages, so it must not carry a password.
fn check_endpoint(endpoint: &str) -> Result<(), S3OptionsError> {
    let url = url::Url::parse(endpoint).map_err(|_| S3OptionsError::Endpoint)?;
    let usable = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if usable { Ok(()) } else { Err(S3OptionsError::Endpoint) }
}

impl FromStr for Encryption {
    type Err = S3OptionsError;

    fn from_str(text: &str) -> Result<Self, S3OptionsError> {
        match text {
            "none" => Ok(Self::None),
            "AES256" => Ok(Self::Aes256),
            "aws:kms" => Ok(Self::Kms(None)),
            text => match text.strip_prefix("aws:kms:") {
                Some(key) if !key.is_empty() => Ok(Self::Kms(Some(key.to_owned()))),
                _ => Err(S3OptionsError::Encryption),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<S3Options, S3OptionsError> {
        S3Options::from_env(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn a_custom_endpoint_means_path_style_unless_told_otherwise() {
        assert!(!from(&[]).unwrap().uses_path_style());
        assert!(from(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:3900")]).unwrap().uses_path_style());
        let both = [("AWS_ENDPOINT_URL", "http://a"), ("AWS_ENDPOINT_URL_S3", "http://b")];
        assert_eq!(from(&both).unwrap().endpoint_url.as_deref(), Some("http://b"));
        let off = [("AWS_ENDPOINT_URL_S3", "http://b"), ("MERGANSER_S3_PATH_STYLE", "false")];
        assert!(!from(&off).unwrap().uses_path_style());
        assert!(from(&[("MERGANSER_S3_PATH_STYLE", "Yes")]).unwrap().uses_path_style());
        let not = [("MERGANSER_S3_PATH_STYLE", "maybe")];
        assert_eq!(from(&not).unwrap_err(), S3OptionsError::NotBoolean("MERGANSER_S3_PATH_STYLE"));
    }

    #[test]
    fn an_endpoint_with_a_password_is_refused() {
        for bad in ["http://u:sesame@host", "host:9000", "ftp://host", "http://host?x=1"] {
            let error = from(&[("AWS_ENDPOINT_URL_S3", bad)]).unwrap_err();
            assert_eq!(error, S3OptionsError::Endpoint, "{bad}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let keys =
            Keys { access_key_id: "id".into(), secret_access_key: "sesame".into(), session_token: None };
        let options = S3Options { credentials: Some(keys), ..S3Options::default() };
        assert!(!format!("{options:?}").contains("sesame"));
    }

    #[test]
    fn encryption_is_parsed() {
        assert_eq!("none".parse(), Ok(Encryption::None));
        assert_eq!("AES256".parse(), Ok(Encryption::Aes256));
        assert_eq!("aws:kms".parse(), Ok(Encryption::Kms(None)));
        assert_eq!(
            "aws:kms:arn:aws:kms:x:1:key/2".parse(),
            Ok(Encryption::Kms(Some("arn:aws:kms:x:1:key/2".into())))
        );
        assert!("aws:kms:".parse::<Encryption>().is_err());
        assert!("aes".parse::<Encryption>().is_err());
    }
}
