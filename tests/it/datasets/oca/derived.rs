//! What is made of the tables: the summary of each case, the views that may be public, the comments and the dictionary.

use std::collections::BTreeSet;

use crate::datasets::oca::rules::rows_of;
use crate::engine::takeover::production;
use crate::support::csv::Csv;
use crate::support::extract::Extract;
use crate::support::pipeline::{DERIVED_CSVS, Pipeline};

/// A case of which every number of the summary can be counted by hand.
fn story(status: &str, appearances: usize) -> String {
    let party = |role: &str, with: &str| {
        format!("<Party><Role>{role}</Role><RepresentationType>{with}</RepresentationType></Party>")
    };
    let parties = [
        party("Petitioner", "Counsel"),
        party("Petitioner", "SRL"),
        party("Respondent", "Counsel"),
        party("Respondent", "No Appearance"),
        party("Respondent", "No Appearance"),
        party("Interested Party", "Counsel"),
    ]
    .concat();
    let appearances: String = (1..=appearances)
        .map(|day| {
            format!(
                "<Appearance><AppearanceDateTime>2024-02-{day:02}T09:30:00</AppearanceDateTime></Appearance>"
            )
        })
        .collect();
    let judgment = |sequence: u8, more: &str, amount: &str, warrants: &str| {
        format!(
            "<Judgment><Sequence>{sequence}</Sequence>{more}\
             <EnteredDateTime>2024-03-0{sequence}T10:00:00</EnteredDateTime><WithPossession>true</WithPossession>\
             <TotalJudgmentAmount>{amount}</TotalJudgmentAmount><Warrants>{warrants}</Warrants></Judgment>"
        )
    };
    let warrant =
        |sequence: u8, dates: &str| format!("<Warrant><Sequence>{sequence}</Sequence>{dates}</Warrant>");
    // The first was amended by the second, the third was vacated.
    let judgments = [
        judgment(1, "", "100.00", &warrant(1, "")),
        judgment(
            2,
            "<AmendedFromJudgmentSequence>1</AmendedFromJudgmentSequence>",
            "250.50",
            &(warrant(1, "<IssuedDate>2024-04-01</IssuedDate>")
                + &warrant(
                    2,
                    "<IssuedDate>2024-04-02</IssuedDate><ExecutionDate>2024-05-01</ExecutionDate>",
                )),
        ),
        judgment(3, "<LatestJudgmentStatus>Vacated</LatestJudgmentStatus>", "999", ""),
    ]
    .concat();
    format!(
        "<Court>Kings County Civil Court</Court><FiledDate>2024-01-02</FiledDate><Status>{status}</Status>\
         <Classification>Holdover</Classification><PrimaryClaimTotal>500</PrimaryClaimTotal>\
         <Parties>{parties}</Parties><Appearances>{appearances}</Appearances>\
         <Motions><Motion><Sequence>1</Sequence><FiledDate>2024-02-09</FiledDate></Motion>\
         <Motion><Sequence>2</Sequence></Motion></Motions><Judgments>{judgments}</Judgments>"
    )
}

async fn summary(pipeline: &Pipeline) -> Vec<String> {
    let query = "select concat_ws('|', indexnumberid, fileddate, court, borough, classification, status, primaryclaimtotal,
            petitioners || '/' || petitioners_with_counsel, respondents || '/' || respondents_with_counsel,
            appearances, firstappearancedate, lastappearancedate, motions, lastmotiondate,
            judgments || '/' || judgments_with_possession, judgmentamount, firstjudgmentdate, lastjudgmentdate,
            warrants || '/' || warrants_issued || '/' || warrants_executed, firstwarrantissueddate,
            lastwarrantexecutiondate)
        from oca_case_summary order by 1";
    pipeline.column(query).await
}

fn told(id: &str, status: &str, appearances: usize) -> String {
    format!(
        "{id}|2024-01-02|Kings County Civil Court|Brooklyn|Holdover|{status}|500|2/1|3/1|{appearances}|2024-02-01|\
         2024-02-{appearances:02}|2|2024-02-09|3/1|250.50|2024-03-01|2024-03-03|3/2/1|2024-04-01|2024-05-01"
    )
}

/// All zeros, for a case about which nothing is known.
fn nothing(id: &str) -> String {
    format!("{id}|0/0|0/0|0|0|0/0|0/0/0")
}

