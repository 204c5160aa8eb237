//! Stores and databases that refuse: the error is clear, and the database is unchanged.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

/// A pipeline with one case in production and another one waiting.
async fn pipeline(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-08").case("b", "").delete("a"));
    pipeline
}

#[tokio::test]
async fn a_store_that_cannot_be_written() {
    let pipeline = pipeline("store refuses").await;
    let before = pipeline.tables("public").await;
    // A file stands where the store's folder must be, so even root cannot write there.
    let file = pipeline.folder().join("file");
    fs::write(&file, "").unwrap();
    let store = format!("file:{}", file.display());
    let ran = pipeline.run_with(&["--store", &store]).await.exits(1);
    ran.says(&store).says("The database is unchanged.").says("upload");
    // A read-only folder, in which root may still write.
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(pipeline.store(), fs::Permissions::from_mode(0o555)).unwrap();
        pipeline.run().await.exits(1).says("right to read and write").says("The database is unchanged.");
        fs::set_permissions(pipeline.store(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert_eq!(pipeline.tables("public").await, before);
    let steps = "select step || ' ' || steps.status from etl.steps join etl.runs using (run_id)
                 where runs.status = 'failed' and steps.status = 'failed' limit 1";
    assert_eq!(pipeline.one(steps).await, "upload failed");
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.column("select indexnumberid from oca_index").await, ["b"]);
}

#[tokio::test]
async fn a_source_that_is_not_there_or_empty() {
    let pipeline = Pipeline::new("no source").await;
    let source = format!("dir:{}", pipeline.folder().join("nowhere").display());
    pipeline
        .run_with(&["--source", &source])
        .await
        .exits(1)
        .says("nowhere")
        .says("The database is unchanged.");
    // The folder has no file of this dataset: nothing new, and a message about it.
    fs::write(pipeline.source().join("notes.txt"), "").unwrap();
    pipeline.run().await.exits(0).says("has no file of oca").says("Nothing was loaded");
    assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
}

/// The URL of a login role without any right, and the role's name.
async fn role(pipeline: &Pipeline) -> (String, String) {
    let role = format!("{}_role", pipeline.database.name());
    pipeline.execute(&format!("create role {role} login password 'open sesame'")).await;
    let url = pipeline.database.tcp_url();
    let (_, host) = url.split_once('@').unwrap();
    (format!("postgresql://{role}:open%20sesame@{host}"), role)
}

#[tokio::test]
async fn a_database_user_without_rights() {
    let pipeline = pipeline("no rights").await;
    let before = pipeline.tables("public").await;
    let (url, role) = role(&pipeline).await;
    // The role has no right to the ledger.
    let ran = pipeline.run_with(&["--database-url", &url]).await.exits(1);
    let ran = ran.says("permission denied").says("42501").says("The database is unchanged.");
    assert!(!ran.stderr.contains("sesame") && !ran.stdout.contains("sesame"), "{}", ran.stderr);
    // The role has the ledger and staging, but may only read production.
    let database = pipeline.database.name();
    pipeline
        .execute(&format!(
            "grant all on schema etl, etl_staging to {role}; grant all on all tables in schema etl to {role};
             grant all on all sequences in schema etl to {role}; grant temporary on database {database} to {role};
             drop schema etl_staging cascade; create schema etl_staging authorization {role};
             grant select on all tables in schema public to {role}"
        ))
        .await;
    let ran = pipeline.run_with(&["--database-url", &url]).await.exits(1);
    ran.says("promote").says("42501").says("The database is unchanged.");
    assert_eq!(pipeline.tables("public").await, before);
    // The role has what a run needs and no more: neither ownership nor the right to create.
    pipeline.execute(&format!("grant insert, update, delete on all tables in schema public to {role}")).await;
    pipeline.run_with(&["--database-url", &url]).await.exits(0);
    assert_eq!(pipeline.column("select indexnumberid from oca_index").await, ["b"]);
}

#[tokio::test]
async fn a_database_that_lets_nobody_in() {
    let pipeline = Pipeline::new("no entry").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    let (url, _) = role(&pipeline).await;
    let wrong = url.replace("open%20sesame", "guess-guess");
    let ran = pipeline.run_with(&["--database-url", &wrong]).await.exits(1).says("28P01");
    assert!(!ran.stderr.contains("guess-guess"), "{}", ran.stderr);
    let missing = format!("{url}_missing");
    pipeline.run_with(&["--database-url", &missing]).await.exits(1).says("3D000").says("_missing");
    // A port on which no server listens.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let closed = format!("postgresql://me:secret-secret@127.0.0.1:{port}/db");
    let ran =
        pipeline.run_with(&["--database-url", &closed]).await.exits(1).says(&format!("127.0.0.1:{port}"));
    assert!(!ran.stderr.contains("secret-secret"), "{}", ran.stderr);
}

#[tokio::test]
async fn an_error_for_people_says_what_where_and_whether_anything_changed() {
    let pipeline = pipeline("for people").await;
    let file = pipeline.folder().join("file");
    fs::write(&file, "").unwrap();
    let store = format!("file:{}", file.display());
    let ran = pipeline.run_with(&["--store", &store, "--log-format", "text", "--quiet"]).await.exits(1);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert!(lines[0].starts_with("error: upload failed: ") && lines[0].contains(&store), "{}", ran.stderr);
    let run_id = pipeline.one("select run_id from etl.runs where status = 'failed'").await;
    assert!(lines.contains(&format!("  where: run {run_id}").as_str()), "{}", ran.stderr);
    assert!(lines.contains(&"The database is unchanged."), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}
