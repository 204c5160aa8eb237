//! Partitions that are too much for a worker or for the server: they become poison, and the others are done.

use super::world::World;

/// A partition of 300 MB beside the others.
const GIANT: &str = "insert into companies_raw
    select 1000000 + i, '99999', repeat('x', 900) || i, null, i / 100.0, null, null from generate_series(1, 300000) as i;
    analyze companies_raw;";

#[tokio::test]
async fn a_partition_that_does_not_fit_becomes_poison_and_the_others_are_done_within_the_share() {
    let world = World::new("transform_giant", 3_000).await;
    world.client.batch_execute(GIANT).await.unwrap();
    let said = world.expect(3, &["run", "--workers", "1", "--memory", "256"]);
    assert_eq!(said.matches("of memory, and its share is 268.44 MB: it is tried again").count(), 1, "{said}");
    assert!(said.contains("of memory, and its share is 536.87 MB: it is poison now"), "{said}");
    let status = world.status();
    assert_eq!(status["partitions"]["poison"], 1, "{status}");
    assert_eq!(status["partitions"]["waiting"], 0, "{status}");
    // The worker started anew each time: what it took for the giant does not count for the others.
    let most = "select max(peak_memory_bytes) from etl.transform_groups where status = 'done'";
    let most: u64 = world.one(most).await.parse().unwrap();
    assert!(most < 268_435_456, "{most}");
    assert_eq!(world.one("select count(*) from etl.transform_workers where ended_at is null").await, "0");

    world.expect(0, &["retry"]);
    world.expect(0, &["run", "--workers", "1", "--memory", "4000"]);
    world.assert_whole().await;
}

#[tokio::test]
async fn more_workers_than_there_is_memory_for_are_refused_with_what_would_fit() {
    let world = World::new("transform_many", 100).await;
    let said = world.expect(2, &["run", "--workers", "4", "--memory", "600"]);
    assert!(said.contains("4 workers with 600 MiB in all are too many: each needs at least 256"), "{said}");
    assert!(said.contains("--workers 2, or --memory 1024"), "{said}");
    world.expect(0, &["run", "--workers", "auto", "--memory", "300"]);
    world.assert_whole().await;
}

/// A trigger of the clean table ends the session whenever a certain partition is written, as a server that crashes would.
#[tokio::test]
async fn a_partition_with_which_the_connection_is_always_lost_becomes_poison() {
    let world = World::new("transform_cut", 2_000).await;
    let cut = "create function cut() returns trigger language plpgsql as $$
        begin
            if new.zip_code = '00003' then
                perform pg_terminate_backend(pg_backend_pid());
            end if;
            return new;
        end $$";
    world.client.batch_execute(cut).await.unwrap();
    let create = std::fs::read_to_string(world.folder.path().join("companies_clean.pg.sql")).unwrap();
    let trigger = "create trigger cut before insert on :\"schema\".:\"table\" for each row execute function public.cut();\n";
    world.put("companies_clean.pg.sql", &(create + trigger));
    let said = world.expect(3, &["run", "--workers", "1"]);
    assert!(
        said.contains("the connection was lost 3 times while it was worked on: it is poison now"),
        "{said}"
    );
    let status = world.status();
    assert_eq!(
        (&status["partitions"]["poison"], &status["partitions"]["waiting"]),
        (&1.into(), &0.into()),
        "{status}"
    );
}
