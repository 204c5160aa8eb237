//! Faults of the database.

use super::{OF_DATABASE, Tonight, ends_in_time};
use crate::support::pipeline::Pipeline;
use crate::support::postgres;
use crate::support::proxy::{Fault, Proxy};
use crate::support::ssh::free_port;

/// The URL with another port.
fn at(url: &str, port: u16) -> String {
    let own = url.rsplit_once("127.0.0.1:").unwrap().1.split('/').next().unwrap();
    url.replace(&format!("127.0.0.1:{own}"), &format!("127.0.0.1:{port}"))
}

fn port(url: &str) -> u16 {
    url.rsplit_once("127.0.0.1:").unwrap().1.split('/').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_database_that_is_down_or_lets_nobody_in() {
    let tonight = Tonight::with_weeks("check down").await;
    let url = tonight.env["DATABASE_URL"].clone();
    let seen = tonight.check(&[("DATABASE_URL", &at(&url, free_port()))]).await.exits(1);
    let seen = seen.only("database", "fail", &["nothing listens there"], &OF_DATABASE);
    seen.is("clock", "ok", &["the store's"]);
    let name = tonight.pipeline.database.name();
    let seen = tonight.check(&[("DATABASE_URL", &url.replace(name, "nowhere"))]).await.exits(1);
    seen.only("database", "fail", &["nowhere", "create the database"], &OF_DATABASE);
    let strict = format!("{url}{}sslmode=require", if url.contains('?') { '&' } else { '?' });
    let seen = tonight.check(&[("DATABASE_URL", &strict)]).await.exits(1);
    seen.only("database", "fail", &["sslmode"], &OF_DATABASE);
    for after_bytes in [1, 300, 900] {
        let proxy = Proxy::start(port(&url), Fault::Hang, after_bytes, u32::MAX).await;
        let seen = ends_in_time(&tonight, &[("DATABASE_URL", &at(&url, proxy.port))], 15).await.exits(1);
        seen.is("files", "skipped", &["the ledger could not be read"]);
    }
}

/// A missing right is named with the statement that grants it, and that grant is enough.
#[tokio::test]
async fn a_role_without_rights_is_told_what_to_ask_for() {
    let tonight = Tonight::with_weeks("check rights").await;
    let pipeline = &tonight.pipeline;
    let name = pipeline.database.name();
    let role = format!("{name}_role");
    let closed = format!(
        "create role {role} login; revoke all on database {name} from public;
         revoke all on schema public from public; grant connect on database {name} to {role};"
    );
    pipeline.execute(&closed).await;
    let url = pipeline.database.url_as(&role);
    let as_role = [("DATABASE_URL", url.as_str())];

    // The tables and the ledger belong to another role; the ledger must be readable first.
    let seen = tonight.check(&as_role).await.exits(1);
    let seen = seen.is("rights", "fail", &["temporary on database", "belong to merganser"]);
    let seen = seen.is("ledger", "fail", &["42501"]).is("tables", "skipped", &["temporary"]);
    grant(pipeline, &seen).await;
    let seen = tonight.check(&as_role).await.exits(0);
    seen.is("rights", "ok", &["all that a run needs"]);
    tonight.command(&["run", "oca"], &as_role).await.exits(0);
    assert_eq!(pipeline.one("select count(*) from oca_index").await, "2");

    // Another schema, which does not exist yet.
    let new = [as_role[0], ("DB_SCHEMA", "elsewhere"), ("MERGANSER_LEDGER_SCHEMA", "other")];
    let seen = tonight.check(&new).await.exits(1).only("rights", "fail", &["create on database"], &[]);
    grant(pipeline, &seen).await;
    tonight.check(&new).await.exits(0).others("ok", &[]);
    tonight.command(&["run", "oca"], &new).await.exits(0);
    assert_eq!(pipeline.one("select count(*) from elsewhere.oca_index").await, "2");
}

/// Runs the statements of the hint.
async fn grant(pipeline: &Pipeline, seen: &super::Seen) {
    let hint = seen.probe("rights")["hint"].as_str().unwrap().to_owned();
    let (_, statements) = hint.split_once('\n').expect("statements follow the first line");
    assert!(statements.lines().all(|line| line.ends_with(';')), "{statements}");
    pipeline.execute(statements).await;
}

#[tokio::test]
async fn tables_that_are_not_those_of_the_dataset() {
    let tonight = Tonight::with_weeks("check tables").await;
    let pipeline = &tonight.pipeline;
    pipeline.execute("alter table oca_metadata drop constraint oca_metadata_pkey").await;
    let seen = tonight.check(&[]).await.exits(0);
    seen.only("tables", "warn", &["oca_metadata primary key (indexnumberid)", "merganser adopt oca"], &[]);
    pipeline.execute("alter table oca_parties alter column role type varchar(9); alter table oca_index rename court to place").await;
    let seen = tonight.check(&[]).await.exits(1);
    let words =
        ["oca_parties.role is character varying(9), expected text", "oca_index.court (text) is not there"];
    seen.only("tables", "fail", &words, &[]);
    tonight.command(&["run", "oca"], &[]).await.exits(1).says(words[0]);
}

#[tokio::test]
async fn a_ledger_of_a_newer_version() {
    let tonight = Tonight::with_weeks("check newer").await;
    let newer = "insert into etl.migrations (version, name, applied_by) values (99, '0099_later', '9.0.0')";
    tonight.pipeline.execute(newer).await;
    let seen = tonight.check(&[]).await.exits(1);
    seen.only("ledger", "fail", &["version 99", "use the newer merganser"], &["lock", "files", "files open"]);
}

#[tokio::test]
async fn a_lock_that_is_held_is_told_with_its_holder() {
    let tonight = Tonight::with_weeks("check lock").await;
    let holder = tonight.pipeline.database.client().await;
    let lock = "select pg_advisory_lock(hashtextextended('merganser/etl/oca', 0))";
    holder.batch_execute(lock).await.unwrap();
    let seen = tonight.check(&[]).await.exits(0);
    seen.only("lock", "warn", &["as merganser since 20", "exits with 75"], &[]);
    drop(holder);
}

#[tokio::test]
async fn the_way_of_the_rows_is_told() {
    let tonight = Tonight::with_weeks("check way").await;
    let seen = tonight.check(&[]).await.exits(0);
    seen.is("extensions", "ok", &["no aws_s3", "--load-via auto: rows go through the connection"]);
    let seen = tonight.check(&[("MERGANSER_LOAD_VIA", "aws_s3")]).await.exits(1);
    seen.only("extensions", "fail", &["does not have the extension aws_s3", "--load-via copy"], &[]);
    tonight.pipeline.execute(include_str!("../../support/aws_s3.sql")).await;
    let seen = tonight.check(&[("MERGANSER_LOAD_VIA", "aws_s3")]).await.exits(0);
    seen.is("extensions", "ok", &["the database reads and writes S3 itself"]);
    let none = postgres::plain_database("check plain").await;
    let seen = tonight.check(&[("DATABASE_URL", &none.tcp_url())]).await.exits(0);
    seen.is("extensions", "ok", &["no postgis"]);
}
