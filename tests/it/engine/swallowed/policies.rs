//! Row policies, for a role with the rights in docs/operations.md: hidden rows cause an error, never an empty answer.

use super::{refused, two_weeks};
use crate::docs::rights::Court;

const HINT: &str = "bypassrls";

#[tokio::test]
async fn rows_that_a_policy_hides_stop_run_and_purge() {
    let court = Court::with_tables("policies").await;
    let pipeline = &court.pipeline;
    two_weeks(pipeline).await;
    for table in ["oca_index", "oca_parties", "oca_metadata"] {
        let policy = format!(
            "alter table public.{table} enable row level security;
             create policy part on public.{table} using (indexnumberid <> 'b');"
        );
        pipeline.execute(&policy).await;
        refused(pipeline, &[table, HINT, "row security"]).await;
        let ran = pipeline.other(&["purge", "oca"]).await.exits(1).says(table).says(HINT);
        assert!(!ran.stdout.contains("Verified"), "{}", ran.stdout);
        pipeline
            .execute(&format!(
                "drop policy part on public.{table}; alter table public.{table} disable row level security;"
            ))
            .await;
    }
    // Without a policy the table is closed. A policy that shows the program every row may still hide some from others.
    pipeline.execute("alter table public.oca_causes enable row level security").await;
    refused(pipeline, &["oca_causes", HINT]).await;
    pipeline.execute(&format!("alter role {} bypassrls", court.role)).await;
    pipeline.run_with(&["--max-drop", "100"]).await.exits(0);
    assert_eq!(pipeline.column("select indexnumberid from oca_index order by 1").await, ["a", "c"]);
    assert_eq!(pipeline.one("select count(*) from oca_parties").await, "4");
    pipeline.other(&["purge", "oca"]).await.exits(0).says("Verified");
}
