//! Where a database is ([`PgUrl`]): a URL or libpq's `key=value` text, with libpq's TLS modes, which
//! tokio-postgres knows only in part. Nothing here repeats a password, or a piece of a text that
//! could hold one.

mod text;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use self::text::{key_value_pairs, url_pairs};

/// Options that tokio-postgres takes as libpq does.
const TAKEN: &[&str] = &[
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];
/// Options that change nothing here, whatever their value.
const IGNORED: &[&str] = &["sslcompression", "sslsni", "client_encoding", "fallback_application_name"];
/// Options of libpq that must not be ignored silently.
const UNSUPPORTED: &[&str] = &[
    "gssencmode",
    "krbsrvname",
    "passfile",
    "require_auth",
    "requirepeer",
    "replication",
    "service",
    "sslcert",
    "sslcertmode",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslpassword",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
];
/// Options that a message may show.
const SHOWN: &[&str] = &["application_name", "connect_timeout", "target_session_attrs"];

/// How far TLS is asked for, as libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    Disable,
    /// Without TLS, unless the server wants it.
    Allow,
    /// With TLS, unless the server has none. The default for a server on this machine.
    Prefer,
    /// With TLS; the server's certificate is not verified unless there is an `sslrootcert`.
    Require,
    /// The certificate must come from an authority of `sslrootcert`.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must be issued for the host's name or address. Without `sslrootcert` the
    /// system's authorities count. The default for a server that is reached over a network.
    VerifyFull,
}

/// The authorities that may have signed the server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootCert {
    Unset,
    /// Those that this system trusts (`sslrootcert=system`).
    System,
    File(PathBuf),
}

/// Where a database is and how to get in. `Display` and `Debug` show `***` for the password.
///
/// Unlike in libpq, whose default does not protect against anybody who can change the traffic, a server that is not on
/// this machine must prove its identity unless `sslmode` says otherwise. As in libpq, `require` with an `sslrootcert`
/// checks like `verify-ca`, and `sslrootcert=system` means `verify-full`. Unlike in libpq, `prefer` and `allow` with an
/// `sslrootcert` do not fall back to plain text when the certificate is wrong; no file is read from the home directory;
/// and a certificate needs a subject alternative name for `verify-full`.
#[derive(Clone, PartialEq, Eq)]
pub struct PgUrl {
    config: Config,
    ssl_mode: SslMode,
    root_cert: RootCert,
    given: Vec<&'static str>,
    shown: String,
    /// Shared with all clones; set once a pooler is known to keep a session for each client.
    keeps_sessions: Arc<OnceLock<()>>,
}

/// Why a text is not the URL of a database. The text is never repeated.
#[derive(Debug, thiserror::Error)]
pub enum PgUrlError {
    #[error("the URL of the database cannot be read: {0}")]
    Syntax(&'static str),
    #[error("the URL of the database names no host")]
    NoHost,
    #[error("the URL of the database has an option that is not supported: {0}")]
    Unsupported(&'static str),
    #[error("the URL of the database has an option that is not known: check their spelling")]
    Unknown,
    #[error(
        "the URL of the database has an unknown sslmode: write disable, allow, prefer, require, verify-ca or verify-full"
    )]
    SslMode,
    #[error("sslmode=verify-ca needs sslrootcert, the file of the authorities that are trusted")]
    NoRootCert,
    #[error("sslrootcert=system needs sslmode=verify-full: with less, any certificate of the web would do")]
    WeakSystem,
    #[error("the URL of the database has a value that cannot be used")]
    Value(#[source] tokio_postgres::Error),
}

impl PgUrl {
    /// Reads a URL (`postgresql://…`, `postgres://…`) or a `key=value` text. `env` gives what the URL
    /// leaves open: `PGPASSWORD`, `PGSSLMODE`, `PGSSLROOTCERT`.
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, PgUrlError> {
        let text = text.trim();
        let url = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"));
        let mut pairs = match url {
            Some(rest) => url_pairs(rest)?,
            None if text.contains("://") => {
                return Err(PgUrlError::Syntax("it starts with neither postgresql:// nor postgres://"));
            }
            None => key_value_pairs(text)?,
        };
        // As libpq has it, an option set to nothing is not set.
        pairs.retain(|(_, value)| !value.is_empty());
        for (name, key) in
            [("PGPASSWORD", "password"), ("PGSSLMODE", "sslmode"), ("PGSSLROOTCERT", "sslrootcert")]
        {
            if let Some(value) = env(name).filter(|value| !value.is_empty())
                && !pairs.iter().any(|(k, _)| k == key)
            {
                pairs.push((key.to_owned(), value));
            }
        }
        from_pairs(pairs)
    }

