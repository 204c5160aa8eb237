//! Findings in the catalogue. Each thing that stops a run or changes its result is a line that says what to do, and
//! doing it is enough. A run that cannot work is refused at its start.

use merganser::embedded::Cluster;
use serde_json::Value;

use crate::datasets::oca::rules::{marked, marks};
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::postgres::{self, TestDatabase};
use crate::support::{Janitor, server_dir, waiting};

mod objects;
mod publications;

/// A pipeline with a week that is loaded.
async fn loaded(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    pipeline.put(first_week());
    pipeline.run().await.exits(0);
    pipeline
}

fn first_week() -> Extract {
    Extract::weekly("2024-01-01").case("a", &marked("old")).case("b", &marked("old"))
}

/// Updates, deletes and inserts.
fn second_week() -> Extract {
    Extract::weekly("2024-01-08").case("a", &marked("new")).delete("b").case("c", &marked("new"))
}

async fn runs(pipeline: &Pipeline) {
    pipeline.put(second_week());
    pipeline.run().await.exits(0);
    assert_eq!((marks(pipeline, "a").await, marks(pipeline, "b").await), ("new".into(), "none".into()));
}

/// A database of the shared cluster, created with these options.
async fn made(template: &str, hint: &str) -> Pipeline {
    Pipeline::on(TestDatabase::copy(postgres::shared().await, template, hint).await)
}

/// A line of the preflight: its state, the finding, the hint.
#[derive(Debug)]
struct Line {
    state: String,
    found: String,
    hint: String,
}

/// The line with this name, of a check with this exit code.
async fn line(pipeline: &Pipeline, name: &str, code: i32) -> Line {
    let ran = pipeline.other(&["check", "oca", "--json"]).await.exits(code);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let probes = report["probes"].as_array().expect("probes");
    let probe = probes.iter().find(|probe| probe["name"] == name);
    let probe = probe.unwrap_or_else(|| panic!("no {name} in {report:#}"));
    let text = |field: &str| probe[field].as_str().unwrap_or_default().to_owned();
    Line { state: text("state"), found: text("found"), hint: text("hint") }
}

impl Line {
    #[track_caller]
    fn is(self, state: &str, words: &[&str]) -> Self {
        assert_eq!(self.state, state, "{self:?}");
        for word in words {
            assert!(self.found.contains(word) || self.hint.contains(word), "no {word:?} in {self:?}");
        }
        self
    }

    /// The statements of the hint: each from its first keyword to its semicolon.
    fn statements(&self) -> String {
        let lines = self.hint.lines().filter_map(|line| {
            let begin =
                line.find("alter ").or_else(|| line.find("create ")).or_else(|| line.find("drop "))?;
            let end = line[begin..].find(';')?;
            Some(line[begin..=begin + end].to_owned())
        });
        let statements: String = lines.collect();
        assert!(!statements.is_empty(), "{self:?}");
        statements
    }
}

/// Expects that no run began: the ledger has no more runs than before.
async fn refused(pipeline: &Pipeline, words: &[&str]) -> Ran {
    let count = "select count(*) from etl.runs";
    let before = pipeline.one(count).await;
    let mut ran = pipeline.run().await.exits(1).says("The database is unchanged.");
    for word in words {
        ran = ran.says(word);
    }
    assert!(!ran.stderr.contains("\"step\":\"select\""), "{}", ran.stderr);
    assert_eq!(pipeline.one(count).await, before);
    ran
}

#[tokio::test]
async fn an_encoding_that_lacks_characters_is_refused() {
    let latin = made("template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'", "check latin1").await;
    let found = line(&latin, "server", 1).await;
    found.is("fail", &["the encoding LATIN1", "encoding 'UTF8' template template0"]);
    latin.put(first_week());
    let ran = latin.run().await.exits(1).says("the encoding LATIN1").says("encoding 'UTF8'");
    ran.says("The database is unchanged.");
    assert_eq!(latin.one("select count(*) from pg_namespace where nspname like 'etl%'").await, "0");

    let ascii = made("template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'", "check ascii").await;
    line(&ascii, "server", 0).await.is("warn", &["SQL_ASCII", "UTF-8"]);
    ascii.put(Extract::weekly("2024-01-01").case("a", "<Court>Zoë 日本</Court>"));
    let ran = ascii.run().await.exits(0);
    assert!(ran.events.iter().any(|event| event["level"] == "WARN"), "{}", ran.stderr);
    let ran = ran.says("SQL_ASCII");
    assert!(ran.code == 0 && ascii.csv("public/oca_index.csv").rows[0][1].as_deref() == Some("Zoë 日本"));
}

