//! Histories with a store on a real S3 server, whose objects cannot be appended to: one object an answer, joined when a run is over.

use super::world::{GitWorld, histories};
use crate::support::s3;

#[tokio::test]
async fn answers_are_objects_of_a_bucket_and_are_joined_there() {
    let world = GitWorld::new("commits_bucket", 350).await;
    world.run(&[]).await.exits(0);
    let server = world.server().await;
    let bucket = s3::bucket("histories").await;
    let asking = GitWorld::asking("commits_bucket_host", &server).await.env(bucket.env());
    let asking = asking.with("--store", format!("s3://{}/git", bucket.name));
    // Killed while its answers are still objects of their own.
    let list = world.list();
    let words = ["run", "commits", "--projects", &list];
    let killed =
        asking.start_other(&words, &[("FAULTS", "walk.archived@4=kill")]).await.expect("the run is over");
    assert_ne!(killed.code, 0);
    let private = |objects: &std::collections::BTreeMap<String, Vec<u8>>| {
        let keys =
            objects.keys().filter(|key| key.starts_with("git/private/commits/") && key.ends_with(".zst"));
        keys.cloned().collect::<Vec<_>>()
    };
    let loose = private(&bucket.objects().await);
    assert!(loose.len() >= 3, "{loose:#?}");
    while !world.ask(&asking, &["--requests", "3"]).await.exits(0).stdout.contains("nothing more to do") {}
    assert_eq!(histories(&asking).await, histories(&world.pipeline).await);
    // What was loose is joined: what is there is closed, and the ledger knows its checksum.
    let objects = bucket.objects().await;
    let closed = private(&objects);
    assert!(loose.iter().all(|key| !closed.contains(key)), "{loose:#?} {closed:#?}");
    let asked = server.take_log().len();
    asking.other(&["reprocess", "commits", "*", "--force", "--projects", &list]).await.exits(0);
    assert_eq!(server.take_log().len(), 0, "without a request");
    assert!(asked > closed.len(), "{asked} answers in {} parts", closed.len());
    assert_eq!(histories(&asking).await, histories(&world.pipeline).await);
    // A segment that somebody has changed is refused.
    let key = closed.iter().find(|key| key.contains("9001.")).expect("the lighthouse has answers");
    bucket.put(key, zstd::encode_all(&b"{}\n"[..], 3).unwrap()).await;
    let again = asking.other(&["reprocess", "commits", "*", "--force", "--projects", &list]).await;
    assert_ne!(again.code, 0, "{}", again.stdout);
    again.says("changed");
    assert_eq!(histories(&asking).await, histories(&world.pipeline).await);
}
