//! Runs that are killed, meet an error or a full disk while the service is asked.

use merganser::fault::ASKING_POINTS;

use super::world::{KEY, World, records};
use crate::support::disk::mounted;
use crate::support::quickstats::Kind;

/// More runs than any of these needs.
const MOST_RUNS: usize = 60;

async fn world(hint: &str) -> World {
    World::new(hint, records(2014..=2015, 300), 500).await
}

/// The requests of a run that nothing happens to.
async fn requests() -> usize {
    let world = world("nass undisturbed").await;
    world.run("2014", "2015", &[]).await.exits(0);
    world.holds(2014..=2015).await;
    world.server.log().len()
}

/// Killed at each point, each time that it comes by there, until nothing is left to be asked: no record is lost or there twice,
/// and what was on its way alone is asked for again.
#[tokio::test]
async fn a_run_that_is_killed_at_every_point_goes_on_where_it_was() {
    let enough = requests().await;
    for point in ASKING_POINTS {
        let world = world("nass killed at").await;
        let mut kills = 0;
        // The first time that a run comes by is before it did anything.
        while world.run_broken("2014", "2015", &format!("{point}@2=kill")).await.code != 0 {
            kills += 1;
            assert!(kills < MOST_RUNS, "{point}");
        }
        assert!(kills > 2, "{point}: {kills}");
        world.holds(2014..=2015).await;
        let again = if *point == "gather.told" { kills } else { 0 };
        let sent = world.server.log().len();
        assert!(sent <= enough + again, "{point}: {sent} requests, {enough} are enough, and {kills} kills");
        let log = world.server.log();
        let data = log.iter().filter(|asked| asked.kind == Kind::Data && asked.status == 200).count();
        let parts = world.pipeline.one("select count(*) from etl.parts where status = 'done'").await;
        assert_eq!(data.to_string(), parts, "{point}: an answer that came is not asked for again");
        assert_eq!(
            world.pipeline.one("select count(*) from etl.plans where want not like 'rate %'").await,
            "0"
        );
    }
}

#[tokio::test]
async fn an_error_while_the_service_is_asked_leaves_the_database_as_it_was() {
    let enough = requests().await;
    for point in ASKING_POINTS {
        let world = world("nass error at").await;
        let ran = world.run_broken("2014", "2015", &format!("{point}@3=fail")).await.exits(1);
        assert!(ran.stderr.contains("The database is unchanged."), "{}", ran.stderr);
        assert_eq!(world.pipeline.one("select to_regclass('nass_facts') is null").await, "t");
        world.run("2014", "2015", &[]).await.exits(0);
        world.holds(2014..=2015).await;
        assert!(world.server.log().len() <= enough + 1, "{point}");
    }
}

/// The disk of the archive, and the one that a run works on: what came before is not lost, and the next run goes on.
#[tokio::test]
async fn a_full_disk_changes_nothing() {
    let world = world("nass disk").await;
    world.write_bulk("crops", "2026-01-02", &records(2014..=2015, 300));
    let url = world.server.bulk_url();
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str(), "--filter", "sector_desc=CROPS"];
    for (folder, size, more) in
        [("store/private", "20k", &[][..]), ("work", "8k", &[]), ("work", "8k", &bulk), ("work", "300k", &[])]
    {
        let folder = world.pipeline.folder().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let words = world.all_words("2014", "2015", more);
        let Some(ran) = mounted(&folder, &format!("size={size}"), words, &[("NASS_API_KEY", KEY)]).await
        else {
            return;
        };
        let ran = ran.exits(1);
        assert!(ran.stderr.contains("The database is unchanged."), "{}", ran.stderr);
        let is_named = ["No space left", "disk", "storage"].iter().any(|words| ran.stderr.contains(words));
        assert!(is_named, "{folder:?} {size}: {}", ran.stderr);
    }
    world.run("2014", "2015", &[]).await.exits(0);
    world.holds(2014..=2015).await;
}

/// The plan cannot be removed: the run is committed all the same, and says so.
#[tokio::test]
async fn a_plan_that_cannot_be_forgotten_is_no_failure() {
    let world = world("nass unforgotten").await;
    world.run("2014", "2014", &[]).await.exits(0);
    world
        .pipeline
        .execute(
            "create function keep() returns trigger language plpgsql as $$ begin raise 'not now'; end $$;
            create trigger keep before delete on etl.plans for each row execute function keep()",
        )
        .await;
    let ran = world.run("2014", "2015", &[]).await.exits(0);
    assert!(ran.stderr.contains("the ledger still has the plan"), "{}", ran.stderr);
    world.holds(2014..=2015).await;
}
