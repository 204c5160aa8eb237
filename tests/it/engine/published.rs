//! Publishing over several connections gives the same bytes as over one, from one snapshot.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;
use crate::support::waiting;

/// The number of parties of one case: enough to take several ranges of blocks, with gaps between them.
const LARGE: &str = "
    insert into oca_parties (indexnumberid, role, undertenant, representationtype)
        select 'good', 'Respondent', n::text, repeat(md5(n::text), 16) from generate_series(1, 60000) as n;
    delete from oca_parties where undertenant::int % 7 = 0;
    vacuum oca_parties;
    insert into oca_parties (indexnumberid, role, undertenant, representationtype)
        select 'good', 'a \"quoted\", one', n::text, e'two\\nlines' from generate_series(1, 500) as n;";

/// A production with one large table.
async fn large(pipeline: Pipeline) -> Pipeline {
    let case = "<Parties><Party><Role>Petitioner</Role></Party></Parties>";
    pipeline.put(Extract::weekly("2024-03-04").case("good", case));
    pipeline.run().await.exits(0);
    for statement in LARGE.split(';') {
        pipeline.execute(statement).await;
    }
    pipeline.put(Extract::weekly("2024-03-11").case("other", case));
    pipeline
}

fn psql(pipeline: &Pipeline, query: &str) -> Vec<u8> {
    let copied = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--command", query])
        .arg(pipeline.database.url())
        .output()
        .expect("psql is there");
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    copied.stdout
}

#[tokio::test]
async fn ranges_of_a_large_table_are_the_bytes_of_the_whole() {
    let pipeline = large(Pipeline::new("publish ranges").await).await;
    let blocks = "select pg_relation_size('oca_parties') / current_setting('block_size')::int";
    let blocks: u64 = pipeline.one(blocks).await.parse().expect("a number");
    assert!(blocks > 3 * 1024, "{blocks} blocks are several ranges");
    pipeline.run().await.exits(0);
    let copy = "copy oca_parties to stdout with (format csv, header true)";
    let expected = psql(&pipeline, copy);
    let published = pipeline.objects().remove("public/oca_parties.csv").expect("it is published");
    assert!(published == expected, "{} bytes for {}", published.len(), expected.len());
    let manifest = pipeline.objects().remove("public/manifest.json").expect("it is published");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let files = manifest["files"].as_array().expect("a list");
    let file = files.iter().find(|file| file["name"] == "oca_parties.csv").expect("it is named");
    assert_eq!(file["rows"].to_string(), pipeline.one("select count(*) from oca_parties").await);
    // No range is found by reading the whole table.
    let plan =
        "explain select role from only oca_parties where ctid >= '(1024,0)'::tid and ctid < '(2048,0)'::tid";
    assert!(pipeline.column(plan).await.concat().contains("Tid Range Scan"));
}

#[tokio::test]
async fn all_connections_see_one_moment() {
    let pipeline = large(Pipeline::new("publish moment").await).await;
    let over = Arc::new(AtomicBool::new(false));
    let (client, ended) = (pipeline.database.client().await, over.clone());
    let writer = tokio::spawn(async move {
        let mut turn = 0;
        while !ended.load(Ordering::Relaxed) {
            turn += 1;
            // Both changes become visible at once.
            let write = format!(
                "begin; update oca_parties set representationtype = 't{turn}' where undertenant::int % 50 = 1;
                 update oca_index set status = 't{turn}' where indexnumberid = 'good'; commit"
            );
            client.batch_execute(&write).await.expect("it is written");
        }
        turn
    });
    pipeline.run().await.exits(0);
    over.store(true, Ordering::Relaxed);
    assert!(writer.await.expect("the writer ended") > 1);
    let parties = pipeline.csv("public/oca_parties.csv").column("representationtype");
    let mut seen: Vec<_> = parties.into_iter().flatten().filter(|text| text.starts_with('t')).collect();
    seen.retain(|text| text[1..].parse::<u32>().is_ok());
    seen.extend(pipeline.csv("public/oca_index.csv").column("status").into_iter().flatten());
    assert!(seen.len() > 1000, "{}", seen.len());
    seen.dedup();
    assert_eq!(seen.len(), 1, "from several snapshots: {seen:?}");
}

#[tokio::test]
async fn fewer_connections_are_enough() {
    let pipeline = Pipeline::new("publish fewer").await;
    let role = format!("few_{}", pipeline.database.name());
    pipeline
        .execute(&format!(
            "create role \"{role}\" login;
             grant create on database \"{}\" to \"{role}\";
             grant create, usage on schema public to \"{role}\"",
            pipeline.database.name()
        ))
        .await;
    let url = pipeline.database.url_as(&role);
    let pipeline = large(pipeline.with("--database-url", url)).await;
    pipeline.run_with(&["--skip-publish"]).await.exits(0);
    let gone = format!("select 1 where not exists (select from pg_stat_activity where usename = '{role}')");
    waiting::row(&pipeline, &gone).await;
    // One connection for the ledger and one for publishing.
    pipeline.execute(&format!("alter role \"{role}\" connection limit 2")).await;
    drop(pipeline.run().await.exits(0).says("publish goes on over fewer connections"));
    let published = pipeline.objects().remove("public/oca_parties.csv").expect("it is published");
    assert!(published == psql(&pipeline, "copy oca_parties to stdout with (format csv, header true)"));
}
