//! Editions and tracts that are refused.

use std::fs;
use std::path::Path;

use super::{City, IN_USE, take};
use crate::support::pipeline::Pipeline;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_whole_edition_is_refused_and_the_one_in_use_stays() {
    let pipeline = Pipeline::new("reference_refused").await;
    let city = City::new(&pipeline);
    let (pad, pluto) = (city.path(""), city.path("pluto.csv"));
    take(&pipeline, &pad, &pluto, &[]).await.exits(0);
    let in_use = pipeline.one(IN_USE).await;
    let lines = |text: &str, some: usize| text.lines().take(some).collect::<Vec<_>>().join("\n") + "\n";
    let all = city.text("pluto.csv").lines().count();
    let pad_of = |name: &str, change: &dyn Fn(String) -> String| {
        let dir = pipeline.folder().join(name);
        fs::create_dir(&dir).unwrap();
        fs::copy(Path::new(&city.path("bobabbl.txt")), dir.join("bobabbl.txt")).unwrap();
        fs::write(dir.join("bobaadr.txt"), change(city.text("bobaadr.txt"))).unwrap();
        dir.display().to_string()
    };
    let zip = city.pad_zip();
    fs::write(city.path("cut.zip"), &zip[..zip.len() / 2]).unwrap();
    let plutos = [
        (city.changed("pluto.csv", "half.csv", |text| lines(&text, all / 2)), "guard drop lots"),
        (
            city.changed("pluto.csv", "no_units.csv", |text| text.replacen("unitsres", "units", 1)),
            "no_units.csv has no column unitsres",
        ),
        (
            city.changed("pluto.csv", "older.csv", |text| text.replace("26v1", "25v3")),
            "older than the reference in use",
        ),
        (
            city.changed("pluto.csv", "mixed.csv", |text| text.replacen("26v1", "26v2", 40)),
            "several editions",
        ),
        (city.changed("pluto.csv", "empty.csv", |_| String::new()), "empty"),
        (city.changed("pluto.csv", "header.csv", |text| lines(&text, 1)), "have no rows"),
        (
            city.changed("pluto.csv", "cut.csv", |text| text[..text.len() / 2].to_owned() + ",\"26"),
            "cut.csv cannot be read, it may be cut off",
        ),
        (city.path("none.csv"), "give --pluto a file or a folder that is there"),
    ];
    for (path, says) in plutos {
        let ran = take(&pipeline, &pad, &path, &[]).await;
        assert_ne!(ran.code, 0, "{path} is taken: {}", ran.stdout);
        ran.says(says);
        assert_eq!(pipeline.one(IN_USE).await, in_use, "{path}");
    }
    let pads = [
        (city.path("cut.zip"), "may be cut off"),
        (pad_of("no_zip", &|text| text.replacen("zipcode", "zip", 1)), "no column zipcode"),
        (pad_of("half", &|text| lines(&text, text.lines().count() / 2)), "guard drop ranges"),
        (pad_of("nothing", &|_| String::new()), "empty"),
        (pad_of("mid_quote", &|text| text[..text.len() / 3 * 2].to_owned() + "\n\"1"), "cut off"),
    ];
    for (path, says) in pads {
        let ran = take(&pipeline, &path, &pluto, &[]).await;
        assert_ne!(ran.code, 0, "{path} is taken: {}", ran.stdout);
        ran.says(says);
        assert_eq!(pipeline.one(IN_USE).await, in_use, "{path}");
    }
    take(&pipeline, &pad, &pluto, &["--allow", "orphans"]).await.exits(2).says("no guard `orphans`");
    // A reference that is smaller on purpose can be let through, and the ledger says by whom.
    take(&pipeline, &pad, &city.path("half.csv"), &["--allow", "drop"]).await.exits(0);
    assert_ne!(pipeline.one(IN_USE).await, in_use);
    let allowed = "select string_agg(distinct subject, ',') from etl.guards
        where name = 'drop' and not passed and allowed_by is not null";
    assert_eq!(pipeline.one(allowed).await, "lots");
}

