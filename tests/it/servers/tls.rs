//! TLS to PostgreSQL: the certificate is checked as sslmode asks. TLS to S3: it is always checked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use merganser::embedded::Cluster;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::support::Janitor;
use crate::support::extract::Extract;
use crate::support::fire::Fire;
use crate::support::pipeline::Pipeline;
use crate::support::postgres::TestDatabase;
use crate::support::s3;

fn openssl(dir: &Path, args: &str) {
    let said = Command::new("openssl").args(args.split_whitespace()).current_dir(dir).output();
    let said = said.expect("openssl runs");
    assert!(said.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&said.stderr));
}

/// Makes an authority, and returns the file of its certificate.
fn authority(dir: &Path, name: &str) -> PathBuf {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(dir, &format!("req -x509 {key} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.crt"));
    dir.join(format!("{name}.crt"))
}

/// Makes a certificate for the name `localhost` alone, signed by the authority `name`.
fn certificate(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(dir, &format!("req {key} -subj /CN=localhost -keyout server.key -out server.csr"));
    fs::write(dir.join("names"), "subjectAltName = DNS:localhost\n").unwrap();
    let sign = format!("-CA {name}.crt -CAkey {name}.key -CAcreateserial -days 2");
    openssl(dir, &format!("x509 -req -in server.csr {sign} -extfile names -out server.crt"));
    (dir.join("server.crt"), dir.join("server.key"))
}

#[tokio::test]
async fn the_servers_certificate_is_checked() {
    let folder = crate::support::server_dir();
    let dir = folder.path();
    // Root's server runs as another user, who must be able to enter the folder.
    fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let (ours, theirs) = (authority(dir, "ours"), authority(dir, "theirs"));
    let (certificate, key) = certificate(dir, "ours");
    let cluster_dir = dir.join("cluster");
    let _janitor = Janitor::watch(dir, &cluster_dir.join("data/postmaster.pid"), "QUIT");
    let cluster = Cluster::at(&cluster_dir).setting("fsync", "off").setting("log_connections", "on");
    let embedded = cluster.tcp(true).tls(&certificate, &key).start().await.unwrap();

    let address = embedded.tcp_url("merganser").unwrap();
    let name = address.replace("@127.0.0.1:", "@localhost:");
    let password = address.split(['@', ':']).nth(2).unwrap().to_owned();
    let pipeline = Pipeline::on(TestDatabase::of(&embedded, "merganser"));
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    let connections = || {
        let log = fs::read_to_string(embedded.log_file()).unwrap();
        let lines = log.lines().filter(|line| line.contains("application_name=merganser"));
        lines.map(|line| line.contains("SSL enabled")).collect::<Vec<_>>()
    };
    // (host, options, root certificate, the words of the refusal)
    let cases = [
        (&name, "sslmode=verify-full", Some(&theirs), Some("certificate")),
        (&name, "sslmode=verify-ca", Some(&theirs), Some("certificate")),
        (&name, "sslmode=require", Some(&theirs), Some("certificate")),
        (&name, "sslmode=verify-full", None, Some("certificate")),
        (&address, "sslmode=verify-full", Some(&ours), Some("certificate")),
        (&name, "sslmode=verify-full", Some(&key), Some("sslrootcert")),
        (&name, "sslmode=verify-full", Some(&ours), None),
        (&address, "sslmode=verify-ca", Some(&ours), None),
        (&address, "sslmode=require", None, None),
    ];
    let mut good = 0;
    for (host, mode, root, refusal) in cases {
        let root = root.map_or(String::new(), |root| format!("&sslrootcert={}", root.display()));
        let url = format!("{host}?{mode}{root}");
        let ran = pipeline.run_with(&["--database-url", &url]).await;
        assert!(!ran.stderr.contains(&password) && !ran.stdout.contains(&password), "{}", ran.stderr);
        match refusal {
            Some(words) => {
                ran.exits(1).says(words).says("The database is unchanged.");
                assert_eq!(connections().len(), good, "{mode}{root}: no connection was made");
            }
            None => {
                ran.exits(0);
                let all = connections();
                assert!(all.len() > good && all.iter().all(|tls| *tls), "{mode}{root}: {all:?}");
                good = all.len();
            }
        }
    }
    assert_eq!(pipeline.column("select indexnumberid from oca_index").await, ["a"]);
    // An environment variable sets it too.
    let root = ("PGSSLROOTCERT".to_owned(), theirs.display().to_string());
    let pipeline = pipeline.env([("PGSSLMODE".to_owned(), "verify-full".to_owned()), root]);
    pipeline.run_with(&["--database-url", &name]).await.exits(1).says("certificate");
    assert!(embedded.stop().await.unwrap());
}

#[tokio::test]
async fn a_server_without_tls_is_refused_when_tls_is_asked_for() {
    let pipeline = Pipeline::new("no tls").await;
    let url = format!("{}?sslmode=require", pipeline.database.tcp_url());
    pipeline
        .run_with(&["--database-url", &url])
        .await
        .exits(1)
        .says("TLS")
        .says("The database is unchanged.");
    let url = format!("{}?sslmode=prefer", pipeline.database.tcp_url());
    pipeline.run_with(&["--database-url", &url]).await.exits(0);
}

#[tokio::test]
async fn a_store_whose_certificate_nobody_vouches_for_is_refused() {
    let folder = crate::support::server_dir();
    let (ours, theirs) = (authority(folder.path(), "ours"), authority(folder.path(), "theirs"));
    let (certificate, key) = certificate(folder.path(), "ours");
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(certificate).unwrap().collect::<Result<_, _>>().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(key).unwrap())
        .unwrap();
    let bucket = s3::bucket("tls").await;
    let fire = Fire::start_tls(&bucket.endpoint, TlsAcceptor::from(Arc::new(config))).await;
    let by_address = fire.endpoint.replace("localhost", "127.0.0.1");
    let pipeline = Pipeline::new("s3 tls").await.env(bucket.env());
    let pipeline = pipeline.with("--store", format!("s3://{}/oca", bucket.name));
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    // (address, authority, is it accepted)
    let cases = [
        (&fire.endpoint, None, false),
        (&fire.endpoint, Some(&theirs), false),
        (&by_address, Some(&ours), false),
        (&fire.endpoint, Some(&ours), true),
    ];
    for (endpoint, authority, good) in cases {
        let mut envs = vec![("AWS_ENDPOINT_URL_S3".to_owned(), endpoint.clone())];
        envs.extend(authority.map(|file| ("AWS_CA_BUNDLE".to_owned(), file.display().to_string())));
        let ran = pipeline.run_in(envs).await;
        match good {
            true => drop(ran.exits(0)),
            false => {
                ran.exits(1).says("certificate").says("The database is unchanged.");
                assert_eq!(fire.seen().len(), 0, "{endpoint}: nothing was sent");
            }
        }
    }
    assert!(bucket.objects().await.contains_key("oca/public/manifest.json"));
}
