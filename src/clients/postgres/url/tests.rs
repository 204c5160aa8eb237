use super::*;

fn url(text: &str) -> PgUrl {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn both_forms_say_the_same() {
    let a = url("postgresql://me:p%40s%20s'\\@db.example:5433/court?application_name=x&connect_timeout=7");
    let b = url(
        "host=db.example port = 5433 user=me password='p@s s\\'\\\\' dbname=court application_name=x connect_timeout=7",
    );
    for parsed in [&a, &b] {
        let config = parsed.config();
        assert_eq!(config.get_password(), Some(&b"p@s s'\\"[..]));
        assert_eq!((config.get_user(), config.get_dbname()), (Some("me"), Some("court")));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(7)));
        assert_eq!(parsed.target(), "db.example:5433/court");
        assert!(parsed.gives("application_name") && !parsed.gives("keepalives"));
    }
    assert_eq!(a.to_string(), b.to_string());
}

#[test]
fn passwords_are_never_shown() {
    for text in [
        "postgresql://me:sesame@h/db",
        "postgres://me:sesame@h1:1,h2:2/db?sslmode=require&options=-csesame%3D1",
        "postgresql://h/db?user=me&password=sesame",
        "host=h user=me password=sesame dbname=db",
        "host=h user=me password='sesame sesame' dbname=db",
    ] {
        let parsed = url(text);
        for shown in [parsed.to_string(), format!("{parsed:?}"), parsed.target()] {
            assert!(!shown.contains("sesame"), "{shown}");
        }
        assert!(parsed.to_string().contains("me:***@"), "{parsed}");
    }
}

#[test]
fn wrong_texts_are_refused_and_not_repeated() {
    for text in [
        "postgresql://me:se@sesame@h/db",
        "postgresql://me:1/sesame@h/db",
        "postgresql://me:p/sesame@h/db",
        "postgresql://me:%ZZsesame@h/db",
        "postgresql://me:sesame%@h/db",
        "postgresql://me:sesame@h:x/db",
        "postgresql://me:sesame@h/db?nosuch=sesame",
        "postgresql://me:sesame@h/db?sslmode=sesame",
        "postgresql://me:sesame@h/db?connect_timeout=sesame",
        "postgresql://me:sesame@/db",
        "mysql://me:sesame@h/db",
        "host=h password=my sesame=1",
        "host=h password='sesame",
        "host=h sesame",
        "sesame",
    ] {
        let error = text.parse::<PgUrl>().expect_err(text);
        let chain = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        assert!(!chain.contains("sesame"), "{chain}");
    }
}

#[test]
fn modes_and_authorities_together_mean_what_libpq_says() {
    use SslMode as M;
    let file = || RootCert::File("/ca.pem".into());
    for (options, mode, root) in [
        ("", M::VerifyFull, RootCert::System),
        ("sslrootcert=/ca.pem", M::VerifyFull, file()),
        ("sslmode=prefer", M::Prefer, RootCert::Unset),
        ("sslmode=disable", M::Disable, RootCert::Unset),
        ("sslmode=allow", M::Allow, RootCert::Unset),
        ("sslmode=require", M::Require, RootCert::Unset),
        ("ssl=true", M::Require, RootCert::Unset),
        ("sslmode=require&sslrootcert=/ca.pem", M::VerifyCa, file()),
        ("sslmode=prefer&sslrootcert=/ca.pem", M::Prefer, file()),
        ("sslmode=verify-ca&sslrootcert=/ca.pem", M::VerifyCa, file()),
        ("sslmode=verify-full&sslrootcert=/ca.pem", M::VerifyFull, file()),
        ("sslmode=verify-full", M::VerifyFull, RootCert::System),
        ("sslrootcert=system", M::VerifyFull, RootCert::System),
        ("sslmode=require&sslmode=disable", M::Disable, RootCert::Unset),
    ] {
        let parsed = url(&format!("postgresql://h/db?{options}"));
        assert_eq!((parsed.ssl_mode(), parsed.root_cert()), (mode, &root), "{options}");
    }
    // Nobody can listen in on a connection within this machine.
    for local in ["localhost", "127.0.0.1", "[::1]", "%2Frun%2Fpostgresql", "localhost,127.0.0.2"] {
        assert_eq!(url(&format!("postgresql://{local}/db")).ssl_mode(), M::Prefer, "{local}");
    }
    assert_eq!(url("postgresql://localhost,h/db").ssl_mode(), M::VerifyFull);
    let error = |options: &str| format!("postgresql://h/db?{options}").parse::<PgUrl>().unwrap_err();
    assert!(matches!(error("sslmode=verify-ca"), PgUrlError::NoRootCert));
    assert!(matches!(error("sslmode=require&sslrootcert=system"), PgUrlError::WeakSystem));
    assert!(matches!(error("sslmode=verify_full"), PgUrlError::SslMode));
    assert!(matches!(error("sslcert=/me.pem"), PgUrlError::Unsupported("sslcert")));
    assert!(matches!(error("nosuch=1"), PgUrlError::Unknown));
}

#[test]
fn the_environment_fills_what_the_url_leaves_open() {
    let env = |name: &str| match name {
        "PGPASSWORD" => Some("sesame".to_owned()),
        "PGSSLMODE" => Some("verify-full".to_owned()),
        "PGSSLROOTCERT" => Some("/ca.pem".to_owned()),
        _ => None,
    };
    let parsed = PgUrl::parse("postgresql://me@h/db", &env).unwrap();
    assert_eq!(parsed.config().get_password(), Some(&b"sesame"[..]));
    assert_eq!(parsed.ssl_mode(), SslMode::VerifyFull);
    assert_eq!(parsed.root_cert(), &RootCert::File("/ca.pem".into()));
    assert!(!format!("{parsed} {parsed:?}").contains("sesame"));
    let own = PgUrl::parse("postgresql://me:own@h/db?sslmode=disable", &env).unwrap();
    assert_eq!((own.config().get_password(), own.ssl_mode()), (Some(&b"own"[..]), SslMode::Disable));
}

#[test]
fn hosts_are_many_numeric_or_local() {
    assert_eq!(url("postgresql://a,b:6/db").target(), "a:5432,b:6/db");
    assert_eq!(url("postgresql://[::1]:6/db").target(), "[::1]:6/db");
    assert_eq!(url("hostaddr=10.0.0.1 dbname=db").target(), "10.0.0.1:5432/db");
    assert_eq!(url("postgresql://me@h").target(), "h:5432/me");
    for local in ["postgresql://%2Frun%2Fpg/db", "postgresql:///db?host=/run/pg", "host=/run/pg dbname=db"] {
        assert_eq!(url(local).target(), "/run/pg:5432/db");
        assert!(url(local).is_local());
    }
    assert!(!url("host=/run/pg,h dbname=db").is_local());
    assert!(matches!("postgresql:///db".parse::<PgUrl>(), Err(PgUrlError::NoHost)));
}

#[test]
fn times_have_libpqs_units() {
    let parsed = url("postgresql://h/db?tcp_user_timeout=1500&keepalives_count=4&gssencmode=disable");
    assert_eq!(parsed.config().get_tcp_user_timeout(), Some(&Duration::from_millis(1500)));
    assert_eq!(parsed.config().get_keepalives_retries(), Some(4));
    assert!(parsed.gives("tcp_user_timeout") && parsed.gives("keepalives_retries"));
}
