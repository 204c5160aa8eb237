//! The text of the server's configuration files, and of its URLs.

use std::fmt::Write;
use std::path::Path;

use super::{EmbeddedError, USER};
use crate::words::percent_encoded;

/// Suitable for a small machine that runs other things too.
const DEFAULTS: &[(&str, &str)] = &[
    ("shared_buffers", "128MB"),
    ("maintenance_work_mem", "128MB"),
    ("max_wal_size", "2GB"),
    ("checkpoint_timeout", "15min"),
    ("checkpoint_completion_target", "0.9"),
    ("unix_socket_permissions", "0700"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("lc_messages", "C"),
    ("log_line_prefix", "%m [%p] "),
    // Statements and the details of their errors contain personal values; the client has them anyway.
    ("log_min_error_statement", "panic"),
    ("log_error_verbosity", "terse"),
];

/// The server's configuration: the data folder's own, our settings, then the caller's, the last wins.
pub(super) fn server_conf(given: &[(String, String)], own: &[(&str, &str)]) -> Result<String, EmbeddedError> {
    let mut text = String::from(
        "# Written anew at each start. Change data/postgresql.conf for settings that are not below.\n\
         include 'data/postgresql.conf'\n",
    );
    let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in DEFAULTS.iter().chain(own).copied().chain(given) {
        let named = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
        if name.is_empty() || !named || value.contains(char::is_control) {
            return Err(EmbeddedError::Setting { name: name.to_owned() });
        }
        let value = value.replace('\\', "\\\\").replace('\'', "''");
        writeln!(text, "{name} = '{value}'").expect("writing to a string cannot fail");
    }
    Ok(text)
}

/// Who may connect: anybody who can enter the socket's private folder; over TCP, with a password.
pub(super) const HBA: &str = "# Written anew at each start.\n\
     local all all trust\n\
     host all all 127.0.0.1/32 scram-sha-256\n";

/// Whether a folder's path survives pg_ctl's shell, a configuration file and a list of folders.
pub(super) fn is_usable_path(dir: &Path) -> bool {
    dir.to_str().is_some_and(|text| !text.contains(|c: char| c.is_control() || "'\"`$\\".contains(c)))
}

/// The URL of a database over the socket in `socket_dir`.
pub(super) fn socket_url(socket_dir: &Path, port: u16, database: &str) -> String {
    let host = percent_encoded(&socket_dir.to_string_lossy());
    format!("postgresql:///{}?host={host}&port={port}&user={USER}", percent_encoded(database))
}

/// The URL of a database over TCP.
pub(super) fn tcp_url(port: u16, password: &str, database: &str) -> String {
    format!(
        "postgresql://{USER}:{}@127.0.0.1:{port}/{}",
        percent_encoded(password),
        percent_encoded(database)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_quoted_and_the_callers_come_last() {
        let given = [("search_path".to_owned(), r"it's a\b".to_owned()), ("port".into(), "1".into())];
        let text = server_conf(&given, &[("port", "5432")]).unwrap();
        assert!(text.contains("search_path = 'it''s a\\\\b'\n"), "{text}");
        assert!(text.find("port = '5432'") < text.find("port = '1'"), "{text}");
        for (name, value) in [("a b", "1"), ("", "1"), ("a", "1\ninclude 'x'")] {
            assert!(server_conf(&[(name.into(), value.into())], &[]).is_err(), "{name:?} {value:?}");
        }
    }

    #[test]
    fn the_driver_reads_the_socket_url() {
        let url = socket_url(Path::new("/tmp/a b/ä%/socket"), 5433, "merganser");
        let config: tokio_postgres::Config = url.parse().unwrap();
        assert_eq!(config.get_hosts(), [tokio_postgres::config::Host::Unix("/tmp/a b/ä%/socket".into())]);
        assert_eq!(config.get_ports(), [5433]);
        assert_eq!((config.get_user(), config.get_dbname()), (Some("merganser"), Some("merganser")));
    }

    #[test]
    fn a_path_that_a_shell_would_change_is_refused() {
        assert!(is_usable_path(Path::new("/home/jürgen/a b, c")));
        for bad in ["/a'b", "/a\"b", "/a$b", "/a`b", "/a\\b", "/a\nb"] {
            assert!(!is_usable_path(Path::new(bad)), "{bad:?}");
        }
    }
}
