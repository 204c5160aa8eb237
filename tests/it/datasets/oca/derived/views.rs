//! The views of addresses that may be public.

use std::collections::BTreeSet;

use crate::engine::takeover::production;
use crate::support::extract::Extract;
use crate::support::pipeline::{DERIVED_CSVS, Pipeline};

/// Addresses as geocoding leaves them: of a small building and of a large one, each with values that must not become
/// public.
async fn geocoded(pipeline: &Pipeline) {
    let address = |street: &str| {
        format!(
            "<PropertyAddresses><PropertyAddress><Street1>{street}</Street1><City>Brooklyn</City>\
             <State>New York</State><PostalCode>11201</PostalCode></PropertyAddress></PropertyAddresses>"
        )
    };
    let ids = ["large", "small", "ten", "unknown"];
    let extract = ids.iter().fold(Extract::weekly("2024-06-03"), |extract, id| {
        extract.case(id, &address(&format!("742 EVERGREEN {id}")))
    });
    pipeline.put(extract);
    pipeline.run().await.exits(0);
    pipeline
        .execute(
            "update oca_addresses set status = 'match', house_number = '742', street_name = 'EVERGREEN TERRACE',
                 sname = 'EVERGREEN TER', hnum = '0742', boro = '3', borough_code = '3', lat = 40.690712, lon = -73.990111,
                 bin = '3987654', cd = '302', ct = '0001', council = '33', grc = '00', grc2 = '01',
                 place_name = 'PLACE ' || indexnumberid, msg = 'MSG ' || indexnumberid, msg2 = 'MSG2 ' || indexnumberid,
                 zip_code = '11201', geom = st_setsrid(st_makepoint(-73.990111, 40.690712), 4326),
                 bbl = case indexnumberid when 'large' then '3000000011' when 'small' then '3000000002'
                     when 'ten' then '3000000010' else '3000000099' end;
             insert into oca_lots (bbl, unitsres, cd, council, bct2020, bctcb2020, ct2010, cb2010) values
                 ('3000000011', 11, '302', '33', '3000100', '30001001011', '1', '1011'),
                 ('3000000002', 2, '302', '33', '3000100', '30001002002', '1', '2002'),
                 ('3000000010', 10, '302', '33', '3000100', '30001003010', '1', '3010');
             insert into oca_tracts (geoid, countyfp, geom) values
                 ('36047000100', '047', st_multi(st_makeenvelope(-74, 40, -73, 41, 4326))),
                 ('36047000200', '047', st_multi(st_makeenvelope(-74, 40, -73, 41, 4326))),
                 ('36047000300', '047', st_multi(st_makeenvelope(-72, 40, -71, 41, 4326)))",
        )
        .await;
}

#[tokio::test]
async fn nothing_finer_than_a_tract_is_public_of_a_small_building() {
    let pipeline = Pipeline::new("views").await.with("--level", "2");
    geocoded(&pipeline).await;
    pipeline.put(Extract::weekly("2024-06-10").case("later", ""));
    pipeline.run().await.exits(0);

    let columns = "indexnumberid,city,state,postalcode,borough_code,place_name,boro,cd,ct,bct2020,bctcb2020,ct2010,cb2010,\
                   council,grc,grc2,msg,msg2,unitsres,bbl";
    let with_bbl = pipeline.csv("public/oca_addresses_with_bbl.csv").sorted();
    assert_eq!(with_bbl.columns.join(","), columns, "as the older job had it");
    let rows: Vec<_> = with_bbl
        .rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        rows,
        [
            "large Brooklyn New York 11201 3 PLACE large 3 302 1 3000100 30001001011 1 1011 33 00 01 MSG large MSG2 large 11 3000000011",
            "small Brooklyn New York 11201 3 - 3 302 1 3000100 - 1 - 33 00 01 - - - -",
            "ten Brooklyn New York 11201 3 - 3 302 1 3000100 - 1 - 33 00 01 - - - -",
            "unknown Brooklyn New York 11201 3 - 3 302 - - - - - 33 00 01 - - - -",
        ]
    );
    let with_ct = pipeline.csv("public/oca_addresses_with_ct.csv").sorted();
    assert_eq!(with_ct.columns.join(","), "indexnumberid,geoid,countyfp,city,state,postalcode");
    assert_eq!(with_ct.column("geoid"), vec![Some("36047000100".to_owned()); 4], "one row an address");
    let public = pipeline.csv("public/oca_addresses_public.csv");
    assert_eq!(public.columns.join(","), "indexnumberid,city,state,postalcode");

    // The private table holds the planted values, and public objects hold them only where the rule allows it.
    let planted = [
        "EVERGREEN",
        "0742",
        "40.69",
        "73.99",
        "3987654",
        "PLACE small",
        "MSG small",
        "MSG2 small",
        "PLACE ten",
        "3000000002",
        "3000000010",
        "3000000099",
        "30001002002",
        "30001003010",
        "MSG unknown",
    ];
    let objects = pipeline.objects();
    for text in planted {
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        let public: Vec<_> =
            objects.iter().filter(|(key, bytes)| key.starts_with("public/") && holds(bytes)).collect();
        assert!(
            public.is_empty(),
            "{text} is in {:?}",
            public.iter().map(|(key, _)| key).collect::<Vec<_>>()
        );
        let private = &objects["private/oca_addresses_private.csv"];
        let is_lot = text.starts_with("3000") && text.len() > 10;
        assert!(is_lot || holds(private), "{text} was not planted");
    }
    // No other public object has addresses.
    let known: BTreeSet<_> = DERIVED_CSVS.iter().map(|name| format!("public/{name}")).collect();
    let others =
        objects.keys().filter(|key| key.starts_with("public/oca_addresses") && !known.contains(*key));
    assert_eq!(others.collect::<Vec<_>>(), ["public/oca_addresses.csv"]);
}