/// The change of the summary in the last run.
async fn change(pipeline: &Pipeline) -> String {
    let query =
        "select concat_ws(' ', rows_before, inserted, replaced, deleted, rows_after) from etl.table_changes
        where table_name = 'oca_case_summary' and run_id =
            (select run_id from etl.runs order by started_at desc limit 1)";
    pipeline.one(query).await
}

#[tokio::test]
async fn the_summary_follows_its_cases() {
    let pipeline = Pipeline::new("summary").await;
    let first = Extract::weekly("2024-06-03").case("a", &story("Active", 2)).case("b", "").case("c", "");
    pipeline.put(first);
    pipeline.run_with(&["--dry-run"]).await.exits(0).says("oca_case_summary              0         3");
    assert_eq!(pipeline.one("select to_regclass('oca_case_summary')").await, "NULL");
    pipeline.run().await.exits(0).says("oca_case_summary ");
    assert_eq!(summary(&pipeline).await, [told("a", "Active", 2), nothing("b"), nothing("c")]);
    assert_eq!(change(&pipeline).await, "0 3 0 0 3");
    let public = pipeline.csv("public/oca_case_summary.csv");
    assert_eq!(public.rows.len(), 3);

    // A new word on one, a deletion, a new one, one that fails, one that is not touched.
    let second = Extract::weekly("2024-06-10").case("a", &story("Disposed", 3)).delete("c").case("d", "");
    pipeline.put(second.case("b", "<FiledDate>never</FiledDate>"));
    let untouched = "select xmin::text || ctid from oca_case_summary where indexnumberid = 'b'";
    let before = pipeline.one(untouched).await;
    let dry = pipeline.run_with(&["--dry-run"]).await.exits(3);
    let dry = dry.says("oca_case_summary inserted, such as d").says("oca_case_summary replaced, such as a");
    dry.says("oca_case_summary deleted, such as c");
    assert_eq!(summary(&pipeline).await, [told("a", "Active", 2), nothing("b"), nothing("c")]);
    pipeline.run().await.exits(3);
    let now = [told("a", "Disposed", 3), nothing("b"), nothing("d")];
    assert_eq!(summary(&pipeline).await, now);
    assert_eq!(change(&pipeline).await, "3 1 1 1 3");
    assert_eq!(pipeline.one(untouched).await, before, "only rows of the batch are written");

    // The old file again changes nothing, and the deleted one stays away.
    pipeline.other(&["reprocess", "oca", "*2024-06-03*", "--force"]).await.exits(0);
    assert_eq!(summary(&pipeline).await, now);
    // One that a guard stops changes nothing either.
    pipeline.put(Extract::weekly("2024-06-17").delete("a").delete("b").case("e", ""));
    pipeline.run_with(&["--max-deletes", "1"]).await.exits(1).says("The database is unchanged.");
    assert_eq!(summary(&pipeline).await, now);
}

#[tokio::test]
async fn a_production_without_a_summary_gets_the_whole_of_it_at_once() {
    let pipeline = production("summary takeover").await;
    pipeline.put(Extract::weekly("2024-03-04").case("older", &story("Active", 1)).delete("deleted"));
    let ran = pipeline.run().await.exits(0).says("oca_case_summary is new: it is made from all rows");
    drop(ran);
    let as_it_was =
        |id: &str| format!("{id}|Kings County Civil Court|Brooklyn|as it was|1/0|1/0|1|0|1/0|800.00|0/0/0");
    let expected = [as_it_was("newer"), told("older", "Active", 1), as_it_was("untouched")];
    assert_eq!(summary(&pipeline).await, expected);
    assert_eq!(change(&pipeline).await, "0 3 0 0 3");
    pipeline.put(Extract::weekly("2024-03-11").case("untouched", ""));
    pipeline.run().await.exits(0);
    assert_eq!(change(&pipeline).await, "3 0 1 0 3");
    assert_eq!(summary(&pipeline).await, [expected[0].clone(), expected[1].clone(), nothing("untouched")]);

    // If somebody drops it, the next promotion makes it again, with the schema's default privileges.
    pipeline.execute("drop table oca_case_summary").await;
    let ran = pipeline.other(&["check", "oca"]).await.exits(0);
    ran.says("oca_case_summary is not there yet: the next promotion makes it");
    // Until then there is none to publish.
    pipeline.other(&["purge", "oca"]).await.exits(0).says("oca_case_summary.csv is not published");
    pipeline.put(Extract::weekly("2024-03-18").case("untouched", ""));
    pipeline.run().await.exits(0);
    assert_eq!(summary(&pipeline).await, [expected[0].clone(), expected[1].clone(), nothing("untouched")]);
}