    /// `host:port/database`, for messages; several hosts with commas.
    pub fn target(&self) -> String {
        format!("{}/{}", self.hosts().join(","), self.database())
    }

    /// The effective TLS mode: with `sslrootcert`, `require` has become `verify-ca`.
    pub fn ssl_mode(&self) -> SslMode {
        self.ssl_mode
    }

    /// The authorities to trust.
    pub fn root_cert(&self) -> &RootCert {
        &self.root_cert
    }

    /// The settings that tokio-postgres knows, as given, without its TLS mode.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Set once the pooler in between is known to keep sessions.
    pub(super) fn keeps_sessions(&self) -> &OnceLock<()> {
        &self.keeps_sessions
    }

    /// True: the option was in the URL.
    pub(super) fn gives(&self, option: &str) -> bool {
        self.given.contains(&option)
    }

    /// True: all servers are behind Unix sockets, where there is no TLS.
    pub(super) fn is_local(&self) -> bool {
        self.config.get_hostaddrs().is_empty()
            && self.config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)))
    }

    /// Names (or addresses) of the servers that are reached over a network, with their ports; none where the URL
    /// gives addresses beside the names.
    pub fn network_hosts(&self) -> Vec<(&str, u16)> {
        if !self.config.get_hostaddrs().is_empty() {
            return Vec::new();
        }
        let ports = self.config.get_ports();
        let port = |i: usize| ports.get(i).or(ports.first()).copied().unwrap_or(5432);
        let hosts = self.config.get_hosts().iter().enumerate();
        hosts
            .filter_map(|(i, host)| match host {
                Host::Tcp(name) => Some((name.as_str(), port(i))),
                Host::Unix(_) => None,
            })
            .collect()
    }

    fn hosts(&self) -> Vec<String> {
        let ports = self.config.get_ports();
        let name = |i: usize, host: &Host| {
            let port = ports.get(i).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        };
        self.config.get_hosts().iter().enumerate().map(|(i, host)| name(i, host)).collect()
    }

    fn database(&self) -> &str {
        self.config.get_dbname().or(self.config.get_user()).unwrap_or_default()
    }
}

impl FromStr for PgUrl {
    type Err = PgUrlError;

    /// Reads the text alone, without the environment.
    fn from_str(text: &str) -> Result<Self, PgUrlError> {
        Self::parse(text, &|_| None)
    }
}

impl fmt::Display for PgUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgresql://")?;
        match (self.config.get_user(), self.config.get_password()) {
            (Some(user), Some(_)) => write!(f, "{user}:***@")?,
            (Some(user), None) => write!(f, "{user}@")?,
            (None, Some(_)) => f.write_str(":***@")?,
            (None, None) => {}
        }
        let mode = match self.ssl_mode {
            SslMode::Disable => "disable",
            SslMode::Allow => "allow",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
        };
        write!(f, "{}?sslmode={mode}", self.target())?;
        match &self.root_cert {
            RootCert::Unset => {}
            RootCert::System => f.write_str("&sslrootcert=system")?,
            RootCert::File(path) => write!(f, "&sslrootcert={}", path.display())?,
        }
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PgUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PgUrl({self})")
    }
}

