//! `merganser run` with an SFTP source: the real binary, a real server, a real database.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::ssh::{self, Login, Setup, SshServer};
use crate::support::{self, postgres};

/// The variables that a run needs beside those of the source.
fn environment(home: &Path, database_url: &str) -> Vec<(String, String)> {
    let path = |name: &str| home.join(name).display().to_string();
    [
        ("HOME", home.display().to_string()),
        ("DATABASE_URL", database_url.to_owned()),
        ("MERGANSER_STORE", format!("file:{}", path("store"))),
        ("MERGANSER_WORK_DIR", home.display().to_string()),
        ("MODE", "1".to_owned()),
        // Secrets of a cluster are often there, and empty.
        ("SFTP_PSWD", String::new()),
        ("REPROCESS_GLOB", String::new()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn and(mut envs: Vec<(String, String)>, more: &[(&str, &str)]) -> Vec<(String, String)> {
    envs.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    envs
}

fn run(args: &[&str], envs: &[(String, String)]) -> Output {
    let envs = envs.iter().map(|(name, value)| (name, value));
    support::merganser(["run", "oca"].into_iter().chain(args.iter().copied()), envs)
}

fn sample(into: &Path) {
    let none: [(&str, &str); 0] = [];
    let out = into.display().to_string();
    let args = ["sample", "oca", "--cases", "40", "--run-date", "2026-11-14", "--out", &out];
    assert!(support::merganser(args, none).status.success());
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn cases(database: &postgres::TestDatabase) -> i64 {
    let row = database.client().await.query_one("select count(*) from oca_index", &[]).await.unwrap();
    row.get(0)
}

fn offer(server: &SshServer) {
    sample(&server.files);
    server.put("readme.txt", b"not ours");
}

#[tokio::test]
async fn a_run_takes_what_is_new_at_an_sftp_source() {
    let server = ssh::server();
    offer(&server);
    let database = postgres::database("sftp run").await;
    let home = tempfile::tempdir().unwrap();
    let key = fs::read_to_string(server.dir.join("user_key")).unwrap();
    let base = environment(home.path(), &database.url());
    let with_key = and(base.clone(), &[("MERGANSER_SFTP_KEY", &key)]);
    let url = server.url();

    let refused = run(&["--source", &url], &base);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("set SFTP_PSWD to the password"), "{}", said(&refused));
    let in_url = url.replacen('@', ":sesame@", 1);
    let refused = run(&["--source", &in_url], &with_key);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("a password must not be in the URL") && !said(&refused).contains("sesame")
    );

    let unknown = run(&["--source", &url], &with_key);
    let (text, offered) = (said(&unknown), server.fingerprint("ed25519"));
    assert_eq!(unknown.status.code(), Some(1), "{text}");
    assert!(text.contains(&offered) && text.contains("The database is unchanged."), "{text}");
    println!("{text}");

    let pinned = and(with_key.clone(), &[("MERGANSER_SFTP_HOST_KEY", &offered)]);
    let done = run(&["--source", &url], &pinned);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(cases(&database).await, 40);
    let archived = fs::read_dir(home.path().join("store/private")).unwrap().flatten();
    assert!(archived.into_iter().any(|entry| entry.file_name() == "LandlordTenant.Incr.2026-11-14.zip"));
    let again = run(&["--source", &url, "--sftp-trust-on-first-use"], &with_key);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(said(&again).contains("--sftp-trust-on-first-use"), "{}", said(&again));
    assert!(fs::read_to_string(home.path().join(".ssh/known_hosts")).unwrap().starts_with("[127.0.0.1]:"));
    for output in [done, again, unknown] {
        assert!(!said(&output).contains(&key[60..100]), "the key is shown");
    }
    let ledger = database.client().await;
    let row = ledger.query_one("select string_agg(r::text, ' ') from etl.runs r", &[]).await.unwrap();
    let rows: String = row.get(0);
    assert!(rows.contains("sftp://") && !rows.contains(&key[60..100]), "{rows}");
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
    let database = postgres::database("sftp older job").await;
    let home = tempfile::tempdir().unwrap();
    let known_hosts = home.path().join(".ssh/known_hosts");
    fs::create_dir(known_hosts.parent().unwrap()).unwrap();
    fs::write(&known_hosts, server.known_hosts_at(server.port)).unwrap();
    let mut envs = environment(home.path(), &database.url());
    let host = format!("127.0.0.1:{}", server.port);
    let folder = server.files.display().to_string();
    envs.retain(|(name, _)| name != "SFTP_PSWD");
    let more = [("SFTP_HOST", host.as_str()), ("SFTP_USER", &server.user), ("SFTP_DIR", &folder)];
    let mut envs = and(envs, &more);
    if server.user == ssh::PASSWORD_USER {
        let wrong = run(&[], &and(envs.clone(), &[("SFTP_PSWD", "open sesame")]));
        assert_eq!(wrong.status.code(), Some(1), "{}", said(&wrong));
        let text = said(&wrong);
        assert!(
            text.contains("the server refuses the login: tried password") && !text.contains("sesame"),
            "{text}"
        );
        envs = and(envs, &[("SFTP_PSWD", ssh::PASSWORD)]);
    } else {
        let key = server.dir.join("user_key").display().to_string();
        envs = and(envs, &[("MERGANSER_SFTP_KEY", &key)]);
    }
    let done = run(&["-vv"], &envs);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(!said(&done).contains(ssh::PASSWORD), "the password is shown");
    assert_eq!(cases(&database).await, 40);
}
