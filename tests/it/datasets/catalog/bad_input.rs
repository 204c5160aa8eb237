//! A file that is no sheet stops the run, and the data loaded last stays.

use std::fs;

use super::world::{World, good};

#[tokio::test]
async fn a_sheet_that_cannot_be_read_stops_the_run() {
    let world = World::new("catalog unreadable").await;
    world.run(&[]).await.exits(0);
    let wide = format!("{}\n", (0..10_000).map(|n| format!("c{n}")).collect::<Vec<_>>().join(","));
    let renamed = good("projects.csv").replace("license", "licence");
    let mut windows = good("projects.csv").replace("Learns", "Lernt f").into_bytes();
    let at = windows.windows(7).position(|seven| seven == b"Lernt f").unwrap() + 7;
    windows.insert(at, 0xfc);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("projects.csv", windows, "not UTF-8 (byte 0xfc in line 2), perhaps Windows-1252"),
        ("projects.csv", good("projects.csv").replace(',', ";").into_bytes(), "separated by semicolons"),
        ("projects.csv", Vec::new(), "it is empty"),
        ("projects.csv", b"\n\n".to_vec(), "it is empty"),
        ("projects.csv", wide.into_bytes(), "it has 10000 columns"),
        ("projects.csv", b"<!DOCTYPE html><title>Sign in</title>".to_vec(), "a page of the web"),
        ("projects.csv", renamed.into_bytes(), "the column license is missing (`licence` may be meant"),
        ("projects.csv", b"\xff\xfep\0r\0".to_vec(), "UTF-16"),
        ("projects.csv", b"PK\x03\x04xl/workbook".to_vec(), "a workbook"),
        ("links.csv", b"project,kind,url,url\n".to_vec(), "the column url is there twice"),
        (
            "links.csv",
            b"project,kind,url\nnumpy,\"docs,https://a.b\n".to_vec(),
            "a quote in row 2 is never closed",
        ),
    ];
    for (name, bytes, reason) in cases {
        world.put(name, &bytes);
        world.put_with("backers.csv", "more,More,company,\n");
        let ran = world.run(&[]).await;
        assert!(ran.stderr.contains(reason), "{name}: {reason}\n{}", ran.stderr);
        ran.exits(1).says("the data loaded last stays");
        assert_eq!(world.keys("catalog_backers").await, "acme fund", "{reason}");
        assert!(world.failures().await.is_empty(), "{name}: a reference into a missing sheet is no fault");
        world.put(name, good(name));
    }
    world.run(&[]).await.exits(0);
    assert_eq!(world.keys("catalog_backers").await, "acme fund more");
}

#[tokio::test]
async fn a_sheet_that_is_missing_stops_the_run_and_the_near_one_is_named() {
    let world = World::new("catalog missing").await;
    let source = world.pipeline.source();
    fs::rename(source.join("projects.csv"), source.join("Projects.csv")).unwrap();
    world
        .run(&[])
        .await
        .exits(1)
        .says("has no projects.csv; there is Projects.csv (names have small letters)");
    fs::remove_file(source.join("links.csv")).unwrap();
    world.run(&[]).await.exits(1).says("projects.csv, links.csv");
    assert_eq!(world.pipeline.one("select count(*) from etl.runs where status = 'failed'").await, "2");
}

/// A byte-order mark, columns in another order, additional columns, blank rows, and lines that end as on Windows.
#[tokio::test]
async fn what_programs_make_of_a_good_sheet_is_good() {
    let world = World::new("catalog odd").await;
    world.put("backers.csv", "\u{feff}url,notes,kind,name,backer\r\n,,,,\r\nhttps://a.example.com,mine,company,Acme,acme\r\n\r\n,,foundation,The Fund,fund\r\n");
    world.run(&[]).await.exits(0);
    assert_eq!(world.keys("catalog_backers").await, "acme fund");
    let unknown = "select unknown -> 'notes' ->> 'count' from etl.parts where name = 'backers.csv'";
    assert_eq!(world.pipeline.one(unknown).await, "1");
    // Sheets with a header alone are empty sheets.
    for (name, text) in super::world::GOOD {
        world.put(name, text.lines().next().unwrap());
    }
    world.run(&[]).await.exits(1).says("guard drop");
}
