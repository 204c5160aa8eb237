//! Rules 1 to 5 of the court extract: which version of a case counts. Files go in, tables and CSVs come out.

use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

/// A case with a value that says where it came from, and one row in each of some tables.
pub fn marked(mark: &str) -> String {
    format!(
        "<Status>{mark}</Status>\
         <Parties><Party><Role>{mark}</Role></Party></Parties>\
         <Appearances><Appearance><AppearancePart>{mark}</AppearancePart><AppearanceOutcomes>\
         <AppearanceOutcome><AppearanceOutcomeType>{mark}</AppearanceOutcomeType></AppearanceOutcome>\
         </AppearanceOutcomes></Appearance></Appearances>\
         <Judgments><Judgment><Sequence>1</Sequence><JudgmentType>{mark}</JudgmentType>\
         <Warrants><Warrant><Sequence>1</Sequence><ReturnedReason>{mark}</ReturnedReason></Warrant></Warrants>\
         </Judgment></Judgments>"
    )
}

/// All marks of a case, from every table that has one.
pub async fn marks(pipeline: &Pipeline, id: &str) -> String {
    let query = format!(
        "select coalesce(string_agg(distinct mark, '+' order by mark), 'none') from (
            select indexnumberid, status from oca_index
            union all select indexnumberid, role from oca_parties
            union all select indexnumberid, appearancepart from oca_appearances
            union all select indexnumberid, appearanceoutcometype from oca_appearance_outcomes
            union all select indexnumberid, judgmenttype from oca_judgments
            union all select indexnumberid, returnedreason from oca_warrants
         ) as marks (id, mark) where id = '{id}'"
    );
    pipeline.one(&query).await
}

/// `initialdate updatedate deletedate` of a case.
pub async fn dates(pipeline: &Pipeline, id: &str) -> String {
    let query = format!(
        "select concat_ws(' ', initialdate, coalesce(updatedate::text, '-'), coalesce(deletedate::text, '-'))
         from oca_metadata where indexnumberid = '{id}'"
    );
    pipeline.one(&query).await
}

/// Rows of a case in all tables but oca_metadata.
pub async fn rows_of(pipeline: &Pipeline, id: &str) -> usize {
    let tables = pipeline.tables("public").await;
    let children = tables.iter().filter(|(table, _)| *table != "oca_metadata");
    let is_case = |row: &&Vec<Option<String>>| row[0].as_deref() == Some(id);
    children.map(|(_, rows)| rows.iter().filter(is_case).count()).sum()
}

/// Rule 1.
#[tokio::test]
async fn a_case_replaces_every_row_of_that_case_and_no_other() {
    let pipeline = Pipeline::new("rule 1").await;
    let old = "<Court>Bronx County Civil Court</Court><Status>Active</Status>\
               <PrimaryClaimCauseOfActions><PrimaryClaimCauseOfAction><Amount>1</Amount>\
               </PrimaryClaimCauseOfAction></PrimaryClaimCauseOfActions>\
               <PropertyAddresses><PropertyAddress><City>Bronx</City></PropertyAddress></PropertyAddresses>\
               <Parties><Party><Role>Petitioner</Role></Party><Party><Role>Respondent</Role></Party></Parties>\
               <Events><Event><EventName>Answer</EventName></Event></Events>\
               <Appearances><Appearance><AppearanceOutcomes><AppearanceOutcome/><AppearanceOutcome/>\
               </AppearanceOutcomes></Appearance><Appearance/></Appearances>\
               <Motions><Motion><Sequence>1</Sequence></Motion></Motions>\
               <Decisions><Decision><Sequence>1</Sequence></Decision></Decisions>\
               <Judgments><Judgment><Sequence>1</Sequence><Warrants><Warrant><Sequence>1</Sequence></Warrant>\
               </Warrants></Judgment></Judgments>";
    pipeline.put(Extract::weekly("2024-01-01").case("a", old).case("b", old));
    pipeline.run().await.exits(0);
    assert_eq!((rows_of(&pipeline, "a").await, rows_of(&pipeline, "b").await), (14, 14));
    let before = pipeline.tables("public").await;

    let new = "<Status>Disposed</Status><Parties><Party><Role>Interested Party</Role></Party></Parties>";
    pipeline.put(Extract::weekly("2024-01-08").case("a", new));
    pipeline.run().await.exits(0);
    let row = pipeline.rows("select status, court from oca_index where indexnumberid = 'a'").await;
    assert_eq!(row, [[Some("Disposed".to_owned()), None]], "what the new one lacks is gone");
    assert_eq!(
        pipeline.column("select role from oca_parties where indexnumberid = 'a'").await,
        ["Interested Party"]
    );
    assert_eq!((rows_of(&pipeline, "a").await, rows_of(&pipeline, "b").await), (2, 14));
    let after = pipeline.tables("public").await;
    for (table, rows) in &before {
        let of_b = |rows: &[Vec<Option<String>>]| -> Vec<Vec<Option<String>>> {
            rows.iter().filter(|row| row[0].as_deref() == Some("b")).cloned().collect()
        };
        assert_eq!(of_b(rows), of_b(&after[table]), "{table}");
    }
    // Rows that the case no longer has are gone from the public files too.
    assert_eq!(pipeline.csv("public/oca_warrants.csv").column("indexnumberid"), [Some("b".to_owned())]);
}

