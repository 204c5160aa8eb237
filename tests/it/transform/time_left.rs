//! The estimate of the time left, over made-up costs: the ledger of a real plan is filled as if workers had been at it.

use super::world::World;
use crate::support::waiting::until;

/// The seconds that a partition and a row take, and the number of workers.
struct Costs {
    partition_s: f64,
    row_s: f64,
    workers: usize,
}

/// A group of the plan.
struct Planned {
    group_no: i32,
    rows: f64,
    partitions: f64,
}

/// The start and the end of each group, which the first free worker takes; a measurement is off by up to a tenth.
fn schedule(groups: &[Planned], costs: &Costs) -> Vec<(f64, f64)> {
    let mut free = vec![0.0; costs.workers];
    let timed = groups.iter().enumerate().map(|(at, group)| {
        let next = (0..free.len()).min_by(|a, b| f64::total_cmp(&free[*a], &free[*b])).unwrap();
        let noise = [1.1, 0.92, 1.04, 0.9, 0.98, 1.06][at % 6];
        let begin = free[next];
        free[next] += (costs.partition_s * group.partitions + costs.row_s * group.rows) * noise;
        (begin, free[next])
    });
    timed.collect()
}

impl World {
    async fn planned_groups(&self) -> Vec<Planned> {
        let query = "select g.group_no, g.rows_planned::double precision, count(*)::double precision
            from etl.transform_groups as g join etl.transform_partitions using (version_id, group_no)
            group by g.version_id, g.group_no order by g.position";
        let rows = self.client.query(query, &[]).await.unwrap();
        let planned = |row: &tokio_postgres::Row| Planned {
            group_no: row.get(0),
            rows: row.get(1),
            partitions: row.get(2),
        };
        rows.iter().map(planned).collect()
    }

    /// The estimate when a tenth of the rows is done (or at the first estimate after that), and the time that it really
    /// takes.
    async fn after_a_tenth(&self, groups: &[Planned], costs: &Costs) -> (f64, f64) {
        let times = schedule(groups, costs);
        let end = times.iter().map(|(_, end)| *end).fold(0.0, f64::max);
        let all: f64 = groups.iter().map(|group| group.rows).sum();
        let mut ends: Vec<_> = times.iter().zip(groups).map(|((_, end), group)| (*end, group)).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut done, mut packed) = (0.0, 0);
        for (now, group) in ends {
            done += group.rows;
            packed += i32::from(group.partitions > 1.0);
            if done * 10.0 < all {
                continue;
            }
            self.stand_at(now, groups, &times, costs.workers).await;
            let status = self.status();
            if let Some(told) = status["eta_s"].as_f64() {
                return (told, end - now);
            }
            assert_eq!(packed, 0, "a group of several partitions was done: {status}");
        }
        panic!("no estimate is ever shown")
    }

    /// Puts the ledger into the state after so much work.
    async fn stand_at(&self, now: f64, groups: &[Planned], times: &[(f64, f64)], workers: usize) {
        self.client
            .batch_execute(
                "update etl.transform_groups set status = 'waiting', claimed_at = null, finished_at = null",
            )
            .await
            .unwrap();
        for (group, (begin, end)) in groups.iter().zip(times) {
            let status = match (begin, end) {
                (_, end) if *end <= now => "done",
                (begin, _) if *begin <= now => "running",
                _ => continue,
            };
            let enter = "update etl.transform_groups
                set status = $1,
                    claimed_at = clock_timestamp() - make_interval(secs => $2),
                    finished_at = case when $1 = 'done' then clock_timestamp() - make_interval(secs => $3) end
                where group_no = $4";
            self.client
                .execute(enter, &[&status, &(now - begin), &(now - end), &group.group_no])
                .await
                .unwrap();
        }
        let enlist = format!(
            "delete from etl.transform_workers;
            insert into etl.transform_workers (worker_id, version_id, host, process_id, program, lease_seconds, lease_until)
            select gen_random_uuid(), version_id, 'here', 1, '0', 600, clock_timestamp() + interval '1 hour'
            from etl.transform_versions, generate_series(1, {workers})"
        );
        self.client.batch_execute(&enlist).await.unwrap();
    }
}

/// The largest partitions are done first, and their times do not predict those of the many small ones.
#[tokio::test]
async fn the_time_left_is_told_within_a_fifth_after_a_tenth() {
    let world = World::new("transform_time_left", 20_000).await;
    world.edit("job.toml", "group_rows = 400", "group_rows = 200");
    world.expect(0, &["plan"]);
    let groups = world.planned_groups().await;
    let (singles, packed) = groups.iter().fold((0, 0), |(singles, packed), group| match group.partitions {
        1.0 => (singles + 1, packed),
        _ => (singles, packed + 1),
    });
    assert!(singles > 10 && packed > 10, "{singles} and {packed}");
    for (partition_s, row_s) in [(0.0, 0.05), (5.0, 0.05), (20.0, 0.02), (1.0, 0.1), (10.0, 0.0)] {
        for workers in [1, 2, 5] {
            let (told, came) = world.after_a_tenth(&groups, &Costs { partition_s, row_s, workers }).await;
            assert!(
                (told - came).abs() <= came / 5.0,
                "{partition_s} s a partition, {row_s} s a row, {workers} workers: {told:.1} s were estimated, {came:.1} s passed"
            );
        }
    }
}

#[tokio::test]
async fn a_group_that_hangs_is_named_and_its_end_is_not_guessed() {
    let world = World::new("transform_hangs", 2_000).await;
    let hold = world.folder.path().join("hold");
    let mut worker = world.start(&["work"], &format!("transform.cleaned@4=hold {}", hold.display()));
    until("the worker holds", async || hold.exists()).await;
    let status = world.status();
    let running = &status["running"][0];
    assert_eq!(
        (&status["partitions"]["poison"], status["running"].as_array().unwrap().len()),
        (&0.into(), 1)
    );
    assert!(running["seconds"].as_f64().unwrap() >= 0.0 && running["rows"].as_u64().unwrap() > 0, "{status}");
    world
        .run("update etl.transform_groups set claimed_at = claimed_at - interval '2 minutes' where status = 'running'")
        .await;
    assert!(world.status()["eta_s"].is_null());
    let text = world.expect(0, &["status"]);
    assert!(text.contains("running for 2") && text.contains(&format!("process {}", worker.id())), "{text}");
    assert!(!text.contains(" left"), "{text}");
    std::fs::remove_file(&hold).unwrap();
    assert_eq!(worker.wait().unwrap().code(), Some(0));
    assert_eq!(world.status()["running"].as_array().unwrap().len(), 0);
}
