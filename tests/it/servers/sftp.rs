//! SFTP sources on real OpenSSH servers: logging in, listing, downloading, and errors.

mod breaks;
mod end_to_end;
mod login;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Instant;

use merganser::clients::sftp::{Sftp, SftpError, SftpOptions};

use crate::support::proxy::{Fault, Proxy};
use crate::support::sha256;
use crate::support::ssh::{self, SshServer};

/// Opens the server's folder.
fn open(server: &SshServer) -> Sftp {
    open_with(server, &server.options())
}

fn open_with(server: &SshServer, options: &SftpOptions) -> Sftp {
    Sftp::open(&server.url().parse().unwrap(), options).unwrap()
}

/// Opens the server's folder behind another port, with these settings.
fn open_at(server: &SshServer, port: u16, options: &SftpOptions) -> Sftp {
    Sftp::open(&server.url_at(port).parse().unwrap(), options).unwrap()
}

/// Bytes without repetition.
fn noise(size_bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size_bytes + 8);
    while bytes.len() < size_bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size_bytes);
    bytes
}

/// Downloads into a temporary folder, and returns the content.
async fn fetch(sftp: &Sftp, name: &str) -> Result<Vec<u8>, SftpError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("got");
    let fetched = sftp.download(name, &path, &|_| {}).await;
    let left = fs::read_dir(&dir).unwrap().count();
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => {
            assert_eq!(left, 0, "a download that failed leaves nothing");
            return Err(error);
        }
    };
    let bytes = fs::read(&path).unwrap();
    assert_eq!((fetched.size_bytes, fetched.sha256), (bytes.len() as u64, sha256(&bytes)));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
    Ok(bytes)
}

#[tokio::test]
async fn files_are_listed_and_downloaded_over_one_connection() {
    let server = ssh::server();
    let contents = [("b 2.zip", noise(3_000_001)), ("a.zip", noise(65_536)), ("empty", Vec::new())];
    for (name, content) in &contents {
        server.put(name, content);
    }
    let proxy = Proxy::start(server.port, Fault::Cut, 0, 0).await;
    let sftp = open_at(&server, proxy.port, &server.options_at(proxy.port));
    let listed = sftp.list_names("").await.unwrap();
    let names: Vec<_> = listed.iter().map(|object| (object.key.as_str(), object.size_bytes)).collect();
    assert_eq!(names, [("a.zip", 65_536), ("b 2.zip", 3_000_001), ("empty", 0)]);
    let age = jiff::Timestamp::now() - listed[0].modified.unwrap();
    assert!(age.total(jiff::Unit::Second).unwrap().abs() < 120.0, "{age:?}");
    for (name, content) in &contents {
        assert!(fetch(&sftp, name).await.unwrap() == *content, "{name}");
    }
    assert_eq!(proxy.connections(), 1);
    let gone = fetch(&sftp, "gone.zip").await.unwrap_err();
    assert!(matches!(gone, SftpError::NoSuchFile { .. }), "{gone}");
    assert!(gone.to_string().ends_with("/files/gone.zip failed: there is no such file"), "{gone}");
    // A folder can be opened like a file, but not read.
    fs::create_dir(server.files.join("folder")).unwrap();
    let folder = fetch(&sftp, "folder").await.unwrap_err();
    assert!(folder.to_string().ends_with("it is not a file"), "{folder}");
}

#[tokio::test]
async fn only_files_are_listed_among_thousands_of_other_names() {
    let server = ssh::server();
    for number in 0..5_000 {
        server.put(&format!("log.{number:05}.txt"), b"");
    }
    server.put("one.zip", b"12345");
    fs::create_dir(server.files.join("folder.zip")).unwrap();
    server.put("folder.zip/inner.zip", b"1");
    symlink("one.zip", server.files.join("link.zip")).unwrap();
    symlink("folder.zip", server.files.join("link to a folder.zip")).unwrap();
    symlink("nowhere", server.files.join("link to nothing.zip")).unwrap();
    symlink("loop.zip", server.files.join("loop.zip")).unwrap();
    fs::write(server.files.join(std::ffi::OsStr::from_bytes(b"odd\xff.zip")), b"1").unwrap();
    fs::write(server.files.join("line\nbreak.zip"), b"1").unwrap();
    let made = std::process::Command::new("mkfifo").arg(server.files.join("pipe.zip")).status().unwrap();
    assert!(made.success());
    let sftp = open(&server);
    let started = Instant::now();
    let listed = sftp.list_names("").await.unwrap();
    println!("{} of {} names listed in {:?}", listed.len(), 5_009, started.elapsed());
    let zips = listed.iter().filter(|object| object.key.ends_with(".zip"));
    let zips: Vec<_> = zips.map(|object| (object.key.as_str(), object.size_bytes)).collect();
    assert_eq!(zips, [("link.zip", 5), ("one.zip", 5)]);
    assert_eq!(listed.len(), 5_002);
    let inner = sftp.list_names("folder.zip").await.unwrap();
    assert_eq!(inner.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["folder.zip/inner.zip"]);
    assert_eq!(fetch(&sftp, "link.zip").await.unwrap(), b"12345");
}

#[tokio::test]
async fn a_folder_that_is_missing_or_closed_is_told_apart() {
    let server = ssh::server();
    fs::create_dir(server.files.join("closed")).unwrap();
    server.put("secret.zip", b"1");
    server.own_files();
    for name in ["closed", "secret.zip"] {
        fs::set_permissions(server.files.join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let sftp = open(&server);
    let missing = sftp.list_names("missing").await.unwrap_err();
    let SftpError::NoSuchDirectory { login_folder: Some(folder), .. } = &missing else { panic!("{missing}") };
    assert!(folder.starts_with('/'), "{folder}");
    assert!(missing.hint().unwrap().contains("/~/DIR"), "{missing}");
    let closed = sftp.list_names("closed").await.unwrap_err();
    assert!(matches!(closed, SftpError::Denied { .. }), "{closed}");
    let secret = fetch(&sftp, "secret.zip").await.unwrap_err();
    assert!(matches!(secret, SftpError::Denied { .. }), "{secret}");
    assert!(secret.to_string().ends_with("access denied: Permission denied"), "{secret}");
}

#[tokio::test]
async fn a_path_from_the_login_folder_is_taken_from_there() {
    let server = ssh::server();
    server.put("a.zip", b"1");
    // The login folder of these servers is the root, if the user's own folder does not exist.
    let relative = server.files.display().to_string();
    let login_folder = {
        let sftp = open(&server);
        let missing = sftp.list_names("missing").await.unwrap_err();
        let SftpError::NoSuchDirectory { login_folder, .. } = missing else { panic!("{missing}") };
        login_folder.unwrap()
    };
    let up = login_folder.split('/').filter(|name| !name.is_empty()).map(|_| "..").collect::<Vec<_>>();
    let relative = [up, vec![relative.trim_start_matches('/')]].concat().join("/");
    let url = format!("sftp://{}@127.0.0.1:{}/~/{relative}", server.user, server.port);
    let sftp = Sftp::open(&url.parse().unwrap(), &server.options()).unwrap();
    assert_eq!(sftp.list_names("").await.unwrap().len(), 1);
    assert_eq!(fetch(&sftp, "a.zip").await.unwrap(), b"1");
}