/// Rule 2: a deleted case never comes back.
#[tokio::test]
async fn a_deleted_case_goes_and_never_comes_back() {
    let pipeline = Pipeline::new("rule 2").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")).case("b", &marked("1")));
    pipeline.run().await.exits(0);
    // Two extracts delete the case, and one of them deletes a case that was never loaded.
    pipeline.put(Extract::weekly("2024-01-08").case("b", &marked("2")).delete("a").delete("never seen"));
    pipeline.put(Extract::weekly("2024-01-15").delete("a"));
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("records_loaded"), ran.count("records_deleted")), (1, 3));
    assert_eq!(rows_of(&pipeline, "a").await, 0);
    assert_eq!(dates(&pipeline, "a").await, "2024-01-01 2024-01-01 2024-01-08");
    assert_eq!(dates(&pipeline, "never seen").await, "2024-01-08 - 2024-01-08");

    // No file brings the cases back: later files, an earlier one, and the files that deleted them, posted again.
    pipeline.put(Extract::weekly("2024-01-22").case("a", &marked("3")).case("never seen", &marked("3")));
    pipeline.put(Extract::weekly("2023-12-01").case("a", &marked("0")).case("never seen", &marked("0")));
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("again")).case("c", &marked("1")));
    pipeline.run().await.exits(0);
    assert_eq!((rows_of(&pipeline, "a").await, rows_of(&pipeline, "never seen").await), (0, 0));
    assert_eq!(marks(&pipeline, "c").await, "1");
    assert_eq!(dates(&pipeline, "a").await, "2023-12-01 2024-01-22 2024-01-08");
    assert_eq!(dates(&pipeline, "never seen").await, "2023-12-01 2024-01-22 2024-01-08");
    for (key, bytes) in pipeline.objects() {
        let is_csv = key.starts_with("public/") && key.ends_with(".csv") && !key.contains("metadata");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!is_csv || !text.contains("\na,") && !text.contains("never seen"), "{key}:\n{text}");
    }

    // An even earlier delete counts.
    pipeline.put(Extract::weekly("2023-11-01").delete("a"));
    pipeline.run().await.exits(0);
    assert_eq!(dates(&pipeline, "a").await, "2023-11-01 2024-01-22 2023-11-01");
}

/// Rules 2 and 4: within a run.
#[tokio::test]
async fn a_delete_beats_everything_in_the_same_run() {
    let pipeline = Pipeline::new("delete beats").await;
    let same_file =
        Extract::weekly("2024-01-08").case("a", &marked("1")).delete("a").delete("b").case("b", &marked("1"));
    pipeline.put(same_file.case("kept", &marked("1")));
    // One case is deleted in an older file than the one that has it, another in a newer file.
    pipeline.put(Extract::weekly("2024-01-01").delete("c").case("d", &marked("0")));
    pipeline.put(Extract::weekly("2024-01-15").case("c", &marked("2")).delete("d"));
    let ran = pipeline.run().await.exits(0);
    assert_eq!(ran.count("records_loaded"), 1);
    assert_eq!(pipeline.column("select indexnumberid from oca_index").await, ["kept"]);
    for id in ["a", "b", "c", "d"] {
        assert_eq!(rows_of(&pipeline, id).await, 0, "{id}");
    }
    assert_eq!(dates(&pipeline, "c").await, "2024-01-01 2024-01-15 2024-01-01");
    assert_eq!(dates(&pipeline, "d").await, "2024-01-01 2024-01-01 2024-01-15");
}

