//! One real S3 server (Garage) for all tests of this process, and a fresh bucket for each.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use tokio::sync::OnceCell;

use super::{Janitor, tools};

/// What Garage calls its region, because we tell it so.
pub const REGION: &str = "garage";
/// Time that the server may take to answer.
const LIMIT: Duration = Duration::from_secs(30);

/// The Garage server of this process: one node, one access key.
pub struct Garage {
    program: PathBuf,
    config: PathBuf,
    endpoint: String,
    access_key: String,
    secret_key: String,
    _janitor: Janitor,
}

/// Starts the server, or gives the one that runs.
pub async fn garage() -> &'static Garage {
    static GARAGE: OnceCell<Garage> = OnceCell::const_new();
    GARAGE.get_or_init(|| async { tokio::task::spawn_blocking(start).await.expect("Garage starts") }).await
}

/// A bucket that only one test uses, and what it takes to reach it.
pub struct Bucket {
    pub name: String,
    pub endpoint: String,
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
}

/// Makes an empty bucket; `hint` helps to find it in logs.
pub async fn bucket(hint: &str) -> Bucket {
    let garage = garage().await;
    let name = super::unique(hint, '-');
    let bucket = name.clone();
    tokio::task::spawn_blocking(move || {
        garage.cli(&["bucket", "create", &bucket]);
        let key = &garage.access_key;
        garage.cli(&["bucket", "allow", "--read", "--write", "--owner", &bucket, "--key", key]);
    })
    .await
    .expect("a bucket can be made");
    Bucket {
        name,
        endpoint: garage.endpoint.clone(),
        access_key: garage.access_key.clone(),
        secret_key: garage.secret_key.clone(),
        region: REGION.into(),
    }
}

/// Makes a key that may only read the bucket; gives its id and its secret.
pub async fn read_only_key(bucket: &Bucket) -> (String, String) {
    let (garage, name) = (garage().await, bucket.name.clone());
    let (id, secret) = (format!("GK{}", random_hex(12)), random_hex(32));
    let key = (id.clone(), secret.clone());
    tokio::task::spawn_blocking(move || {
        garage.cli(&["key", "import", "--yes", &id, &secret]);
        garage.cli(&["bucket", "allow", "--read", &name, "--key", &id]);
    })
    .await
    .expect("a key can be made");
    key
}

impl Bucket {
    /// The environment that leads the AWS SDK to the server. Addresses must be path-style.
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("AWS_ACCESS_KEY_ID", &self.access_key),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_key),
            ("AWS_REGION", &self.region),
            ("AWS_ENDPOINT_URL_S3", &self.endpoint),
        ]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .into()
    }

    /// A client of the server.
    pub fn client(&self) -> Client {
        let credentials = Credentials::new(&self.access_key, &self.secret_key, None, None, "test");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(credentials)
            .region(Region::new(self.region.clone()))
            .endpoint_url(&self.endpoint)
            .force_path_style(true)
            .build();
        Client::from_conf(config)
    }

    /// Puts an object into the bucket.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) {
        let put = self.client().put_object().bucket(&self.name).key(key).body(bytes.into());
        put.send().await.expect("an object can be put");
    }

    /// Every object of the bucket: key and bytes.
    pub async fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let client = self.client();
        let listed =
            client.list_objects_v2().bucket(&self.name).send().await.expect("the bucket can be listed");
        assert_eq!(listed.is_truncated(), Some(false), "more objects than one answer lists");
        let mut objects = BTreeMap::new();
        for key in listed.contents().iter().filter_map(|object| object.key()) {
            let got = client.get_object().bucket(&self.name).key(key).send().await.expect("it can be read");
            let bytes = got.body.collect().await.expect("it can be read to its end").to_vec();
            objects.insert(key.to_owned(), bytes);
        }
        objects
    }

    /// Every object: key, type and bytes.
    pub async fn typed_objects(&self) -> BTreeMap<String, (String, Vec<u8>)> {
        let client = self.client();
        let mut objects = BTreeMap::new();
        let mut pages = client.list_objects_v2().bucket(&self.name).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.expect("the bucket can be listed").contents() {
                let key = object.key().expect("an object has a key");
                let got = client.get_object().bucket(&self.name).key(key).send().await.expect("an object");
                let kind = got.content_type().unwrap_or_default().to_owned();
                let bytes = got.body.collect().await.expect("its bytes").to_vec();
                objects.insert(key.to_owned(), (kind, bytes));
            }
        }
        objects
    }
}