#[tokio::test]
async fn a_summary_that_does_not_follow_is_made_of_all_rows() {
    let pipeline = Pipeline::new("summary left").await;
    pipeline.put(Extract::weekly("2024-06-03").case("a", &story("Active", 2)).case("b", "").case("c", ""));
    pipeline.run().await.exits(0);

    // An older program, which does not know the summary, changes a case.
    pipeline
        .execute(
            "update oca_index set status = 'Disposed' where indexnumberid = 'a';
             insert into etl.runs (run_id, dataset, target_schema, kind, status, host)
             select gen_random_uuid(), dataset, target_schema, kind, status, host from etl.runs limit 1;
             insert into etl.table_changes
             select (select run_id from etl.runs order by started_at desc limit 1), batch, table_name, rows_after, 0, 1, 0, rows_after
             from etl.table_changes where table_name <> 'oca_case_summary'",
        )
        .await;
    pipeline.put(Extract::weekly("2024-06-10").case("b", &story("Active", 1)));
    let ran = pipeline.run_with(&["--dry-run"]).await.exits(0);
    drop(ran.says("oca_case_summary was out of date"));
    pipeline.run().await.exits(0).says("oca_case_summary was out of date");
    let expected = [told("a", "Disposed", 2), told("b", "Active", 1), nothing("c")];
    assert_eq!(summary(&pipeline).await, expected);
    assert_eq!(change(&pipeline).await, "3 0 3 0 3");

    // Rows that somebody took out come back, as soon as the publication has seen that they are gone.
    pipeline.execute("delete from oca_case_summary where indexnumberid = 'c'").await;
    pipeline.other(&["purge", "oca"]).await.exits(0);
    pipeline.put(Extract::weekly("2024-06-17").case("d", ""));
    pipeline.run().await.exits(0).says("oca_case_summary was out of date");
    assert_eq!(summary(&pipeline).await, [&expected[..], &[nothing("d")]].concat());
    pipeline.put(Extract::weekly("2024-06-24").case("d", &story("Active", 1)));
    pipeline.run().await.exits(0);
    assert_eq!(change(&pipeline).await, "4 0 1 0 4");

    // What is left of tables that are gone is nothing to go by.
    let tables = "drop table oca_index, oca_causes, oca_addresses, oca_parties, oca_events, oca_appearances,
        oca_appearance_outcomes, oca_motions, oca_decisions, oca_judgments, oca_warrants, oca_metadata cascade";
    pipeline.execute(tables).await;
    pipeline.put(Extract::weekly("2024-07-01").case("e", ""));
    pipeline.run_with(&["--allow", "drop"]).await.exits(0);
    assert_eq!(summary(&pipeline).await, [nothing("e")]);
}

#[tokio::test]
async fn comments_wait_for_nobody() {
    let pipeline = Pipeline::new("comments wait").await;
    pipeline.put(Extract::weekly("2024-06-03").case("a", ""));
    pipeline.run().await.exits(0);
    pipeline.execute("comment on table oca_index is 'mine'; comment on table oca_parties is 'mine'").await;
    let client = pipeline.database.client().await;
    // As a vacuum does, or an index that is made beside the readers.
    client.batch_execute("begin; lock table oca_index in share update exclusive mode").await.unwrap();
    pipeline.put(Extract::weekly("2024-06-10").case("b", ""));
    pipeline.run().await.exits(0).says("comments of tables and columns are not set");
    let said = "select obj_description('oca_index'::regclass) || obj_description('oca_parties'::regclass)";
    assert_eq!(pipeline.one(said).await, "minemine");
    client.batch_execute("commit").await.unwrap();
    pipeline.put(Extract::weekly("2024-06-17").case("c", ""));
    pipeline.run().await.exits(0);
    assert!(!pipeline.one(said).await.contains("mine"));
}

