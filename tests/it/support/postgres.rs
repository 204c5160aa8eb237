//! One private PostgreSQL cluster for all tests of this process, and a fresh database for each.

use merganser::embedded::{Cluster, Embedded};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use super::Janitor;

/// The cluster of this process: no fsync, on a socket and on a free port of 127.0.0.1.
pub struct TestCluster {
    embedded: Embedded,
    _janitor: Janitor,
}

/// Starts the cluster, or returns the running one.
pub async fn cluster() -> &'static TestCluster {
    static CLUSTER: OnceCell<TestCluster> = OnceCell::const_new();
    CLUSTER
        .get_or_init(|| async {
            let dir = super::server_dir();
            let janitor = Janitor::watch(dir.path(), &dir.path().join("data/postmaster.pid"), "QUIT");
            let embedded = Cluster::at(dir.path())
                .setting("fsync", "off")
                .setting("synchronous_commit", "off")
                .setting("full_page_writes", "off")
                // There are hundreds of databases, and within its naptime autovacuum starts a process for each: they took
                // two fifths of the suite's processor time.
                .setting("autovacuum_naptime", "1h")
                .setting("max_connections", "200")
                .tcp(true)
                .start()
                .await
                .unwrap_or_else(|error| panic!("{error}\nhint: {}", error.hint().unwrap_or_default()));
            let _ = dir.keep();
            thin(&connect(&embedded.database_url("merganser")).await).await;
            TestCluster { embedded, _janitor: janitor }
        })
        .await
}

/// Takes what no test asks for, half of it, out of the database that all others are copies of: the systems of coordinates of the
/// world, but for degrees and those of New York.
async fn thin(template: &Client) {
    let has_postgis = "select to_regclass('spatial_ref_sys') is not null";
    if template.query_one(has_postgis, &[]).await.expect("the catalogue can be read").get(0) {
        let rare = "delete from spatial_ref_sys where srid not in (4326, 2263, 3857)";
        template.batch_execute(rare).await.expect("rows can be deleted");
        template.batch_execute("vacuum full spatial_ref_sys").await.expect("a table can be shrunk");
    }
}

/// What the server has logged so far, of every database.
pub async fn log() -> String {
    let path = cluster().await.embedded.log_file();
    String::from_utf8_lossy(&std::fs::read(path).expect("the log can be read")).into_owned()
}

/// A database that only one test uses.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
    /// Where it is dropped from, if it is a copy.
    admin_url: Option<String>,
    /// If the cluster listens on TCP.
    tcp_url: Option<String>,
}

/// Makes an empty database with PostGIS, if the system has that. `name_hint` helps to find it in logs.
pub async fn database(name_hint: &str) -> TestDatabase {
    // The cluster's own database, which nobody connects to but its start, is the template: with
    // PostGIS in it, copying takes a tenth of the time that creating the extension takes.
    copy_of("merganser", name_hint).await
}

/// The private cluster of this process, for tests that need more than one database.
pub async fn shared() -> &'static Embedded {
    &cluster().await.embedded
}

/// Makes an empty database without PostGIS.
pub async fn plain_database(name_hint: &str) -> TestDatabase {
    copy_of("template0", name_hint).await
}

async fn copy_of(template: &str, name_hint: &str) -> TestDatabase {
    TestDatabase::copy(shared().await, template, name_hint).await
}

impl TestDatabase {
    /// A database of a cluster.
    pub fn of(cluster: &Embedded, name: &str) -> Self {
        let (url, tcp_url) = (cluster.database_url(name), cluster.tcp_url(name));
        Self { name: name.into(), url, admin_url: None, tcp_url }
    }

    /// Makes a copy of a database of a cluster; nobody may be connected to it.
    pub async fn copy(cluster: &Embedded, template: &str, name_hint: &str) -> Self {
        let name = super::unique(name_hint, '_');
        let admin_url = cluster.database_url("postgres");
        let create = format!("create database {name} template {template}");
        connect(&admin_url).await.batch_execute(&create).await.expect("a database can be made");
        let mut database = Self::of(cluster, &name);
        database.admin_url = Some(admin_url);
        database
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// URL over the Unix socket.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// URL over the Unix socket, as another role.
    pub fn url_as(&self, role: &str) -> String {
        self.url.replace("user=merganser", &format!("user={role}"))
    }

    /// URL over 127.0.0.1, with the password.
    pub fn tcp_url(&self) -> String {
        self.tcp_url.clone().expect("the cluster listens on TCP")
    }

    /// A new connection over the Unix socket.
    pub async fn client(&self) -> Client {
        connect(&self.url).await
    }
}

/// Hundreds of databases would fill the memory. Nobody waits until it is gone.
impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(admin_url) = self.admin_url.take() else { return };
        let drop = format!("drop database {} with (force)", self.name);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                // Its server may be gone by now, and the database with it.
                if let Ok((admin, connection)) = tokio_postgres::connect(&admin_url, NoTls).await {
                    tokio::spawn(connection);
                    let _ = admin.batch_execute(&drop).await;
                }
            });
        });
    }
}

/// A connection to any database without TLS; it ends when the client is dropped.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL can be reached");
    tokio::spawn(connection);
    client
}