impl Garage {
    /// Runs one of Garage's own administrative commands.
    fn cli(&self, args: &[&str]) {
        let said = Command::new(&self.program).arg("-c").arg(&self.config).args(args).output();
        let said = said.expect("garage runs");
        assert!(said.status.success(), "garage {args:?}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

fn start() -> Garage {
    let program = program();
    let dir = super::server_dir();
    let path = dir.path().to_owned();
    let (config, log, pid_file) =
        (path.join("garage.toml"), path.join("garage.log"), path.join("garage.pid"));
    let janitor = Janitor::watch(&path, &pid_file, "KILL");
    let access_key = format!("GK{}", random_hex(12));
    let secret_key = random_hex(32);
    // A port is free when it is chosen and may be taken when the server asks for it.
    for attempt in 1.. {
        let (s3_port, rpc_port) = free_ports();
        fs::write(&config, config_text(&path, s3_port, rpc_port)).expect("the configuration can be written");
        let log_file = File::create(&log).expect("the log can be written");
        let mut server = Command::new(&program)
            .arg("-c")
            .arg(&config)
            .args(["server", "--single-node", "--default-access-key"])
            .env("GARAGE_DEFAULT_ACCESS_KEY", &access_key)
            .env("GARAGE_DEFAULT_SECRET_KEY", &secret_key)
            .env("RUST_LOG", "garage=warn")
            .stdin(Stdio::null())
            .stdout(log_file.try_clone().expect("a file can be shared"))
            .stderr(log_file)
            .spawn()
            .expect("garage runs");
        fs::write(&pid_file, format!("{}\n", server.id())).expect("the number can be written");
        let deadline = Instant::now() + LIMIT;
        while server.try_wait().expect("a child can be asked").is_none() && Instant::now() < deadline {
            if answers(s3_port) {
                let endpoint = format!("http://127.0.0.1:{s3_port}");
                let _ = dir.keep();
                return Garage { program, config, endpoint, access_key, secret_key, _janitor: janitor };
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = server.kill();
        let _ = server.wait();
        let said = fs::read_to_string(&log).unwrap_or_default();
        assert!(attempt < 3 && said.contains("in use"), "Garage did not start:\n{said}");
    }
    unreachable!("the last attempt returns or panics")
}

/// $MERGANSER_TEST_GARAGE, else where `scripts/setup test` puts it.
fn program() -> PathBuf {
    let named = env::var_os("MERGANSER_TEST_GARAGE").map(PathBuf::from);
    let program = named.unwrap_or_else(|| tools::tool("garage", "garage_version").join("bin/garage"));
    assert!(program.is_file(), "no Garage at {}: run scripts/setup test", program.display());
    program
}

fn config_text(dir: &Path, s3_port: u16, rpc_port: u16) -> String {
    let (dir, rpc_secret) = (dir.display(), random_hex(32));
    format!(
        "metadata_dir = '{dir}/meta'\n\
         data_dir = '{dir}/data'\n\
         db_engine = 'lmdb'\n\
         lmdb_map_size = '1G'\n\
         replication_factor = 1\n\
         disable_scrub = true\n\
         rpc_bind_addr = '127.0.0.1:{rpc_port}'\n\
         rpc_public_addr = '127.0.0.1:{rpc_port}'\n\
         rpc_secret = '{rpc_secret}'\n\
         [s3_api]\n\
         s3_region = '{REGION}'\n\
         api_bind_addr = '127.0.0.1:{s3_port}'\n"
    )
}

/// Whether the server answers a request at all; without a signature it refuses, which is an answer.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<[u8; 5]> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut begin = [0; 5];
        stream.read_exact(&mut begin)?;
        Ok(begin)
    };
    ask().is_ok_and(|begin| &begin == b"HTTP/")
}

fn free_ports() -> (u16, u16) {
    let bind = || TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    // Both are held until both are chosen: they must differ.
    let (one, other) = (bind(), bind());
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    (port(&one), port(&other))
}

fn random_hex(bytes: usize) -> String {
    let mut random = vec![0u8; bytes];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random)).expect("random bytes");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
