//! How often the service is asked: by one run, by runs after each other and at once.

use std::time::{Duration, Instant};

use super::world::{World, records};

impl World {
    /// The requests that were refused because there were too many.
    fn refused(&self) -> usize {
        self.server.log().iter().filter(|asked| asked.status == 429).count()
    }
}

/// The service bears 18 requests in ten seconds. Each run alone keeps to that; begun anew, or two at once, they have to know of
/// each other.
#[tokio::test]
async fn runs_after_each_other_and_at_once_keep_to_the_rate_together() {
    let world =
        World::with_rate("nass rate", records(2013..=2016, 60), 200, Some((18, Duration::from_secs(10))))
            .await;
    let rate = ["--api-rate", "45"];
    let began = Instant::now();
    world.run("2013", "2013", &rate).await.exits(0);
    world.run("2014", "2014", &rate).await.exits(0);
    let other = [&rate[..], &["--table", "others"]].concat();
    let (one, two) = tokio::join!(world.run("2015", "2015", &rate), world.run("2016", "2016", &other));
    one.exits(0);
    two.exits(0);
    let (sent, seconds) = (world.server.log().len(), began.elapsed().as_secs_f64());
    assert_eq!(world.refused(), 0, "{sent} requests in {seconds} s");
    assert!(sent as f64 <= 10.0 + seconds * 45.0 / 60.0 + 1.0, "{sent} requests in {seconds} s");
    assert!(sent > 18, "{sent} requests are too few to tell");
    world.holds(2013..=2015).await;
}

/// A rate that was slower before, or a clock that was wrong, does not hold up a run for longer than a full bucket does.
#[tokio::test]
async fn what_a_slower_rate_has_spent_does_not_hold_up_a_faster_one() {
    let world = World::new("nass rate before", records(2014..=2014, 30), 2_000).await;
    world.run("2014", "2014", &["--api-rate", "0.1"]).await.exits(0);
    let far =
        "update etl.plans set state = jsonb_set(state, '{borne}', to_jsonb((state ->> 'borne')::bigint * 2))
        where want like 'rate %'";
    world.pipeline.execute(far).await;
    let began = Instant::now();
    world.run("2014", "2014", &["--max-age", "0"]).await.exits(0);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    world.holds(2014..=2014).await;
}

/// A burst of refusals, each a page for people: they are waited out, and count as requests.
#[tokio::test]
async fn a_service_that_bears_less_than_it_is_asked_gets_its_pauses() {
    let world =
        World::with_rate("nass burst", records(2014..=2014, 60), 200, Some((6, Duration::from_secs(4))))
            .await;
    world.run("2014", "2014", &[]).await.exits(0);
    assert!(world.refused() > 0, "{:?}", world.server.log());
    world.holds(2014..=2014).await;
}
