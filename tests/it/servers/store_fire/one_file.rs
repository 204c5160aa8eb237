//! An object that S3 does not give, and an archive in S3 that holds other bytes than were loaded.

use super::Place;
use crate::datasets::oca::rules::{marked, marks};
use crate::support::extract::Extract;
use crate::support::fire::Fault;
use crate::support::sha256;

const LATE: &str = "LandlordTenant.Incr.2024-01-01.zip";
const GOOD: &str = "LandlordTenant.Incr.2024-01-08.zip";

async fn place(hint: &str) -> Place {
    let place = Place::new(hint).await;
    place.put(Extract::weekly("2024-01-01").case("late", &marked("1"))).await;
    place.put(Extract::weekly("2024-01-08").case("good", &marked("1"))).await;
    place
}

#[tokio::test]
async fn an_object_that_is_denied_or_gone_does_not_stop_the_others() {
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchKey"), (403, "InvalidObjectState")] {
        let place = place("one object").await;
        place.fire.strike("GET", LATE, Fault::Answer(status, code), 1000);
        let check = place.pipeline.other(&["check", "oca"]).await.exits(0);
        check.says("1 of 2 to be taken cannot be opened").says(code);
        let ran =
            place.pipeline.run().await.exits(3).says(code).says("The cases of these files stay as they are");
        assert_eq!(ran.count("records_loaded"), 1);
        assert_eq!(marks(&place.pipeline, "good").await, "1");
        place.fire.heal();
        place.pipeline.run().await.exits(0);
        assert_eq!(marks(&place.pipeline, "late").await, "1");
    }
    // An error about the keys concerns every file, and so does a connection that cannot be made.
    let place = place("all objects").await;
    for (status, code) in [(403, "InvalidAccessKeyId"), (404, "NoSuchBucket"), (400, "ExpiredToken")] {
        place.fire.strike("GET", LATE, Fault::Answer(status, code), 1000);
        place.pipeline.run().await.exits(1).says("The database is unchanged.").says(code);
        place.fire.heal();
    }
    place.pipeline.run().await.exits(0);
}

#[tokio::test]
async fn the_archive_in_s3_is_compared_by_checksum() {
    let place = place("archive in s3").await;
    let key = format!("oca/private/{GOOD}");
    let whole = Extract::weekly("2024-01-08").case("good", &marked("1")).bytes();
    // An older program, which noted no checksum, has archived other bytes of the same size.
    let other = vec![b'x'; whole.len()];
    place.bucket.put(&key, other.clone()).await;
    place.pipeline.run().await.exits(0);
    let objects = place.bucket.objects().await;
    assert!(objects[&key] == whole);
    assert!(objects[&format!("oca/private/postings/{GOOD}.{}", sha256(&other))] == other);
    // Objects that this program archived need not be read to be compared, here after a run that died before its commit.
    place.put(Extract::weekly("2024-01-15").case("new", &marked("1"))).await;
    place
        .pipeline
        .execute(
            "create function no() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
        create trigger no before insert on oca_index for each row execute function no()",
        )
        .await;
    place.pipeline.run().await.exits(1);
    place.pipeline.execute("drop trigger no on oca_index").await;
    place.fire.heal();
    place.pipeline.run().await.exits(0);
    let name = "oca/private/LandlordTenant.Incr.2024-01-15.zip";
    assert_eq!((place.fire.asked("HEAD", name).len(), place.fire.asked("GET", name).len()), (1, 0));
    assert_eq!(place.fire.asked("PUT", name).len(), 0);
}
