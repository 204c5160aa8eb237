//! A publication in three forms is killed in the middle. Every object is whole, a reader who compares with the manifest
//! can tell, and the next run publishes all of them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;
use crate::support::sha256;

const FORMS: [&str; 2] = ["--publish", "csv,csv.gz,parquet"];

/// The checksums in the manifest, and those of the objects.
fn checksums(pipeline: &Pipeline) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let objects = pipeline.objects();
    let manifest: Value = serde_json::from_slice(&objects["public/manifest.json"]).expect("JSON");
    let (mut named, mut found) = (BTreeMap::new(), BTreeMap::new());
    for file in manifest["files"].as_array().expect("a list") {
        let name = file["name"].as_str().expect("a name").to_owned();
        let bytes = &objects[&format!("public/{name}")];
        found.insert(name.clone(), sha256(bytes));
        named.insert(name, file["sha256"].as_str().expect("a checksum").to_owned());
    }
    (named, found)
}

#[tokio::test]
async fn killed_at_any_object_of_three_forms() {
    let pipeline = Pipeline::new("killed forms").await;
    let case =
        |mark: &str| format!("<Status>{mark}</Status><Parties><Party><Role>{mark}</Role></Party></Parties>");
    pipeline.put(Extract::weekly("2024-01-01").case("first", &case("first")));
    pipeline.run_with(&FORMS).await.exits(0);
    let points = [
        "publish.mid_object@1",
        "publish.mid_object@2",
        "publish.mid_object@3",
        "publish.object@1",
        "publish.object@2",
        "publish.object@3",
        "publish.object@17",
        "publish.before_manifest",
        "publish.after_manifest",
    ];
    for (number, point) in points.iter().enumerate() {
        let before = checksums(&pipeline);
        assert_eq!(before.0, before.1, "before {point}");
        let mark = format!("week {number}");
        pipeline.put(Extract::weekly(&format!("2024-02-{:02}", number + 1)).case(&mark, &case(&mark)));
        let fault = format!("{point}=kill");
        pipeline.start_with(&FORMS, &[("FAULTS", &fault)]).await.expect("it ends").exits(-1);
        let (named, found) = checksums(&pipeline);
        if *point == "publish.after_manifest" {
            assert_eq!(named, found, "{point}");
        } else {
            assert_eq!(named, before.0, "{point}: the manifest is the old one");
            let new = named.iter().filter(|(name, sha256)| found[*name] != **sha256).count();
            assert_eq!(new > 0, !point.ends_with("mid_object@1"), "{point}: {new} objects are new");
        }
        // A run with nothing new still publishes.
        pipeline.run_with(&FORMS).await.exits(0);
        let (named, found) = checksums(&pipeline);
        assert_eq!(named, found, "after {point}");
        assert_eq!(named.len(), before.0.len());
        assert!(pipeline.csv("public/oca_index.csv").column("status").contains(&Some(mark)), "{point}");
        let left: Vec<_> =
            std::fs::read_dir(pipeline.store().join("public")).expect("a folder").flatten().collect();
        assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().ends_with(".part")), "{left:?}");
    }
}