/// The database is no standby, but it has a setting. The hint names where the setting is, and resets it.
#[tokio::test]
async fn a_setting_that_only_reads_is_told_apart_from_a_standby() {
    let pipeline = loaded("check read only").await;
    let (name, client) = (pipeline.database.name().to_owned(), pipeline.database.client().await);
    let role = format!("{name}_role");
    let setting = "set default_transaction_read_only = on";
    client.batch_execute(&format!("create role {role} login superuser")).await.unwrap();
    let pipeline = pipeline.with("--database-url", "");
    let url = pipeline.database.url_as(&role);
    let pipeline = pipeline.with("--database-url", url);
    for (whose, set) in [
        ("the database ", format!("alter database {name} {setting}")),
        ("the role ", format!("alter role {role} {setting}")),
        (" in the database ", format!("alter role {role} in database {name} {setting}")),
    ] {
        client.batch_execute(&set).await.unwrap();
        let found = line(&pipeline, "database", 1).await;
        let found = found.is("fail", &["default_transaction_read_only is set for", whose]);
        assert!(!found.hint.contains("primary"), "{found:?}");
        refused(
            &pipeline,
            &["default_transaction_read_only is set for", "reset default_transaction_read_only;"],
        )
        .await;
        client.batch_execute(&format!("begin read write; {} commit", found.statements())).await.unwrap();
        line(&pipeline, "database", 0).await.is("ok", &[]);
    }
    runs(&pipeline).await;
}

/// A server of its own, because its COMMITs hang.
#[tokio::test]
async fn a_standby_that_is_not_there_is_said_before_a_commit_waits_for_it() {
    let dir = server_dir();
    let _janitor = Janitor::watch(dir.path(), &dir.path().join("data/postmaster.pid"), "QUIT");
    let cluster = Cluster::at(dir.path()).setting("fsync", "off").start().await.unwrap();
    let pipeline = Pipeline::on(TestDatabase::copy(&cluster, "merganser", "standby").await);
    let admin = pipeline.database.client().await;
    let set = |names: &str| format!("alter system set synchronous_standby_names = '{names}'");
    admin.batch_execute(&set("any 2 (one, two, three)")).await.unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    pipeline.put(first_week());
    let words = ["waits for 2 synchronous standby servers, with 0 connected", "pg_reload_conf()"];
    line(&pipeline, "server", 1).await.is("fail", &words);
    // A run says so and waits, because the standby may come back.
    let run = pipeline.start(&[]);
    waiting::row(&pipeline, "select pid from pg_stat_activity where wait_event = 'SyncRep'").await;
    admin.batch_execute(&set("")).await.unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    let ran = run.await.unwrap().exits(0).says(words[0]);
    assert!(ran.events.iter().any(|event| event["level"] == "WARN"), "{}", ran.stderr);
    line(&pipeline, "server", 0).await.is("ok", &["UTF8"]);
    drop(admin);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_role_for_which_no_foreign_key_works() {
    let pipeline = loaded("check replication role").await;
    let name = pipeline.database.name().to_owned();
    pipeline.execute(&format!("alter database {name} set session_replication_role = replica")).await;
    let found = line(&pipeline, "server", 0).await;
    let found = found.is("warn", &["session_replication_role is replica", "no foreign key"]);
    assert!(found.hint.contains(&format!("alter database \"{name}\" reset session_replication_role;")));
    pipeline.put(second_week());
    pipeline.run().await.exits(0).says("session_replication_role is replica");
}

#[tokio::test]
async fn a_database_without_plpgsql() {
    let pipeline = made("template0", "check plpgsql").await;
    pipeline.execute("drop extension plpgsql").await;
    let found = line(&pipeline, "database", 1).await;
    let found = found.is("fail", &["plpgsql", "create extension plpgsql;"]);
    pipeline.put(first_week());
    pipeline.run().await.exits(1).says("create extension plpgsql;").says("The database is unchanged.");
    pipeline.execute(&found.statements()).await;
    line(&pipeline, "database", 0).await.is("ok", &[]);
    pipeline.run().await.exits(0);
}

#[tokio::test]
async fn row_policies_that_apply_to_the_role_are_refused() {
    let pipeline = loaded("check policies").await;
    let name = pipeline.database.name().to_owned();
    let role = format!("{name}_role");
    pipeline
        .execute(&format!(
            "create role {role} login; grant all on all tables in schema public, etl to {role};
             grant usage on schema public, etl to {role}; grant all on schema etl_staging to {role};
             grant create on database {name} to {role};
             do $$ declare place text; begin
                 for place in select oid::regclass from pg_class
                     where relnamespace = 'etl_staging'::regnamespace and relkind = 'r'
                 loop execute 'alter table ' || place || ' owner to {role}'; end loop;
             end $$;
             alter table oca_index enable row level security;
             create policy mine on oca_index using (status = 'old')"
        ))
        .await;
    // The owner of the table sees every row.
    line(&pipeline, "policies", 0).await.is("ok", &[]);
    let url = pipeline.database.url_as(&role);
    let pipeline = pipeline.with("--database-url", url);
    let found = line(&pipeline, "policies", 1).await;
    let words = ["row security on public.oca_index applies to", "policies: mine", "bypassrls"];
    let found = found.is("fail", &words);
    pipeline.put(second_week());
    refused(&pipeline, &words).await;
    pipeline.other(&["purge", "oca"]).await.exits(1).says("bypassrls");
    pipeline.execute(&found.statements()).await;
    line(&pipeline, "policies", 0).await.is("ok", &[]);
    runs(&pipeline).await;
}
