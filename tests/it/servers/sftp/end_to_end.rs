//! `merganser run` with an SFTP source: the real program, a real server, a real database.

use std::fs;

use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::ssh::{self, Login, Setup, SshServer};

const UNCHANGED: &str = "The database is unchanged.";

/// A pipeline whose source must be given, with a home folder of its own and these variables.
async fn pipeline(hint: &str, envs: &[(&str, &str)]) -> Pipeline {
    let pipeline = Pipeline::new(hint).await.without("--source");
    let home = pipeline.folder().join("home");
    fs::create_dir(&home).unwrap();
    let envs = envs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let home = [("HOME".to_owned(), home.display().to_string())];
    pipeline.env(home.into_iter().chain(envs))
}

/// Offers an extract of two cases, and another file.
fn offer(server: &SshServer) {
    Extract::weekly("2026-11-14").case(&"a".repeat(64), "").case(&"b".repeat(64), "").put(&server.files);
    server.put("readme.txt", b"not ours");
}

fn said(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

#[tokio::test]
async fn a_run_takes_what_is_new_at_an_sftp_source() {
    let server = ssh::server();
    offer(&server);
    let key = fs::read_to_string(server.dir.join("user_key")).unwrap();
    let pipeline = pipeline("sftp run", &[("MERGANSER_SFTP_KEY", &key)]).await.with("--source", server.url());
    let offered = server.fingerprint("ed25519");
    let unknown = pipeline.run().await.exits(1).says(&offered).says(UNCHANGED).says("add this line to");
    let mut all = said(&unknown);

    let pipeline = pipeline.env([("MERGANSER_SFTP_HOST_KEY".into(), offered)]);
    let done = pipeline.run().await.exits(0);
    assert_eq!(done.count("records_loaded"), 2);
    all += &said(&done);
    assert!(pipeline.objects().contains_key("private/LandlordTenant.Incr.2026-11-14.zip"));

    let pipeline = pipeline.env([("MERGANSER_SFTP_HOST_KEY".into(), String::new())]);
    let trusting = pipeline.run_with(&["--sftp-trust-on-first-use"]).await.exits(0);
    assert_eq!((trusting.count("files"), trusting.stderr.contains("it is trusted because of")), (0, true));
    let entered = fs::read_to_string(pipeline.folder().join("home/.ssh/known_hosts")).unwrap();
    assert_eq!(entered.trim(), server.known_hosts_at(server.port).trim());
    let verbose = pipeline.run_with(&["-vv"]).await.exits(0);
    all += &said(&verbose);

    all += &pipeline.column("select r::text from etl.runs r").await.join("\n");
    assert!(all.contains("sftp://"));
    for line in key.lines().filter(|line| !line.starts_with("-----")) {
        assert!(!all.contains(line), "the key is shown");
    }
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused_before_anything_is_tried() {
    let none = pipeline("sftp usage", &[("SFTP_PSWD", ""), ("SFTP_HOST", "")]).await;
    none.run().await.exits(2).says("SFTP_HOST with SFTP_USER and SFTP_DIR");
    let url = |url: &str| ["--source".to_owned(), url.to_owned()];
    let refused = async |url: [String; 2]| none.run_with(&[&url[0], &url[1]]).await.exits(2);
    refused(url("sftp://u@127.0.0.1:1/d")).await.says("set SFTP_PSWD to the password");
    let ran =
        refused(url("sftp://u:sesame@127.0.0.1:1/d")).await.says("set the environment variable SFTP_PSWD");
    assert!(!said(&ran).contains("sesame"));
    refused(url("sftp://127.0.0.1:1/d")).await.says("set SFTP_USER");
    let bad =
        pipeline("sftp usage", &[("SFTP_HOST", "h:port"), ("SFTP_USER", "u"), ("SFTP_PSWD", "sesame")]).await;
    let ran = bad.run().await.exits(2).says("the value of SFTP_HOST has a port that is not a number");
    assert!(!said(&ran).contains("sesame"));
}

#[tokio::test]
async fn the_older_jobs_environment_is_enough() {
    let server = match ssh::start(Setup { login: Login::Password, ..Setup::default() }) {
        Some(server) => server,
        None => {
            println!("only root can start a server that checks passwords: a key is used");
            ssh::server()
        }
    };
    offer(&server);
    let host = format!("127.0.0.1:{}", server.port);
    let folder = server.files.display().to_string();
    let key = server.dir.join("user_key").display().to_string();
    let knows_passwords = server.user == ssh::PASSWORD_USER;
    let envs = [
        ("SFTP_HOST", host.as_str()),
        ("SFTP_USER", &server.user),
        ("SFTP_DIR", &folder),
        ("SFTP_PSWD", if knows_passwords { "open sesame" } else { "" }),
        ("MERGANSER_SFTP_KEY", if knows_passwords { "" } else { &key }),
        ("MODE", "1"),
    ];
    let mut pipeline = pipeline("sftp older job", &envs).await;
    let known_hosts = pipeline.folder().join("home/.ssh/known_hosts");
    fs::create_dir(known_hosts.parent().unwrap()).unwrap();
    fs::write(&known_hosts, server.known_hosts_at(server.port)).unwrap();
    if knows_passwords {
        let wrong = pipeline
            .run()
            .await
            .exits(1)
            .says("the server refuses the login: tried password")
            .says(UNCHANGED);
        assert!(!said(&wrong).contains("sesame"));
        pipeline = pipeline.env([("SFTP_PSWD".into(), ssh::PASSWORD.into())]);
    }
    let done = pipeline.run_with(&["-vv"]).await.exits(0);
    assert_eq!(done.count("records_loaded"), 2);
    let ledger = pipeline.column("select r::text from etl.runs r").await.join("\n");
    assert!(!(said(&done) + &ledger).contains(ssh::PASSWORD), "the password is shown");
}
