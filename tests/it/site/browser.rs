//! The site in headless Chromium, opened from the disk by a person who was sent the folder.

use serde_json::json;

use super::world::World;
use crate::support::browser::looks;

#[tokio::test]
async fn every_page_is_fit_for_a_phone_and_a_desk_and_the_search_for_a_keyboard() {
    let world = World::new("site browser", 40).await;
    world.build(&[]).await.exits(0);
    let pages = world.files().into_iter().filter(|(path, _)| path.ends_with(".html"));
    let pages: Vec<_> = pages.map(|(path, bytes)| (path, bytes.len())).collect();
    assert!(pages.iter().all(|(_, bytes)| *bytes < 150_000), "{pages:?}");
    let name = world.pipeline.one("select max(name) from catalog_projects").await;
    let looks = looks("site/look.mjs", world.out(), &name).await;
    assert_eq!(looks.len(), 4, "{looks:#?}");
    for look in looks {
        for nothing in ["said", "elsewhere", "violations", "wide"] {
            assert_eq!(look[nothing], json!([]), "{nothing}: {look:#}");
        }
        assert_eq!(
            look["visited"].as_u64().unwrap(),
            pages.len() as u64,
            "links lead to every page: {look:#}"
        );
        assert!(look["slowest"].as_u64().unwrap() < 2_000, "{look:#}");
        assert_eq!(
            (&look["found"], &look["back"], &look["nothing"]),
            (&json!(name), &json!("q"), &json!("0 found"))
        );
        assert!(look["opened"].as_str().unwrap().contains("/projects/"), "{look:#}");
        assert_eq!(look["scripts"], json!(1), "the search alone has a script: {look:#}");
        assert!(look["charts"].as_u64().unwrap() > 3, "{look:#}");
    }
}
