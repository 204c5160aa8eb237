use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn url(text: &str) -> PgUrl {
    text.parse().unwrap()
}

#[test]
fn what_the_url_gives_is_kept_and_the_rest_is_set() {
    let config = settings(&url("postgresql://h/db"), "load");
    assert_eq!(config.get_application_name(), Some("merganser load"));
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(15)));
    assert_eq!(config.get_keepalives_idle(), Duration::from_secs(30));
    assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(10)));
    assert_eq!(config.get_keepalives_retries(), Some(3));
    assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(60)));
    let given =
        "postgresql://h/db?application_name=x&connect_timeout=3&keepalives_idle=5&tcp_user_timeout=9000";
    let config = settings(&url(given), "load");
    assert_eq!(config.get_application_name(), Some("x"));
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
    assert_eq!(config.get_keepalives_idle(), Duration::from_secs(5));
    assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(9)));
}

#[test]
fn only_weak_modes_may_go_on_without_tls() {
    let ways = |options: &str| modes(&url(&format!("postgresql://h/db?{options}")));
    assert_eq!(ways(""), [Tls::Require]);
    assert_eq!(modes(&url("postgresql://localhost/db")), [Tls::Prefer, Tls::Disable]);
    assert_eq!(ways("sslmode=prefer"), [Tls::Prefer, Tls::Disable]);
    assert_eq!(ways("sslmode=allow"), [Tls::Disable, Tls::Require]);
    assert_eq!(ways("sslmode=disable"), [Tls::Disable]);
    assert_eq!(ways("sslmode=prefer&sslrootcert=/ca.pem"), [Tls::Prefer]);
    for strict in ["require", "verify-full", "verify-ca&sslrootcert=/ca.pem"] {
        assert_eq!(ways(&format!("sslmode={strict}")), [Tls::Require]);
    }
    assert_eq!(modes(&url("host=/run/pg sslmode=verify-full")), [Tls::Disable], "no TLS over a Unix socket");
}

#[tokio::test]
async fn a_closed_port_and_a_missing_socket_are_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error =
        connect(&url(&format!("postgresql://me:sesame@127.0.0.1:{port}/db")), "test").await.unwrap_err();
    assert!(matches!(error, PgError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().starts_with(&format!("connecting to 127.0.0.1:{port}/db failed: ")), "{error}");
    assert!(error.hint().unwrap().contains("nothing listens"));
    assert!(!format!("{error} {error:?}").contains("sesame"));
    let error = connect(&url("host=/nonexistent dbname=db"), "test").await.unwrap_err();
    assert!(error.hint().unwrap().contains("no such socket"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_when_tls_is_required() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 8];
        socket.read_exact(&mut request).await.unwrap();
        socket.write_all(b"N").await.unwrap();
    });
    let error = connect(&url(&format!("postgresql://127.0.0.1:{port}/db?sslmode=require")), "test").await;
    assert!(matches!(error, Err(PgError::Tls(_))), "{error:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = format!("postgresql://127.0.0.1:{port}/db?connect_timeout=1");
    let error = connect(&url(&silent), "test").await.unwrap_err();
    assert!(matches!(error, PgError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("no answer within 2 s"), "{error}");
    drop(listener);
}