/// Rule 3.
#[tokio::test]
async fn metadata_has_the_first_the_latest_and_the_deletes_date() {
    let pipeline = Pipeline::new("rule 3").await;
    pipeline.put(Extract::weekly("2024-02-05").case("a", "").case("b", "").case("c", ""));
    pipeline.put(Extract::weekly("2024-02-19").case("a", "").delete("c"));
    pipeline.run().await.exits(0);
    assert_eq!(dates(&pipeline, "a").await, "2024-02-05 2024-02-19 -");
    assert_eq!(dates(&pipeline, "b").await, "2024-02-05 2024-02-05 -");
    assert_eq!(dates(&pipeline, "c").await, "2024-02-05 2024-02-05 2024-02-19");
    // One file is late, one earlier than all others, one new.
    pipeline.put(Extract::weekly("2024-02-12").case("a", "").case("b", ""));
    pipeline.put(Extract::initial(2024, "2024-01-01").case("a", ""));
    pipeline.put(Extract::weekly("2024-02-26").case("d", ""));
    pipeline.run().await.exits(0);
    assert_eq!(dates(&pipeline, "a").await, "2024-01-01 2024-02-19 -");
    assert_eq!(dates(&pipeline, "b").await, "2024-02-05 2024-02-12 -");
    assert_eq!(dates(&pipeline, "d").await, "2024-02-26 2024-02-26 -");
    assert_eq!(pipeline.csv("public/oca_metadata.csv").rows.len(), 4);
    let date = std::fs::read_to_string(pipeline.store().join("public/last-updated-date.txt")).unwrap();
    assert_eq!(date.trim_end(), "2024-02-26");
}

/// Rule 4: within a run and within a file.
#[tokio::test]
async fn the_last_word_of_a_run_wins() {
    let pipeline = Pipeline::new("rule 4").await;
    // Dates decide, whatever the names' alphabetical order. On the same date the initial extract is older.
    pipeline.put(Extract::initial(2023, "2024-01-15").case("a", &marked("initial")).case("b", &marked("i")));
    pipeline.put(Extract::weekly("2024-01-15").case("a", &marked("weekly")).case("c", &marked("w")));
    pipeline.put(Extract::weekly("2024-01-08").case("b", &marked("older")).case("c", &marked("older")));
    let twice = Extract::weekly("2024-01-01").case("d", &marked("first")).case("e", &marked("other"));
    pipeline.put(twice.case("d", &marked("second")));
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("records_loaded"), ran.count("records_superseded")), (5, 4));
    for (id, mark) in [("a", "weekly"), ("b", "i"), ("c", "w"), ("d", "second"), ("e", "other")] {
        assert_eq!(marks(&pipeline, id).await, mark, "{id}");
    }
    let files =
        "select name || ' ' || records_loaded || ' ' || records_superseded from etl.parts order by part_id";
    let expected = [
        "LandlordTenant.Incr.2024-01-01.zip 2 1",
        "LandlordTenant.Incr.2024-01-08.zip 0 2",
        "LandlordTenant.Initial.FiledIn2023.2024-01-15.zip 1 1",
        "LandlordTenant.Incr.2024-01-15.zip 2 0",
    ];
    assert_eq!(pipeline.column(files).await, expected, "files are taken in the order in which they count");
}

/// Rule 5: an older file does not replace newer data.
#[tokio::test]
async fn a_late_file_never_overwrites_what_is_newer() {
    let pipeline = Pipeline::new("rule 5").await;
    pipeline.put(Extract::weekly("2024-01-15").case("a", &marked("new")).case("b", &marked("new")));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("late")).case("c", &marked("late")));
    // On the same run date, an initial extract is older than an incremental one.
    pipeline.put(
        Extract::initial(2024, "2024-01-15").case("b", &marked("initial")).case("d", &marked("initial")),
    );
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("records_loaded"), ran.count("records_superseded")), (2, 2));
    for (id, mark) in [("a", "new"), ("b", "new"), ("c", "late"), ("d", "initial")] {
        assert_eq!(marks(&pipeline, id).await, mark, "{id}");
    }
    // In the other order on the same date, the incremental extract is the newer one.
    pipeline.put(Extract::initial(2024, "2024-01-22").case("a", &marked("initial")));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-22").case("a", &marked("weekly")));
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "a").await, "weekly");
    // A file posted again under the same name with other content is as new as what was loaded.
    pipeline.put(Extract::weekly("2024-01-22").case("a", &marked("weekly, posted again")));
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "a").await, "weekly, posted again");
}