#[tokio::test(flavor = "multi_thread")]
async fn tracts_are_valid_shapes_of_the_state_or_none_are_taken() {
    let pipeline = Pipeline::new("reference_tracts").await;
    let city = City::new(&pipeline);
    let (pad, pluto, tracts) = (city.path(""), city.path("pluto.csv"), city.path("tracts.csv"));
    take(&pipeline, &pad, &pluto, &["--tracts", &tracts]).await.exits(0);
    let shapes = "select concat_ws('|', count(*), md5(string_agg(concat(geoid, countyfp, st_astext(geom)), ';' order by geoid)))
        from oca_tracts";
    let before = pipeline.one(shapes).await;
    let first = city.text("tracts.csv").lines().nth(1).unwrap().to_owned();
    let with = |name: &str, row: &str| city.changed("tracts.csv", name, |text| text.replacen(&first, row, 1));
    let shape = |text: &str| format!("\"{text}\",1,1,Manhattan,000100,1000100,36061000100");
    // A shape that crosses itself has no area.
    let bow = "MULTIPOLYGON (((-74.0 40.75, -73.99 40.76, -73.99 40.75, -74.0 40.76, -74.0 40.75)))";
    let feet = "MULTIPOLYGON (((981219 195373, 983000 195373, 983000 197000, 981219 195373)))";
    let open = "MULTIPOLYGON (((-74.0 40.75, -73.99 40.75, -73.99 40.76, -74.0 40.76)))";
    let away = "MULTIPOLYGON (((-74.0 40.75, -73.99 40.75, 12.0 51.0, -74.0 40.75)))";
    let cases = [
        (with("bow.csv", &shape(bow)), "a shape that is not valid"),
        (with("feet.csv", &shape(feet)), "not in the state, in degrees"),
        (with("open.csv", &shape(open)), "no shape that can be read"),
        (with("away.csv", &shape(away)), "does not lie in the state"),
        (with("cut.csv", &shape("MULTIPOLYGON (((-74.0 40.75, -73.99")), "no polygon"),
        (with("point.csv", &shape("POINT (-74.0 40.75)")), "no polygon"),
        (with("number.csv", &first.replace("36061000100", "61000100")), "no number of a tract"),
        (with("twice.csv", &first.replace("36061000100", "36061000200")), "there twice"),
        (
            city.changed("tracts.csv", "no_shape.csv", |text| text.replacen("the_geom", "shape", 1)),
            "no_shape.csv has no column the_geom",
        ),
        (
            city.changed("tracts.csv", "few.csv", |text| {
                text.lines().take(100).collect::<Vec<_>>().join("\n") + "\n"
            }),
            "guard drop oca_tracts",
        ),
        (city.changed("tracts.csv", "none.csv", |_| String::new()), "empty"),
    ];
    for (path, says) in cases {
        let ran = take(&pipeline, &pad, &pluto, &["--tracts", &path]).await;
        assert_ne!(ran.code, 0, "{path} is taken: {}", ran.stdout);
        ran.says(says);
        assert_eq!(pipeline.one(shapes).await, before, "{path}");
    }
    // The edition of 2010 has only the city's numbers, and single polygons.
    let older = city.changed("tracts.csv", "older.csv", |text| {
        let text = text.replace("CT2020", "CT2010").replace(",GEOID", "");
        let text = text.replace("MULTIPOLYGON (((", "POLYGON ((").replace(")))", "))");
        text.lines()
            .map(|line| match line.rsplit_once(",36") {
                Some((rest, _)) => format!("{rest}\n"),
                None => format!("{line}\n"),
            })
            .collect()
    });
    take(&pipeline, &pad, &pluto, &["--tracts", &older]).await.exits(0);
    assert_eq!(pipeline.one(shapes).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn tracts_take_postgis() {
    let pipeline = Pipeline::new("reference_no_postgis").await;
    pipeline.execute("drop extension if exists postgis cascade").await;
    let city = City::new(&pipeline);
    let (pad, pluto, tracts) = (city.path(""), city.path("pluto.csv"), city.path("tracts.csv"));
    let ran = take(&pipeline, &pad, &pluto, &["--tracts", &tracts]).await;
    assert_ne!(ran.code, 0);
    ran.says("has no PostGIS").says("create extension postgis");
    take(&pipeline, &pad, &pluto, &[]).await.exits(0);
    // Once PostGIS exists, a table without a geometry gets one.
    pipeline.run().await.exits(0);
    pipeline.execute("create extension postgis").await;
    let taken = take(&pipeline, &pad, &pluto, &["--tracts", &tracts]).await.exits(0);
    assert_eq!(pipeline.one("select count(*) from oca_tracts where st_isvalid(geom)").await, "320");
    let taken = taken.says("oca_tracts: 320 rows, 0 before").says("only oca_tracts is filled again");
    assert!(!taken.stdout.contains("Next: "), "{}", taken.stdout);
}
