//! Publications for replication, which need keys or a replica identity.

use super::{first_week, line, loaded, refused, runs, second_week};
use crate::support::pipeline::Pipeline;

/// The tables with this `relreplident`.
async fn identities(pipeline: &Pipeline, kind: &str) -> Vec<String> {
    let query = format!(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relname like 'oca\\_%'
         and relkind = 'r' and relreplident = '{kind}' order by 1"
    );
    pipeline.column(&query).await
}

/// The first run updates its tables before they have keys, and most never have a key.
#[tokio::test]
async fn everything_is_published_from_the_beginning() {
    let pipeline = Pipeline::new("check publication").await;
    pipeline.execute("create publication everything for all tables").await;
    line(&pipeline, "publications", 0).await.is("ok", &[]);
    pipeline.put(first_week());
    pipeline.run().await.exits(0);
    let sums = ["atoms", "days", "place_days", "places", "zone_days"].map(|of| format!("oca_filing_{of}"));
    let mut keyed: Vec<_> = ["oca_case_summary", "oca_index", "oca_lots", "oca_metadata", "oca_tracts"]
        .map(str::to_owned)
        .into_iter()
        .chain(sums)
        .collect();
    keyed.sort();
    assert_eq!(identities(&pipeline, "d").await, keyed);
    assert_eq!(identities(&pipeline, "f").await.len(), 10);
    line(&pipeline, "publications", 0).await.is("ok", &[]);
    runs(&pipeline).await;

    // The same with tables that `adopt` makes.
    let pipeline = Pipeline::new("check publication adopt").await;
    pipeline.execute("create publication everything for all tables").await;
    pipeline.other(&["adopt", "oca", "--fix"]).await.exits(0);
    assert_eq!(identities(&pipeline, "f").await.len(), 10);
    pipeline.put(first_week());
    pipeline.run().await.exits(0);
    runs(&pipeline).await;
    // Without a publication the tables keep the cheaper default.
    let pipeline = loaded("check no publication").await;
    assert_eq!(identities(&pipeline, "f").await, Vec::<String>::new());
}

#[tokio::test]
async fn tables_that_are_published_later_are_refused_before_anything_is_done() {
    let pipeline = loaded("check published later").await;
    pipeline
        .execute(
            "alter table etl.record_origins replica identity nothing;
             create table parted (like oca_parties) partition by list (role);
             create table parted_1 partition of parted default; insert into parted select * from oca_parties;
             drop table oca_parties; alter table parted rename to oca_parties;
             create publication part for table oca_parties, oca_index, oca_metadata, etl.record_origins;
             create publication inserts for table oca_motions with (publish = 'insert, truncate')",
        )
        .await;
    let found = line(&pipeline, "publications", 1).await;
    let words = ["public.parted_1 is published (part)", "etl.record_origins is published (part)"];
    let found = found.is("fail", &words);
    assert!(
        !["oca_index", "oca_metadata", "oca_motions"].iter().any(|t| found.found.contains(t)),
        "{found:?}"
    );
    pipeline.put(second_week());
    let hint = "alter table public.parted_1 replica identity full;";
    refused(&pipeline, &[words[0], words[1], hint]).await;
    assert_eq!(found.statements().matches(';').count(), 2);
    pipeline.execute(&found.statements()).await;
    line(&pipeline, "publications", 0).await.is("ok", &[]);
    if pipeline.one("select current_setting('server_version_num')::int >= 150000").await == "t" {
        let by_rows = "alter table oca_events replica identity full;
            create publication by_rows for table oca_events where (eventname <> '')";
        pipeline.execute(by_rows).await;
        let words = ["by_rows publishes only some rows of public.oca_events", "replica identity"];
        line(&pipeline, "publications", 0).await.is("warn", &words);
    }
    runs(&pipeline).await;
}
