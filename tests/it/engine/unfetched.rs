//! A file that cannot be fetched is a failed file: the others are loaded, and the next run tries it again.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use merganser::words::counted;

use crate::datasets::oca::rules::{marked, marks};
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::ssh::{self, SshServer};

const OUTSTANDING: &str = "The cases of these files stay as they are";

fn week(date: &str, id: &str) -> Extract {
    Extract::weekly(date).case(id, &marked(date)).delete(&format!("sealed {id}"))
}

async fn statuses(pipeline: &Pipeline) -> Vec<String> {
    pipeline
        .column(
            "select as_of || ' ' || status || case when sha256 is null then ' ' || error else '' end from etl.parts
             where run_id = (select run_id from etl.runs order by started_at desc limit 1) order by part_id",
        )
        .await
}

/// The run has loaded what it could, and says what to do.
async fn is_partial(pipeline: &Pipeline, ran: Ran, failed: usize) {
    let ran =
        ran.exits(3).says(OUTSTANDING).says(&format!("{} could not be read", counted(failed as u64, "file")));
    assert_eq!(ran.finished()["files"].as_u64(), Some(1 + failed as u64));
    assert_eq!(marks(pipeline, "good").await, "2024-01-08");
    let run = "select status from etl.runs order by started_at desc limit 1";
    assert_eq!(pipeline.one(run).await, "completed_with_failures");
    pipeline.other(&["status", "last"]).await.exits(0).says("cannot be fetched");
}

#[tokio::test]
async fn of_a_folder_on_this_machine() {
    let pipeline = Pipeline::new("unfetched dir").await;
    pipeline.put(week("2024-01-08", "good"));
    let path = |date: &str| pipeline.source().join(format!("LandlordTenant.Incr.{date}.zip"));
    fs::create_dir(path("2024-01-01")).unwrap();
    symlink("nowhere", path("2024-01-15")).unwrap();
    symlink(path("2024-01-22"), path("2024-01-22")).unwrap();
    fs::create_dir(pipeline.source().join("another folder")).unwrap();
    // Root may read any file.
    let closed = !rustix::process::geteuid().is_root();
    if closed {
        pipeline.put(week("2024-01-29", "late"));
        fs::set_permissions(path("2024-01-29"), Permissions::from_mode(0o000)).unwrap();
    }
    let failed = 3 + usize::from(closed);
    let check = pipeline.other(&["check", "oca"]).await.exits(0).says("warn  files open");
    check.says(&format!("{failed} of {} to be taken cannot be opened", failed + 1)).says("exit code 3");
    let ran = pipeline.run_with(&["--dry-run"]).await.exits(3);
    assert_eq!(ran.finished()["files"].as_u64(), Some(1 + failed as u64));
    pipeline
        .run_with(&["--fail-fast"])
        .await
        .exits(1)
        .says("it is a folder")
        .says("The database is unchanged.");
    let ran = pipeline.run().await;
    is_partial(&pipeline, ran, failed).await;
    let seen = statuses(&pipeline).await;
    let name = |date: &str| {
        format!(
            "{date} failed LandlordTenant.Incr.{date}.zip cannot be fetched: LandlordTenant.Incr.{date}.zip: "
        )
    };
    assert_eq!(seen[0], name("2024-01-01") + "it is a folder");
    assert_eq!(seen[1], "2024-01-08 done");
    assert_eq!(seen[2], name("2024-01-15") + "it is a link to nothing");
    assert_eq!(seen[3], name("2024-01-22") + "it is a link to nothing");

    // The source has no other files, so no file could be read.
    pipeline.run().await.exits(1).says("no file could be read: ").says("it is a folder");
    fs::remove_dir(path("2024-01-01")).unwrap();
    for date in ["2024-01-15", "2024-01-22"] {
        fs::remove_file(path(date)).unwrap();
        pipeline.put(week(date, "late"));
    }
    if closed {
        fs::set_permissions(path("2024-01-29"), Permissions::from_mode(0o644)).unwrap();
    }
    pipeline.run().await.exits(0);
    assert_ne!(marks(&pipeline, "late").await, "none");
    // A file that was loaded and then replaced by something else causes no failure.
    fs::remove_file(path("2024-01-15")).unwrap();
    symlink("nowhere", path("2024-01-15")).unwrap();
    pipeline.run().await.exits(0).says("Nothing new");
    // The folder itself is gone, so single files cannot be judged.
    fs::rename(pipeline.source(), pipeline.folder().join("gone")).unwrap();
    pipeline.run().await.exits(1).says("list dir:");
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_still_being_written() {
    use std::io::Write;

    use crate::support::held::{hold, let_go};

    let pipeline = Pipeline::new("unfetched grows").await;
    pipeline.put(week("2024-01-01", "late")).put(week("2024-01-08", "good"));
    let run = hold(&pipeline, &[], "fetch.mid_file").await;
    let path = pipeline.source().join("LandlordTenant.Incr.2024-01-01.zip");
    fs::File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
    let ran = let_go(run).await.says("changed while it was read");
    is_partial(&pipeline, ran, 1).await;
    pipeline.put(week("2024-01-01", "late"));
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "late").await, "2024-01-01");
    // Trouble of this machine would affect every file, so the run stops.
    pipeline.put(week("2024-01-15", "new"));
    let ran = pipeline.start_with(&[], &[("FAULTS", "fetch.mid_file=fail")]).await.unwrap();
    ran.exits(1).says("keep a copy of").says("The database is unchanged.");
}

/// A pipeline with a server that offers one good file.
async fn over_sftp(hint: &str) -> (SshServer, Pipeline) {
    let server = ssh::server();
    week("2024-01-08", "good").put(&server.files);
    let pipeline = Pipeline::new(hint).await.with("--source", server.url()).env([
        ("MERGANSER_SFTP_KEY".to_owned(), server.dir.join("user_key").display().to_string()),
        ("MERGANSER_SFTP_HOST_KEY".to_owned(), server.fingerprint("ed25519")),
    ]);
    (server, pipeline)
}

#[tokio::test]
async fn of_an_sftp_server() {
    let (server, pipeline) = over_sftp("unfetched sftp").await;
    let path = |date: &str| server.files.join(format!("LandlordTenant.Incr.{date}.zip"));
    week("2024-01-15", "late").put(&server.files);
    server.own_files();
    fs::set_permissions(path("2024-01-15"), Permissions::from_mode(0o000)).unwrap();
    fs::create_dir(path("2024-01-01")).unwrap();
    symlink("nowhere", path("2024-01-22")).unwrap();
    symlink(path("2024-01-29"), path("2024-01-29")).unwrap();
    let check = pipeline.other(&["check", "oca"]).await.exits(0).says("warn  files open");
    check.says("4 of 5 to be taken cannot be opened");
    let ran = pipeline.run().await.says("access denied");
    is_partial(&pipeline, ran, 4).await;
    let seen = statuses(&pipeline).await;
    assert!(seen[0].contains("it is not a regular file") && seen[1].ends_with("done"), "{seen:?}");
    assert!(seen[2].contains("access denied: Permission denied"), "{seen:?}");
    assert!(seen[3..].iter().all(|line| line.contains("it is a link to nothing")), "{seen:?}");
    fs::set_permissions(path("2024-01-15"), Permissions::from_mode(0o644)).unwrap();
    for date in ["2024-01-22", "2024-01-29"] {
        fs::remove_file(path(date)).unwrap();
    }
    fs::remove_dir(path("2024-01-01")).unwrap();
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "late").await, "2024-01-15");
}
