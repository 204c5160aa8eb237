//! The servers of `support` start and do what the other tests take for granted.

use crate::support::{self, postgres, s3};

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let one = postgres::database("Smoke, one").await;
    let other = postgres::database("Smoke, one").await;
    assert_ne!(one.name(), other.name());
    one.client().await.batch_execute("create table only_here ()").await.unwrap();
    let seen = "select count(*) from pg_catalog.pg_tables where tablename = 'only_here'";
    let count = |client: tokio_postgres::Client| async move {
        client.query_one(seen, &[]).await.unwrap().get::<_, i64>(0)
    };
    assert_eq!(count(one.client().await).await, 1);
    assert_eq!(count(other.client().await).await, 0);
    // The same database over the other connection.
    assert_eq!(count(postgres::connect(&one.tcp_url()).await).await, 1);
    let row = postgres::connect(&one.url()).await.query_one("select st_astext(st_point(1, 2))", &[]).await;
    let row = row.unwrap();
    assert_eq!(row.get::<_, String>(0), "POINT(1 2)");
}

#[tokio::test]
async fn each_test_has_a_bucket_of_its_own() {
    let one = s3::bucket("Smoke_one").await;
    let other = s3::bucket("Smoke_one").await;
    let client = one.client();
    let body = b"case number\n".to_vec();
    client.put_object().bucket(&one.name).key("a/b.csv").body(body.clone().into()).send().await.unwrap();
    let got = client.get_object().bucket(&one.name).key("a/b.csv").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), body);
    assert!(one.env().contains(&("AWS_ENDPOINT_URL_S3".to_owned(), one.endpoint.clone())));
    let listed = client.list_objects_v2().bucket(&other.name).send().await.unwrap();
    assert_eq!(listed.key_count(), Some(0));
}

#[test]
fn the_binary_runs() {
    let none: [(&str, &str); 0] = [];
    let said = support::merganser(["--help"], none);
    assert!(said.status.success(), "{said:?}");
}

/// A machine that vanishes must not hold the lock for as long as the server's system would wait.
#[tokio::test]
async fn the_server_looks_for_clients_that_are_gone() {
    let database = postgres::database("keepalives").await;
    let asked =
        "select current_setting('tcp_keepalives_idle') || '/' || current_setting('tcp_keepalives_interval')
        || '/' || current_setting('tcp_keepalives_count')";
    for (url, expected) in [(database.tcp_url(), "30/10/3"), (database.url(), "0/0/0")] {
        let url = url.parse().expect("a valid URL");
        let connection = merganser::clients::postgres::connect(&url, "test").await.expect("a connection");
        let row = connection.query_one(asked, &[]).await.expect("an answer");
        assert_eq!(row.get::<_, String>(0), expected);
    }
}