#[tokio::test]
async fn a_summary_of_an_older_shape_is_made_anew_and_keeps_its_readers() {
    let pipeline = Pipeline::new("summary older").await;
    let role = format!("{}_reader", pipeline.database.name());
    pipeline.put(Extract::weekly("2024-06-03").case("a", &story("Active", 2)));
    pipeline.run().await.exits(0);
    let older = format!(
        "create role {role}; alter table oca_case_summary drop column borough;
         grant select on oca_case_summary to {role} with grant option"
    );
    pipeline.execute(&older).await;
    pipeline.put(Extract::weekly("2024-06-10").case("b", ""));
    pipeline.run().await.exits(0);
    assert_eq!(summary(&pipeline).await, [told("a", "Active", 2), nothing("b")]);
    let may = format!("select has_table_privilege('{role}', 'oca_case_summary', 'select with grant option')");
    assert_eq!(pipeline.one(&may).await, "t");

    // One that is not ours is never dropped.
    let stranger = Pipeline::new("summary stranger").await;
    stranger
        .execute("create table oca_case_summary (mine text); insert into oca_case_summary values ('x')")
        .await;
    stranger.put(Extract::weekly("2024-06-03").case("a", ""));
    stranger.run().await.exits(1).says("has never written to it").says("The database is unchanged.");
    assert_eq!(stranger.one("select mine from oca_case_summary").await, "x");
}

/// Addresses as geocoding leaves them: of a small building and of a large one, with what must not become public in each.
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

    // What was planted stands in the private table, and in public nowhere but where the rule lets it.
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
    // Of no object that is public did anybody forget to think.
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
        .says("the view oca_addresses_public differed from merganser's and is replaced");
    // Its owner's options stay, and what it said can be found again.
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
        // What comes by itself to everything new is no reason to let more people in.
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

    // What others have built on a view is theirs: it stops a run that would have to drop it.
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
    // Nor is what was there before left to those who read it: cases may be sealed since.
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

#[tokio::test]
async fn every_table_view_and_column_is_explained() {
    let pipeline = Pipeline::new("dictionary").await;
    pipeline.put(Extract::weekly("2024-06-03").case("a", ""));
    pipeline.run().await.exits(0);
    let silent = "select relname || coalesce('.' || attname, '')
        from pg_class left join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname like 'oca\\_%'
            and coalesce(col_description(attrelid, attnum), '') = ''
        union all
        select relname from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname like 'oca\\_%'
            and coalesce(obj_description(oid, 'pg_class'), '') = ''";
    assert_eq!(pipeline.column(silent).await, Vec::<String>::new());

    // The published dictionary says what the database says, of everything.
    let csv = std::fs::read_to_string(pipeline.store().join("public/data-dictionary.csv")).unwrap();
    let dictionary = Csv::parse(&csv);
    assert_eq!(dictionary.columns, ["table", "column", "type", "description"]);
    let said = "select relname, null as attname, case relkind when 'v' then 'view' else 'table' end,
            obj_description(oid, 'pg_class')
        from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname like 'oca\\_%'
        union all
        select relname, attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)
        from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname like 'oca\\_%'";
    let mut said = pipeline.rows(said).await;
    said.sort();
    assert_eq!(dictionary.sorted().rows, said);
    let manifest = std::fs::read_to_string(pipeline.store().join("public/manifest.json")).unwrap();
    assert!(manifest.contains("data-dictionary.csv"), "{manifest}");

    // Comments are written when they say something else, and not each week.
    let written = "select count(distinct xmin::text) || ' ' || max(xmin::text::bigint) from pg_description
        where objoid in (select oid from pg_class where relname like 'oca\\_%' and relkind in ('r', 'v'))";
    let before = pipeline.one(written).await;
    pipeline.put(Extract::weekly("2024-06-10").case("b", ""));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one(written).await, before);
    pipeline
        .execute("comment on column oca_index.court is 'else'; comment on view oca_addresses_public is null")
        .await;
    pipeline.put(Extract::weekly("2024-06-17").case("c", ""));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.column(silent).await, Vec::<String>::new());
    assert_eq!(
        pipeline.one("select col_description('oca_index'::regclass, 2)").await,
        "The court where it was filed"
    );
    assert_eq!(rows_of(&pipeline, "c").await, 1);
}
