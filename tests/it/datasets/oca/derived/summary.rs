//! The summary of each case: it follows the cases, and is made of all of them when it did not.

use crate::engine::takeover::production;
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

/// A case whose numbers in the summary can all be counted by hand.
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
    // The second judgment amends the first, and the third is vacated.
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

/// The summary of a case about which nothing is known: all zeros.
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

    // One case has a newer version, one is deleted, one is new, one fails, and one is not touched.
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

    // The old file again changes nothing, and the deleted case stays away.
    pipeline.other(&["reprocess", "oca", "*2024-06-03*", "--force"]).await.exits(0);
    assert_eq!(summary(&pipeline).await, now);
    // A run that a guard stops changes nothing either.
    pipeline.put(Extract::weekly("2024-06-17").delete("a").delete("b").case("e", ""));
    pipeline.run_with(&["--max-deletes", "1"]).await.exits(1).says("The database is unchanged.");
    assert_eq!(summary(&pipeline).await, now);
}

#[tokio::test]
async fn a_production_without_a_summary_gets_the_whole_of_it_at_once() {
    let pipeline = production("summary takeover").await;
    pipeline.put(Extract::weekly("2024-03-04").case("older", &story("Active", 1)).delete("deleted"));
    let ran = pipeline.run().await.exits(0).says("oca_case_summary is new: it is made of all rows");
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

    // If somebody drops the summary, the next promotion makes it again, with the schema's default privileges.
    pipeline.execute("drop table oca_case_summary").await;
    let ran = pipeline.other(&["check", "oca"]).await.exits(0);
    ran.says("oca_case_summary is not there yet: the next promotion makes it");
    // Until then there is no summary to publish.
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
    drop(ran.says("oca_case_summary did not follow"));
    pipeline.run().await.exits(0).says("oca_case_summary did not follow");
    let expected = [told("a", "Disposed", 2), told("b", "Active", 1), nothing("c")];
    assert_eq!(summary(&pipeline).await, expected);
    assert_eq!(change(&pipeline).await, "3 0 3 0 3");

    // Rows that somebody took out come back once a publication has noticed that they are gone.
    pipeline.execute("delete from oca_case_summary where indexnumberid = 'c'").await;
    pipeline.other(&["purge", "oca"]).await.exits(0);
    pipeline.put(Extract::weekly("2024-06-17").case("d", ""));
    pipeline.run().await.exits(0).says("oca_case_summary did not follow");
    assert_eq!(summary(&pipeline).await, [&expected[..], &[nothing("d")]].concat());
    pipeline.put(Extract::weekly("2024-06-24").case("d", &story("Active", 1)));
    pipeline.run().await.exits(0);
    assert_eq!(change(&pipeline).await, "4 0 1 0 4");

    // If the tables were dropped, the summary that is left counts for nothing.
    let tables = "drop table oca_index, oca_causes, oca_addresses, oca_parties, oca_events, oca_appearances,
        oca_appearance_outcomes, oca_motions, oca_decisions, oca_judgments, oca_warrants, oca_metadata cascade";
    pipeline.execute(tables).await;
    pipeline.put(Extract::weekly("2024-07-01").case("e", ""));
    pipeline.run_with(&["--allow", "drop"]).await.exits(0);
    assert_eq!(summary(&pipeline).await, [nothing("e")]);
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

    // A table that is not ours is never dropped.
    let stranger = Pipeline::new("summary stranger").await;
    stranger
        .execute("create table oca_case_summary (mine text); insert into oca_case_summary values ('x')")
        .await;
    stranger.put(Extract::weekly("2024-06-03").case("a", ""));
    stranger.run().await.exits(1).says("has never written to it").says("The database is unchanged.");
    assert_eq!(stranger.one("select mine from oca_case_summary").await, "x");
}