#[tokio::test]
async fn an_older_view_is_never_published_and_its_readers_stay() {
    let pipeline = production("views older").await;
    let name = pipeline.database.name().to_owned();
    let [reader, other, late] = ["reader", "other", "late"].map(|role| format!("{name}_{role}"));
    pipeline
        .execute(&format!(
            "create role {reader}; create role {other}; create role {late};
             create view oca_addresses_public as select indexnumberid, city from oca_addresses;
             create view oca_addresses_with_bbl as select indexnumberid, city, street1, bbl from oca_addresses;
             grant select on oca_addresses_public, oca_addresses_with_bbl to {reader} with grant option;
             grant select (indexnumberid, street1, bbl), update (city) on oca_addresses_with_bbl to {other};
             alter default privileges grant select on tables to {late};"
        ))
        .await;
    // A publication without a promotion before it.
    let ran = pipeline.other(&["purge", "oca"]).await.exits(0);
    let ran = ran.says("public/oca_addresses_with_bbl.csv is not published");
    ran.says("public/oca_addresses_public.csv is not published");
    assert!(!pipeline.objects().contains_key("public/oca_addresses_with_bbl.csv"));

    pipeline.put(Extract::weekly("2024-03-04").case("untouched", ""));
    let ran = pipeline.run_with(&["--dry-run"]).await.exits(0);
    ran.says("is rebuilt, because its columns have changed").says("The database is unchanged.");
    pipeline.execute("alter view oca_addresses_public set (security_barrier = true)").await;
    pipeline
        .run()
        .await
        .exits(0)
        .says("the view oca_addresses_public said something else than ours and is replaced");
    // The view keeps its owner's options, and its old definition is in the ledger.
    let options =
        "select array_to_string(reloptions, ',') from pg_class where oid = 'oca_addresses_public'::regclass";
    assert_eq!(pipeline.one(options).await, "security_barrier=true");
    let kept = "select details -> 'replaced_views' ->> 'oca_addresses_with_bbl' from etl.steps
        where details ? 'replaced_views'";
    let kept = pipeline.one(kept).await;
    assert!(kept.contains("street1") && kept.contains("oca_addresses"), "{kept}");
    let may = |role: &str, what: &str| format!("select has_{}", what.replace("ROLE", &format!("'{role}'")));
    for (role, what, expected) in [
        (&reader, "table_privilege(ROLE, 'oca_addresses_public', 'select with grant option')", "t"),
        (&reader, "table_privilege(ROLE, 'oca_addresses_with_bbl', 'select with grant option')", "t"),
        (&other, "table_privilege(ROLE, 'oca_addresses_with_bbl', 'select')", "f"),
        (&other, "column_privilege(ROLE, 'oca_addresses_with_bbl', 'bbl', 'select')", "t"),
        (&other, "column_privilege(ROLE, 'oca_addresses_with_bbl', 'city', 'update')", "t"),
        (&other, "column_privilege(ROLE, 'oca_addresses_with_bbl', 'state', 'select')", "f"),
        // The default privileges of new objects must not let more people in.
        (&late, "table_privilege(ROLE, 'oca_addresses_with_bbl', 'select')", "f"),
    ] {
        assert_eq!(pipeline.one(&may(role, what)).await, expected, "{role}: {what}");
    }
    assert!(!pipeline.csv("public/oca_addresses_with_bbl.csv").columns.contains(&"street1".to_owned()));

    // A correct view is not written again, so its readers do not wait.
    let written = "select string_agg(oid || ' ' || xmin, ', ' order by relname) from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'v'";
    let before = pipeline.one(written).await;
    let client = pipeline.database.client().await;
    client
        .batch_execute("begin; select from oca_addresses_with_bbl; select from oca_addresses_public")
        .await
        .unwrap();
    pipeline.put(Extract::weekly("2024-03-11").case("untouched", "<Status>Active</Status>"));
    pipeline.run().await.exits(0);
    client.batch_execute("commit").await.unwrap();
    assert_eq!(pipeline.one(written).await, before);

    // Other people's views on our view belong to them, so a run that would have to drop them stops.
    pipeline
        .execute(
            "drop view oca_addresses_with_bbl; create view oca_addresses_with_bbl as select street1 from oca_addresses;
             create view mine as select street1 from oca_addresses_with_bbl",
        )
        .await;
    let ran = pipeline.other(&["purge", "oca"]).await.exits(0);
    ran.says("public/oca_addresses_with_bbl.csv is not published");
    let left = pipeline.csv("public/oca_addresses_with_bbl.csv");
    assert!(!left.columns.contains(&"street1".to_owned()), "{:?}", left.columns);
    // The rows published before do not stay either, because cases may have been sealed since.
    assert_eq!(left.rows.len(), 0);
    pipeline.put(Extract::weekly("2024-03-18").case("untouched", ""));
    let ran = pipeline.run().await.exits(1).says("must be rebuilt, because its columns have changed");
    ran.says("The database is unchanged.");
}

#[tokio::test]
async fn without_postgis_there_is_no_tract() {
    let plain = crate::support::postgres::plain_database("views plain").await;
    let pipeline = Pipeline::on(plain).with("--level", "2");
    let address =
        "<PropertyAddresses><PropertyAddress><City>Bronx</City></PropertyAddress></PropertyAddresses>";
    pipeline.put(Extract::weekly("2024-06-03").case("a", address));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.csv("public/oca_addresses_with_ct.csv").column("geoid"), [None]);
    assert_eq!(
        pipeline
            .csv("public/data-dictionary.csv")
            .rows
            .iter()
            .filter(|row| row[1].as_deref() == Some("geom"))
            .count(),
        0
    );
}
