//! Several workers, several jobs, and a worker that was away for too long.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use merganser::sql;

use super::world::World;
use crate::support::waiting::until;

fn signal(child: &std::process::Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn a_claim_of_a_dead_worker_is_taken_over_in_time() {
    let world = World::new("transform_takeover", 2_000).await;
    let hold = world.folder.path().join("hold");
    let mut dead =
        world.start(&["work", "--lease", "2"], &format!("transform.cleaned@2=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    let other = world.start(&["work", "--lease", "2"], "");
    signal(&dead, Signal::KILL);
    dead.wait().unwrap();
    let killed = Instant::now();
    let output = other.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(killed.elapsed() < Duration::from_secs(2 + 5 + 8), "{:?}", killed.elapsed());
    assert!(log.contains("was taken from a worker whose lease ran out"), "{log}");
    world.assert_whole().await;
    // From the end of the lease to the new claim.
    let late = "select max(g.claimed_at - w.lease_until) < interval '5 s' and count(*) = 1
        from etl.transform_groups as g, etl.transform_workers as w
        where g.losses = 1 and g.attempts = 2 and w.worker_id <> g.worker_id";
    assert_eq!(world.one(late).await, "true");
}

#[tokio::test]
async fn a_sleeper_that_wakes_in_the_middle_of_its_commit_commits_nothing() {
    let world = World::new("transform_sleeper", 2_000).await;
    let hold = world.folder.path().join("hold");
    let faults = format!("transform.before_commit@2=hold {}", hold.display());
    let sleeper = world.start(&["work", "--lease", "1"], &faults);
    until("a worker is held", async || hold.exists()).await;
    signal(&sleeper, Signal::STOP);
    let said = world.expect(0, &["work", "--lease", "1"]);
    assert!(said.contains("was taken from a worker"), "{said}");
    let before = world
        .one(
            "select string_agg(token || status || attempts, ',' order by group_no) from etl.transform_groups",
        )
        .await;
    world.assert_whole().await;
    signal(&sleeper, Signal::CONT);
    std::fs::remove_file(&hold).unwrap();
    let output = sleeper.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "the version is in place: {log}");
    let after = world
        .one(
            "select string_agg(token || status || attempts, ',' order by group_no) from etl.transform_groups",
        )
        .await;
    assert_eq!(before, after, "{log}");
    world.assert_whole().await;
}

#[tokio::test]
async fn a_sleeper_before_its_commit_is_refused_by_its_token() {
    let world = World::new("transform_token", 2_000).await;
    let hold = world.folder.path().join("hold");
    let sleeper =
        world.start(&["work", "--lease", "1"], &format!("transform.cleaned@2=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    signal(&sleeper, Signal::STOP);
    // The worker's session is ended together with its lease. Without the right to end it, the token alone must stop the
    // worker.
    world.run("create or replace function public.nothing() returns int language sql as 'select 1'").await;
    world.expect(0, &["work", "--lease", "1"]);
    signal(&sleeper, Signal::CONT);
    std::fs::remove_file(&hold).unwrap();
    let output = sleeper.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    world.assert_whole().await;
    assert_eq!(world.one("select count(*) from etl.transform_groups where losses = 1").await, "1");
}

#[tokio::test]
async fn a_connection_that_is_cut_at_the_commit_loses_and_doubles_nothing() {
    let world = World::new("transform_cut", 2_000).await;
    let hold = world.folder.path().join("hold");
    let worker = world.start(&["work"], &format!("transform.before_commit@3=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    world.run("select pg_terminate_backend(session_id) from etl.transform_workers").await;
    std::fs::remove_file(&hold).unwrap();
    let output = worker.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.contains("the connection was lost, and is made again"), "{log}");
    world.assert_whole().await;
    assert_eq!(
        world.one("select count(*) from etl.transform_groups where attempts <> 1 or losses > 0").await,
        "0"
    );
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_gives_its_claim_back_at_once() {
    let world = World::new("transform_term", 2_000).await;
    let hold = world.folder.path().join("hold");
    let worker = world.start(&["work"], &format!("transform.cleaned@2=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    assert_eq!(world.one("select count(*) from etl.transform_groups where status = 'running'").await, "1");
    signal(&worker, Signal::TERM);
    let output = worker.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("partitions that are done are committed"), "{said}");
    assert!(said.contains("Next: merganser transform work"), "{said}");
    assert_eq!(world.one("select count(*) from etl.transform_groups where status = 'running'").await, "0");
    assert_eq!(world.one("select count(*) from etl.transform_workers where ended_at is null").await, "0");
    assert_eq!(world.status()["state"], "stopped");
    world.expect(0, &["work"]);
    world.assert_whole().await;
    assert_eq!(world.one("select max(attempts) from etl.transform_groups").await, "1");
}

#[tokio::test]
async fn many_workers_begin_at_once_and_one_of_them_plans() {
    let world = World::new("transform_many", 5_000).await;
    let workers: Vec<_> = (0..4).map(|_| world.start(&["work"], "")).collect();
    for worker in workers {
        let output = worker.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    world.assert_whole().await;
    assert_eq!(world.one("select count(*) from etl.transform_versions").await, "1");
    assert_eq!(world.one("select sum(attempts) = count(*) from etl.transform_groups").await, "true");
}

#[tokio::test]
async fn two_jobs_and_a_plan_go_on_beside_each_other() {
    let world = World::new("transform_two", 4_000).await;
    let other = tempfile::tempdir().unwrap();
    for file in ["companies_clean.pg.sql", "clean.duckdb.sql", "job.toml"] {
        let text = std::fs::read_to_string(world.folder.path().join(file)).unwrap();
        let text = text
            .replace("\"companies\"", "\"others\"")
            .replace("public.companies_clean", "public.others_clean");
        std::fs::write(other.path().join(file), text).unwrap();
    }
    let hold = world.folder.path().join("hold");
    let first = world.start(&["work"], &format!("transform.read@2=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    assert!(world.expect(0, &["plan"]).contains("was planned at"));
    let args = ["transform", "work", &other.path().display().to_string()].map(str::to_owned);
    let output = crate::support::merganser(args, [("DATABASE_URL", world.database.url())]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(&hold).unwrap();
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(0));
    world.assert_whole().await;
    assert_eq!(world.differing("others_clean", super::world::IN_ONE_PIECE).await, "0 too many, 0 missing");
}

/// A worker of an older text of the job, which was superseded meanwhile, stops at its next claim.
#[tokio::test]
async fn the_older_of_two_workers_refuses_to_go_on() {
    let world = World::new("transform_upgrade", 3_000).await;
    let hold = world.folder.path().join("hold");
    let older = world.start(&["work"], &format!("transform.read@2=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    world.expect(0, &["work"]);
    std::fs::remove_file(&hold).unwrap();
    let output = older.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("is not made any more") && log.contains("the claim is no longer ours"), "{log}");
    assert!(!log.contains("another worker") && !log.contains("the next worker continues"), "{log}");
    assert_eq!(world.one("select min(version) || ' ' || max(version) from companies_clean").await, "2 2");
    // The plan of the newer text has removed what that worker left.
    assert_eq!(
        world.one("select count(*) from pg_tables where tablename like 'companies_clean%'").await,
        "1"
    );
}

/// Another program can see the progress while workers are at it.
#[tokio::test]
async fn status_shows_what_is_going_on() {
    let world = World::new("transform_status", 4_000).await;
    let hold = world.folder.path().join("hold");
    let worker = world.start(&["work"], &format!("transform.read@4=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    let status = world.status();
    assert_eq!((&status["state"], &status["workers"]), (&"running".into(), &1.into()), "{status}");
    let partitions = &status["partitions"];
    let figure = |name: &str| partitions[name].as_i64().unwrap();
    assert!(figure("done") > 0 && figure("running") > 0 && figure("waiting") > 0, "{partitions}");
    let all: i64 = ["waiting", "running", "done", "failed", "poison"].iter().map(|name| figure(name)).sum();
    assert_eq!(all, figure("total"));
    assert!(
        status["rows_per_s"].as_f64().unwrap() > 0.0 && status["eta_s"].as_f64().unwrap() > 0.0,
        "{status}"
    );
    let watching = world.start(&["status", "--watch", "--json"], "");
    std::fs::remove_file(&hold).unwrap();
    assert_eq!(worker.wait_with_output().unwrap().status.code(), Some(0));
    let seen = watching.wait_with_output().unwrap();
    let last = String::from_utf8_lossy(&seen.stdout).lines().last().unwrap().to_owned();
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!((seen.status.code(), &last["state"]), (Some(0), &"swapped".into()));
}

/// A worker that sleeps while it exchanges two tables holds others up for its lease at most.
#[tokio::test]
async fn a_sleeper_in_the_middle_of_the_swap_is_put_aside() {
    let world = World::new("transform_swap_sleeper", 1_000).await;
    world.expect(0, &["work"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let hold = world.folder.path().join("hold");
    let sleeper =
        world.start(&["work", "--lease", "1"], &format!("transform.swapping=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    signal(&sleeper, Signal::STOP);
    let other = world.start(&["work", "--lease", "1"], "");
    let looked = Instant::now();
    world.one("select count(*) from companies_clean").await;
    assert!(looked.elapsed() < Duration::from_secs(1 + 5), "{:?}", looked.elapsed());
    let output = other.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(world.one("select min(version) || ' ' || max(version) from companies_clean").await, "2 2");
    std::fs::remove_file(&hold).unwrap();
    signal(&sleeper, Signal::CONT);
    let output = sleeper.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let old = "select count(*) from pg_tables where tablename like 'companies_clean\\_\\_%'";
    assert_eq!(world.one(old).await, "1");
}

/// A worker that has lost the lock of the job in the middle of the swap still ends it. The next one, which has the lock and
/// looks at the version's table by then, does not take its new name for a loss.
#[tokio::test]
async fn a_swap_whose_worker_has_lost_the_lock_of_the_job_is_no_error_for_the_next() {
    let world = World::new("transform_swap_lock", 1_000).await;
    world.expect(0, &["work"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let [first_hold, second_hold] = ["first", "second"].map(|name| world.folder.path().join(name));
    let second = world.start(&["work"], &format!("transform.finished=hold {}", second_hold.display()));
    until("the second worker is held", async || second_hold.exists()).await;
    let first = world.start(&["work"], &format!("transform.swapping=hold {}", first_hold.display()));
    until("the first worker is held", async || first_hold.exists()).await;
    let cut = "select count(*) filter (where pg_terminate_backend(pid)) from pg_locks
        where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())";
    assert_eq!(world.one(cut).await, "1");
    std::fs::remove_file(&second_hold).unwrap();
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%companies\\_clean\\_\\_%'";
    until("the second worker waits for the table", async || world.one(waiting).await != "0").await;
    std::fs::remove_file(&first_hold).unwrap();
    for worker in [first, second] {
        let output = worker.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(world.one("select min(version) || ' ' || max(version) from companies_clean").await, "2 2");
}

/// A worker that begins while another one puts the version in place has nothing to do; its columns are not looked for under the
/// name that the table had before.
#[tokio::test]
async fn a_worker_that_begins_during_the_swap_finds_the_version_in_place() {
    let world = World::new("transform_begin_at_swap", 1_000).await;
    world.expect(0, &["work"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let [first_hold, second_hold] = ["first", "second"].map(|name| world.folder.path().join(name));
    let first = world.start(&["work"], &format!("transform.finished=hold {}", first_hold.display()));
    until("the first worker is held", async || first_hold.exists()).await;
    let second = world.start(&["work"], &format!("transform.opening=hold {}", second_hold.display()));
    until("the second worker is held", async || second_hold.exists()).await;
    for (worker, hold) in [(first, first_hold), (second, second_hold)] {
        std::fs::remove_file(&hold).unwrap();
        let output = worker.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(world.one("select min(version) || ' ' || max(version) from companies_clean").await, "2 2");
}

/// A worker that looks for the job's versions while another one plans a new one takes part in that, and does not take its text for
/// an older one.
#[tokio::test]
async fn a_worker_that_begins_during_the_plan_takes_part_in_it() {
    let world = World::new("transform_begin_at_plan", 1_000).await;
    world.expect(0, &["work"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let hold = world.folder.path().join("hold");
    let late = world.start(&["work"], &format!("transform.known=hold {}", hold.display()));
    until("the worker is held", async || hold.exists()).await;
    world.expect(0, &["work"]);
    std::fs::remove_file(&hold).unwrap();
    let output = late.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(world.one("select min(version) || ' ' || max(version) from companies_clean").await, "2 2");
}

/// A pause holds for the version that is being planned at that moment.
#[tokio::test]
async fn a_pause_during_the_plan_of_another_version_holds() {
    let world = World::new("transform_pause_at_plan", 1_000).await;
    world.expect(0, &["plan"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let hold = world.folder.path().join("hold");
    let worker = world.start(&["work"], &format!("transform.planning=hold {}", hold.display()));
    until("the worker is held", async || hold.exists()).await;
    world.expect(0, &["pause"]);
    std::fs::remove_file(&hold).unwrap();
    let output = worker.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
    world.expect(0, &["resume"]);
    world.expect(0, &["work"]);
    assert_eq!(world.one("select min(version) || ' ' || max(version) from companies_clean").await, "2 2");
}

/// Claims, ends and the search for lost workers cost the same at the end of a version as at its beginning, even while
/// an old snapshot keeps dead versions of rows from being removed.
#[tokio::test]
async fn no_claim_costs_more_because_of_the_claims_before_it() {
    let world = World::new("transform_old_snapshot", 4_000).await;
    world.client.batch_execute("update companies_raw set zip_code = id::text").await.unwrap();
    world.edit("job.toml", "group_rows = 400", "group_rows = 1");
    world.expect(0, &["plan"]);
    let holder = world.database.client().await;
    holder
        .batch_execute("begin isolation level repeatable read; select count(*) from companies_raw")
        .await
        .unwrap();
    let worked = "
        insert into etl.transform_workers (worker_id, version_id, host, process_id, program, lease_seconds, lease_until)
        select gen_random_uuid(), version_id, 'here', 1, '0', 600, clock_timestamp() + interval '1 hour' from etl.transform_versions;
        do $$
        declare
            worker uuid := (select worker_id from etl.transform_workers);
        begin
            for group_at in 1..3500 loop
                update etl.transform_groups set status = 'running', token = 1, worker_id = worker where group_no = group_at;
                update etl.transform_groups set status = 'done' where group_no = group_at;
            end loop;
            update etl.transform_groups set status = 'running', token = 1, worker_id = worker where group_no = 3501;
        end
        $$";
    world.client.batch_execute(worked).await.unwrap();
    let version = world.one("select version_id from etl.transform_versions").await;
    let worker = world.one("select worker_id from etl.transform_workers").await;
    let version = format!("'{version}'::uuid");
    let statements: [(&str, &str, &[&str]); 5] = [
        ("claim", sql::TRANSFORM_CLAIM, &[&version, &format!("'{worker}'::uuid"), "3501", "'partitions'"]),
        ("members", sql::TRANSFORM_MEMBERS, &[&version, "3501"]),
        ("take over", sql::TRANSFORM_TAKE_OVER, &[&version, "5"]),
        ("fence", sql::TRANSFORM_FENCE, &[&version, "3501", "1"]),
        ("done", sql::TRANSFORM_GROUP_DONE, &[&version, "3501", "1", "1", "1", "1", "1", "1"]),
    ];
    for (name, statement, values) in statements {
        let pages = world.pages(statement, values).await;
        assert!(pages < 60, "{name}: {pages} pages");
    }
    // Another worker ended, so the running groups are searched once.
    let ended = "insert into etl.transform_workers (worker_id, version_id, host, process_id, program, lease_seconds, lease_until)
        select gen_random_uuid(), version_id, 'here', 2, '0', 600, clock_timestamp() from etl.transform_versions";
    world.client.batch_execute(ended).await.unwrap();
    let pages = world.pages(sql::TRANSFORM_TAKE_OVER, &[&version, "5"]).await;
    assert!(pages < 1_000, "take over: {pages} pages");
}

impl World {
    /// The number of pages that a statement of the ledger reads.
    async fn pages(&self, statement: &str, values: &[&str]) -> i64 {
        let mut text = sql::render(statement, &[("ledger", "etl")]);
        for (at, value) in values.iter().enumerate().rev() {
            text = text.replace(&format!("${}", at + 1), value);
        }
        let explained = format!("explain (analyze, buffers, format json) {text}");
        let plan: serde_json::Value = self.client.query_one(&explained, &[]).await.unwrap().get(0);
        plan[0]["Plan"]["Shared Hit Blocks"].as_i64().unwrap()
    }
}
