//! Records that somebody else has deleted: the run that notices, the check, and the status of a record name them, and the
//! command that they name brings them back.

use crate::datasets::oca::rules::marked;
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

const CASES: &str = "select string_agg(indexnumberid, ' ' order by indexnumberid) from oca_index";
const FIRST: &str = "LandlordTenant.Incr.2024-03-04.zip";
const SECOND: &str = "LandlordTenant.Incr.2024-03-11.zip";

/// Two weeks with three cases each.
async fn two_weeks(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    let week = |date: &str, names: [&str; 3]| {
        names.iter().fold(Extract::weekly(date), |week, name| week.case(name, &marked(name)))
    };
    pipeline.put(week("2024-03-04", ["a", "b", "c"])).put(week("2024-03-11", ["d", "e", "f"]));
    pipeline.run().await.exits(0);
    pipeline
}

#[tokio::test]
async fn records_that_somebody_has_deleted_are_named_with_their_files() {
    let pipeline = two_weeks("missing").await;
    pipeline.other(&["check", "oca"]).await.exits(0).says("oca_index has each case that the ledger knows");
    let status = pipeline.other(&["status", "b"]).await.exits(0);
    assert!(!status.stdout.contains("does not have it"), "{}", status.stdout);
    pipeline.execute("delete from oca_index where indexnumberid in ('a', 'b', 'f')").await;

    let said = format!("3 cases (2 of {FIRST}, 1 of {SECOND})");
    let command = format!("merganser reprocess oca '{FIRST}' --force");
    let checked = pipeline.other(&["check", "oca"]).await.exits(0).says("\nwarn  records ");
    checked.says(&said).says(&command);
    let status = pipeline.other(&["status", "b"]).await.exits(0);
    status.says("production no longer has it").says(&command);
    let json = pipeline.other(&["status", "b", "--json"]).await.exits(0);
    json.says("\"in_production\": false");
    pipeline.put(Extract::weekly("2024-03-18").case("g", &marked("g")));
    let ran = pipeline.run().await.exits(0).says("oca_index has 4 rows, and the ledger expected 7");
    ran.says(&said).says(&command);

    let glob = command.split('\'').nth(1).unwrap();
    pipeline.other(&["reprocess", "oca", glob, "--force"]).await.exits(0);
    pipeline.other(&["reprocess", "oca", SECOND, "--force"]).await.exits(0);
    assert_eq!(pipeline.one(CASES).await, "a b c d e f g");
    pipeline.other(&["check", "oca"]).await.exits(0).says("oca_index has each case that the ledger knows");
    // What is sealed, or undone, is not missing.
    pipeline.put(Extract::weekly("2024-03-25").delete("c").case("h", &marked("h")));
    pipeline.run_with(&["--max-deletes", "100%"]).await.exits(0);
    pipeline.other(&["undo", "last"]).await.exits(0);
    pipeline.other(&["check", "oca"]).await.exits(0).says("oca_index has each case that the ledger knows");
}

/// People who may read the ledger alone are told nothing of production.
#[tokio::test]
async fn who_may_not_read_production_is_told_nothing_of_it() {
    let pipeline = two_weeks("missing unread").await;
    pipeline
        .execute(
            "do $$ begin create role looks_only login; exception when duplicate_object then null; end $$;
             grant usage on schema etl to looks_only; grant select on all tables in schema etl to looks_only;
             delete from oca_index where indexnumberid = 'b'",
        )
        .await;
    let url = pipeline.database.url_as("looks_only");
    let status = pipeline.other(&["status", "b", "--database-url", &url]).await.exits(0).says(FIRST);
    assert!(!status.stdout.contains("production"), "{}", status.stdout);
}