fn from_pairs(pairs: Vec<(String, String)>) -> Result<PgUrl, PgUrlError> {
    let (mut mode, mut root_cert) = (None, RootCert::Unset);
    let (mut text, mut given, mut shown) = (String::new(), Vec::new(), String::new());
    let mut tcp_user_timeout = None;
    for (key, value) in &pairs {
        // libpq's name for an option that tokio-postgres calls something else.
        let key = if key == "keepalives_count" { "keepalives_retries" } else { key.as_str() };
        match key {
            "sslmode" => mode = Some(ssl_mode(value)?),
            "ssl" if value == "true" => mode = Some(SslMode::Require),
            "sslrootcert" if value == "system" => root_cert = RootCert::System,
            "sslrootcert" => root_cert = RootCert::File(value.into()),
            "gssencmode" if value != "require" => {}
            // TLS 1.2 is the minimum here anyway.
            "ssl_min_protocol_version" if matches!(value.as_str(), "TLSv1" | "TLSv1.1" | "TLSv1.2") => {}
            // libpq counts milliseconds, tokio-postgres' parser seconds.
            "tcp_user_timeout" => {
                let ms = value.parse().map_err(|_| PgUrlError::Syntax("tcp_user_timeout is not a number"))?;
                tcp_user_timeout = Some(Duration::from_millis(ms)).filter(|limit| !limit.is_zero());
                given.push("tcp_user_timeout");
            }
            key if IGNORED.contains(&key) => {}
            key => {
                let known = |list: &[&'static str]| list.iter().copied().find(|name| *name == key);
                let Some(name) = known(TAKEN) else {
                    // An unknown name may be a piece of a password that was not quoted.
                    return Err(known(UNSUPPORTED).map_or(PgUrlError::Unknown, PgUrlError::Unsupported));
                };
                given.push(name);
                text.push_str(name);
                text.push_str("='");
                for c in value.chars() {
                    if matches!(c, '\'' | '\\') {
                        text.push('\\');
                    }
                    text.push(c);
                }
                text.push_str("' ");
                if SHOWN.contains(&name) {
                    shown.push_str(&format!("&{name}={value}"));
                }
            }
        }
    }
    let mut config: Config = text.parse().map_err(PgUrlError::Value)?;
    if let Some(limit) = tcp_user_timeout {
        config.tcp_user_timeout(limit);
    }
    if config.get_hosts().is_empty() {
        // A certificate issued for the address can then be checked too.
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
    if config.get_hosts().is_empty() || config.get_hosts().contains(&Host::Tcp(String::new())) {
        return Err(PgUrlError::NoHost);
    }
    let is_local = config.get_hosts().iter().all(is_local);
    let (ssl_mode, root_cert) = settle(mode, root_cert, is_local)?;
    Ok(PgUrl { config, ssl_mode, root_cert, given, shown, keeps_sessions: Arc::default() })
}

/// What a mode and an authority mean together, where libpq has a rule for it.
fn settle(
    mode: Option<SslMode>,
    root_cert: RootCert,
    is_local: bool,
) -> Result<(SslMode, RootCert), PgUrlError> {
    use SslMode as M;
    let mode = mode.or_else(|| (!is_local).then_some(M::VerifyFull));
    match (mode, root_cert) {
        (None | Some(M::VerifyFull), RootCert::System) => Ok((M::VerifyFull, RootCert::System)),
        (Some(_), RootCert::System) => Err(PgUrlError::WeakSystem),
        (Some(M::VerifyCa), RootCert::Unset) => Err(PgUrlError::NoRootCert),
        (Some(M::VerifyFull), RootCert::Unset) => Ok((M::VerifyFull, RootCert::System)),
        (Some(M::Require), RootCert::File(path)) => Ok((M::VerifyCa, RootCert::File(path))),
        (mode, root_cert) => Ok((mode.unwrap_or(M::Prefer), root_cert)),
    }
}

/// Is the server on this machine?
fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn ssl_mode(text: &str) -> Result<SslMode, PgUrlError> {
    Ok(match text {
        "disable" => SslMode::Disable,
        "allow" => SslMode::Allow,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        _ => return Err(PgUrlError::SslMode),
    })
}

#[cfg(test)]
mod tests;
