//! Publication breaks at each object. A reader who compares the files with the manifest can tell, and the next run
//! repairs it.

use std::collections::BTreeSet;

use super::Place;
use crate::engine::readers::case;
use crate::support::extract::Extract;
use crate::support::fire::Fault;
use crate::support::pipeline::{DERIVED_CSVS, TABLES};

#[tokio::test]
async fn a_publication_that_breaks_at_any_object_can_be_told_and_is_made_up_for() {
    let place = Place::new("fire publish").await;
    let mut week = jiff::civil::date(2024, 1, 1);
    let mut count = 0;
    let mut put_week = async || {
        count += 1;
        // Every file gets other content each time.
        let extract = Extract::weekly(&week.to_string());
        place.put(extract.case(&count.to_string(), &case(&format!("week {count}"), count))).await;
        week = week.checked_add(jiff::Span::new().days(7)).unwrap();
    };
    put_week().await;
    place.pipeline.run().await.exits(0);
    let written = place.fire.asked("PUT", "/public/");
    let keys: Vec<_> = written.iter().map(super::key).collect();
    assert_eq!(keys.last().map(String::as_str), Some("public/manifest.json"), "it is written last: {keys:?}");
    assert_eq!(
        keys.iter().collect::<BTreeSet<_>>().len(),
        TABLES.len() + DERIVED_CSVS.len() + 3,
        "each once: {keys:?}"
    );
    // The dictionary is the same every week.
    let changing: Vec<_> = keys.iter().filter(|key| !key.ends_with("data-dictionary.csv")).collect();
    // An answer that is not retried, so the test need not wait.
    for (position, key) in keys.iter().enumerate() {
        let old = place.public().await;
        assert!(place.is_consistent().await);
        put_week().await;
        place.fire.heal();
        place.fire.strike("PUT", key, Fault::Answer(403, "AccessDenied"), 1);
        let ran = place.pipeline.run().await.exits(4).says("The data is committed").says(key);
        assert!(ran.failure().contains("The next run publishes again."), "{}", ran.failure());
        let now = place.public().await;
        for (before, other) in keys.iter().enumerate().filter(|(_, other)| changing.contains(other)) {
            let is_new = now[other] != old[other];
            assert_eq!(is_new, before < position, "{other}, when {key} broke");
        }
        // If the first object breaks, every file is still the old one.
        assert_eq!(place.is_consistent().await, position == 0, "{key}");
        place.fire.heal();
        place.pipeline.run().await.exits(0);
        assert!(place.is_consistent().await, "after {key}");
        let new = place.public().await;
        let same: Vec<_> = changing.iter().filter(|key| new[**key] == old[**key]).collect();
        assert!(same.is_empty(), "after {key}: {same:?}");
    }
}
