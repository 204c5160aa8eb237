//! Logging in: the server's key and ours.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use merganser::clients::sftp::{HostKeyProblem, KeySource, Sftp, SftpError, SftpOptions};

use super::{open_at, open_with};
use crate::support::ssh::{self, Login, Setup};

/// The error of a listing that fails.
async fn failure(sftp: Sftp) -> SftpError {
    sftp.list_names("").await.unwrap_err()
}

fn problem(error: &SftpError) -> &HostKeyProblem {
    match error {
        SftpError::HostKey { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn keys_of_all_kinds_and_with_a_passphrase_get_in() {
    let server = ssh::server();
    let mut allowed = String::new();
    for (name, kind, passphrase) in
        [("rsa", "rsa", ""), ("ecdsa", "ecdsa", ""), ("locked", "ed25519", "sesame")]
    {
        ssh::keygen(&server.dir.join(name), kind, passphrase);
        allowed += &fs::read_to_string(server.dir.join(name).with_extension("pub")).unwrap();
    }
    // The format before OpenSSH's own.
    let pem = server.dir.join("pem");
    ssh::keygen(&pem, "rsa", "");
    let mut rewrite = std::process::Command::new("ssh-keygen");
    rewrite.args(["-q", "-p", "-m", "PEM", "-N", "", "-f"]).arg(&pem);
    assert!(rewrite.output().unwrap().status.success());
    allowed += &fs::read_to_string(pem.with_extension("pub")).unwrap();
    fs::write(server.dir.join("authorized_keys"), allowed).unwrap();
    for name in ["rsa", "ecdsa", "pem"] {
        let options = SftpOptions { key: Some(KeySource::File(server.dir.join(name))), ..server.options() };
        open_with(&server, &options).list_names("").await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let text = fs::read_to_string(server.dir.join("locked")).unwrap();
    // On one line, as a file of environment variables may hold it.
    for text in [text.clone(), text.replace('\n', "\\n"), text.replace('\n', " "), text.replace('\n', "\r\n")]
    {
        let key = Some(KeySource::Text(text.as_str().into()));
        let options = SftpOptions { key, passphrase: Some("sesame".into()), ..server.options() };
        open_with(&server, &options).list_names("").await.unwrap();
    }
}

#[tokio::test]
async fn a_private_key_that_cannot_be_used_is_an_error_before_any_connection() {
    let server = ssh::server();
    let locked = server.dir.join("locked");
    ssh::keygen(&locked, "ed25519", "sesame");
    let text = fs::read_to_string(&locked).unwrap();
    let url = server.url().parse().unwrap();
    let why = |key: KeySource, passphrase: Option<&str>| {
        let passphrase = passphrase.map(Into::into);
        let options = SftpOptions { key: Some(key), passphrase, ..server.options() };
        let error = Sftp::open(&url, &options).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.hint());
        assert!(!shown.contains("sesame") && !shown.contains(&text[60..100]), "{shown}");
        shown
    };
    let file = || KeySource::File(locked.clone());
    assert!(why(file(), None).contains("needs its passphrase (MERGANSER_SFTP_KEY_PASSPHRASE)"));
    assert!(why(file(), Some("not sesame")).contains("cannot be read with the passphrase"));
    let public = fs::read_to_string(locked.with_extension("pub")).unwrap();
    assert!(why(KeySource::Text(public.as_str().into()), None).contains("is a public key"));
    assert!(why(KeySource::Text(text[..200].into()), None).contains("cannot be read"));
    let missing = why(KeySource::File("/no/such/key".into()), None);
    assert!(missing.contains("/no/such/key: No such file"), "{missing}");
}

#[tokio::test]
async fn a_key_that_is_not_let_in_is_an_auth_error_with_what_is_allowed() {
    let server = ssh::server();
    let other = server.dir.join("other_key");
    ssh::keygen(&other, "ed25519", "");
    let options = SftpOptions { key: Some(KeySource::File(other)), ..server.options() };
    let error = failure(open_with(&server, &options)).await;
    let SftpError::Auth { tried, allowed, .. } = &error else { panic!("{error}") };
    assert_eq!((tried.as_str(), allowed.as_str()), ("publickey", "publickey"));
    assert!(error.hint().unwrap().contains("MERGANSER_SFTP_KEY"));
    let options = SftpOptions { key: None, password: Some("sesame".into()), ..server.options() };
    let error = failure(open_with(&server, &options)).await;
    assert!(
        matches!(&error, SftpError::Auth { tried, .. } if tried == "none of the configured methods"),
        "{error}"
    );
    let shown = format!("{error} {error:?} {:?} {options:?}", error.hint());
    assert!(shown.contains("set MERGANSER_SFTP_KEY") && !shown.contains("sesame"), "{shown}");
}

#[tokio::test]
async fn a_server_that_is_not_known_is_not_trusted() {
    let server = ssh::server();
    let known_hosts = server.dir.join("empty");
    fs::write(&known_hosts, "").unwrap();
    let options = SftpOptions { known_hosts: Some(known_hosts.clone()), ..server.options() };
    let error = failure(open_with(&server, &options)).await;
    assert!(matches!(problem(&error), HostKeyProblem::Unknown { .. }), "{error}");
    let offered = server.fingerprint("ed25519");
    assert!(error.to_string().contains(&format!("offered is {offered} (ssh-ed25519)")), "{error}");
    let hint = error.hint().unwrap();
    let line = server.known_hosts_at(server.port).trim().to_owned();
    assert!(hint.contains(&format!("add this line to {}:\n    {line}\n", known_hosts.display())), "{hint}");
    assert!(hint.contains(&format!("MERGANSER_SFTP_HOST_KEY={offered}")), "{hint}");
    // With the line that the hint shows, the login works.
    fs::write(&known_hosts, line).unwrap();
    open_with(&server, &options).list_names("").await.unwrap();
    let missing = SftpOptions { known_hosts: Some("/no/such/file".into()), ..server.options() };
    let error = Sftp::open(&server.url().parse().unwrap(), &missing).unwrap_err();
    assert!(error.to_string().contains("/no/such/file"), "{error}");
}

#[tokio::test]
async fn a_key_that_changed_stops_with_both_fingerprints() {
    let server = ssh::server();
    let options = server.options();
    let before = server.fingerprint("ed25519");
    let sftp = open_with(&server, &options);
    sftp.list_names("").await.unwrap();
    server.change_host_key();
    let after = server.fingerprint("ed25519");
    let trusting = SftpOptions { trust_on_first_use: true, ..options };
    let error = failure(open_with(&server, &trusting)).await;
    assert!(matches!(problem(&error), HostKeyProblem::Changed { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&format!("expected is {before}")) && text.contains(&format!("offered is {after}")),
        "{text}"
    );
    let (hint, line) = (error.hint().unwrap(), server.known_hosts_at(server.port));
    assert!(hint.contains(":1 and add this line") && hint.contains(line.trim()), "{hint}");
}

#[tokio::test]
async fn a_pinned_fingerprint_may_be_of_any_of_the_servers_keys() {
    let server = ssh::start(Setup { host_keys: &["ed25519", "ecdsa", "rsa"], ..Setup::default() }).unwrap();
    let pinned = |pins: &[String]| SftpOptions {
        known_hosts: Some("/no/such/file".into()),
        host_keys: pins.iter().map(|pin| pin.parse().unwrap()).collect(),
        ..server.options()
    };
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let options = pinned(&[ssh::fingerprint(&server.dir.join("user_key.pub")), server.fingerprint(kind)]);
        open_with(&server, &options).list_names("").await.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
    let wrong = ssh::fingerprint(&server.dir.join("user_key.pub"));
    let error = failure(open_with(&server, &pinned(std::slice::from_ref(&wrong)))).await;
    assert!(matches!(problem(&error), HostKeyProblem::NotPinned { .. }), "{error}");
    let (text, offered) = (error.to_string(), server.fingerprint("ed25519"));
    assert!(
        text.contains(&format!("expected is {wrong}")) && text.contains(&format!("offered is {offered}")),
        "{text}"
    );
}

#[tokio::test]
async fn the_kind_of_key_that_is_known_is_asked_for() {
    let server = ssh::start(Setup { host_keys: &["ed25519", "ecdsa", "rsa"], ..Setup::default() }).unwrap();
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let key = fs::read_to_string(server.dir.join(format!("host_{kind}.pub"))).unwrap();
        let known_hosts = server.dir.join(format!("knows_{kind}"));
        fs::write(&known_hosts, format!("[127.0.0.1]:{} {key}", server.port)).unwrap();
        let hashed =
            std::process::Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&known_hosts).output();
        assert!(hashed.unwrap().status.success());
        assert!(fs::read_to_string(&known_hosts).unwrap().starts_with("|1|"));
        let options = SftpOptions { known_hosts: Some(known_hosts), ..server.options() };
        open_with(&server, &options).list_names("").await.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[tokio::test]
async fn trust_on_first_use_enters_the_key_in_the_users_file() {
    let server = ssh::server();
    let home = server.dir.join("home");
    let options = SftpOptions {
        known_hosts: None,
        home: Some(home.clone()),
        trust_on_first_use: true,
        ..server.options()
    };
    open_with(&server, &options).list_names("").await.unwrap();
    let entered = fs::read_to_string(home.join(".ssh/known_hosts")).unwrap();
    assert_eq!(entered.trim(), server.known_hosts_at(server.port).trim());
    let strict = SftpOptions { trust_on_first_use: false, ..options };
    open_with(&server, &strict).list_names("").await.unwrap();
}

#[tokio::test]
async fn what_is_no_ssh_server_is_told_within_the_limit() {
    let server = ssh::server();
    let mut options = server.options();
    options.limits.connect = Duration::from_millis(500);
    let closed = failure(open_at(&server, ssh::free_port(), &options)).await;
    assert!(matches!(closed, SftpError::Unreachable { .. }), "{closed}");
    assert!(closed.to_string().contains("Connection refused"), "{closed}");

    // The port accepts connections and never answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let started = Instant::now();
    let error = failure(open_at(&server, silent.local_addr().unwrap().port(), &options)).await;
    assert!(matches!(error, SftpError::Timeout { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));

    let web = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = web.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = web.accept().unwrap();
        let said = stream.read(&mut [0; 512]).unwrap();
        assert!(said > 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nServer: web\r\n\r\n").unwrap();
    });
    let error = failure(open_at(&server, port, &options)).await;
    assert!(matches!(error, SftpError::Lost { .. }), "{error}");
    assert!(error.to_string().contains("or it is not an SSH server"), "{error}");
}

#[tokio::test]
async fn a_server_without_sftp_says_so() {
    let server = ssh::start(Setup { has_sftp: false, ..Setup::default() }).unwrap();
    let error = failure(open_with(&server, &server.options())).await;
    assert!(error.to_string().contains("the server has no SFTP"), "{error}");
}

#[tokio::test]
async fn a_password_gets_in_whichever_way_the_server_asks_for_it() {
    for login in [Login::Password, Login::Questions] {
        let Some(server) = ssh::start(Setup { login, ..Setup::default() }) else {
            println!("not run: only root can start a server that checks passwords");
            return;
        };
        server.put("a.zip", b"1");
        let with = |password: &str| {
            let password = Some(password.into());
            open_with(&server, &SftpOptions { key: None, password, ..server.options() })
        };
        let listed =
            with(ssh::PASSWORD).list_names("").await.unwrap_or_else(|error| panic!("{login:?}: {error}"));
        assert_eq!(listed.len(), 1);
        let error = failure(with("open sesame\n")).await;
        let SftpError::Auth { tried, allowed, .. } = &error else { panic!("{login:?}: {error}") };
        let method = if login == Login::Password { "password" } else { "keyboard-interactive" };
        assert_eq!(tried, method);
        assert!(allowed.contains(method), "{allowed}");
        let shown = format!("{error} {error:?} {:?}", error.hint());
        assert!(shown.contains("ends with a blank or a line break") && !shown.contains("sesame"), "{shown}");
    }
}
