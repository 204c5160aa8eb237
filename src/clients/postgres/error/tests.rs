use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::{Config, NoTls};

use super::*;

/// An error as tokio-postgres makes it from a server's answer.
async fn server_error(fields: &[(char, &str)]) -> tokio_postgres::Error {
    let (near, mut far) = tokio::io::duplex(4096);
    let mut body = Vec::new();
    for (name, value) in [('S', "ERROR"), ('V', "ERROR")].iter().chain(fields) {
        body.push(*name as u8);
        body.extend_from_slice(value.as_bytes());
        body.push(0);
    }
    body.push(0);
    tokio::spawn(async move {
        let mut startup = [0; 1024];
        let _ = far.read(&mut startup).await;
        let length = u32::try_from(body.len() + 4).unwrap();
        far.write_all(b"E").await.unwrap();
        far.write_all(&length.to_be_bytes()).await.unwrap();
        far.write_all(&body).await.unwrap();
    });
    let mut config = Config::new();
    config.user("me").ssl_mode(tokio_postgres::config::SslMode::Disable);
    config.connect_raw(near, NoTls).await.err().expect("the server refuses")
}

async fn of(code: &str) -> PgError {
    classify(server_error(&[('C', code), ('M', "no")]).await, "load")
}

#[tokio::test]
async fn sqlstates_are_sorted_by_what_can_be_done() {
    use PgError as E;
    assert!(matches!(of("28P01").await, E::Auth(_)));
    assert!(matches!(of("28000").await, E::Auth(_)));
    assert!(matches!(of("3D000").await, E::NoDatabase(_)));
    assert!(matches!(of("42501").await, E::Rights(_)));
    assert!(matches!(of("55P03").await, E::Timeout(_)));
    assert!(matches!(of("57014").await, E::Timeout(_)));
    assert!(matches!(of("53100").await, E::DiskFull(_)));
    assert!(matches!(of("53300").await, E::TooMany(_)));
    assert!(matches!(of("25006").await, E::ReadOnly(_)));
    assert!(matches!(of("57P01").await, E::ConnectionLost(_)));
    assert!(matches!(of("08006").await, E::ConnectionLost(_)));
    assert!(matches!(of("23505").await, E::Other(_)));
}

#[tokio::test]
async fn rows_and_values_are_nowhere_in_an_error() {
    let error = server_error(&[
        ('C', "22P02"),
        ('M', "invalid input syntax for type date: \"Jane \"JJ\" Doe\""),
        ('D', "Failing row contains (Jane Doe)."),
        ('W', "COPY oca_index, line 3, column fileddate: \"Jane Doe\"\nmore Jane Doe"),
        ('t', "oca_index"),
        ('c', "fileddate"),
    ]);
    let error = classify(error.await, "load of oca_index");
    let shown = format!("{error} {error:?} {:?} {:?}", error.source(), error.hint());
    assert!(!shown.contains("Jane") && !shown.contains("Doe"), "{shown}");
    assert_eq!(
        error.to_string(),
        "load of oca_index failed: invalid input syntax for type date: \"…\" (SQLSTATE 22P02), \
         table oca_index, column fileddate, COPY oca_index, line 3, column fileddate"
    );
    assert_eq!(error.sqlstate(), Some("22P02"));
}

#[tokio::test]
async fn names_stay() {
    let error = server_error(&[
        ('C', "23503"),
        ('M', "insert or update on table \"oca_parties\" violates foreign key constraint \"fk\""),
        ('D', "Key (indexnumberid)=(12) is not present."),
        ('s', "prod"),
        ('t', "oca_parties"),
        ('n', "fk"),
        ('H', "Add it."),
    ]);
    let error = classify(error.await, "promote");
    assert!(
        error.to_string().ends_with("\"fk\" (SQLSTATE 23503), table oca_parties, constraint fk"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("=(12)"));
    assert_eq!(error.hint().as_deref(), Some("Add it."));
}

#[test]
fn values_in_messages_are_cut() {
    let cut = |message| without_values("22003", message);
    assert_eq!(
        cut("value \"99 is \"x\" 9\" is out of range for type integer"),
        "value \"…\" is out of range for type integer"
    );
    assert_eq!(cut("malformed array literal: \"{a\""), "malformed array literal: \"…\"");
    assert_eq!(cut("unterminated: \"abc"), "unterminated: \"…\"");
    assert_eq!(cut("missing data for column \"street1\""), "missing data for column \"street1\"");
    assert_eq!(
        cut("invalid byte sequence for encoding \"UTF8\": 0xff"),
        "invalid byte sequence for encoding \"UTF8\": 0xff"
    );
    assert_eq!(without_values("42P01", "relation \"x\" does not exist"), "relation \"x\" does not exist");
    assert_eq!(copy_place("COPY t, line 2: \"a,b\"").as_deref(), Some("COPY t, line 2"));
    assert_eq!(copy_place("PL/pgSQL function f(text) line 3"), None);
}
