//! Rules 6 to 9 of the court extract: how values are read, and which cases cannot be loaded.

use zip::CompressionMethod::Deflated;

use crate::datasets::oca::rules::{dates, marked, marks, rows_of};
use crate::support::extract::{DOCUMENT, Extract, zip};
use crate::support::pipeline::Pipeline;

/// Rule 6.
#[tokio::test]
async fn typed_values_are_trimmed_and_exact_and_empty_is_null() {
    let pipeline = Pipeline::new("rule 6").await;
    let case = "<Court/><Status></Status><FirstPaper>  </FirstPaper>\
                <FiledDate>\n 2024-02-29\t</FiledDate><DisposedDate/><DateOfJuryDemand>   </DateOfJuryDemand>\
                <PrimaryClaimTotal> 800.00 </PrimaryClaimTotal>\
                <Appearances><Appearance><AppearanceDateTime> 2024-02-29T23:59:59 </AppearanceDateTime>\
                <MotionSequence> 7 </MotionSequence></Appearance></Appearances>\
                <Judgments><Judgment><Sequence> 1 </Sequence><WithPossession> true </WithPossession>\
                <TotalJudgmentAmount>0</TotalJudgmentAmount>\
                <Warrants><Warrant><Sequence> 01 </Sequence></Warrant></Warrants></Judgment></Judgments>";
    let amounts = ["0", "0.00", "11214", "8189.56", "-5.10", "123456789012345678901234567890.12", ""];
    let causes: String = amounts
        .iter()
        .map(|amount| {
            format!("<PrimaryClaimCauseOfAction><Amount>{amount}</Amount></PrimaryClaimCauseOfAction>")
        })
        .collect();
    let causes = format!("<PrimaryClaimCauseOfActions>{causes}</PrimaryClaimCauseOfActions>");
    pipeline.put(Extract::weekly("2024-03-04").case("a", &format!("{case}{causes}")));
    pipeline.run().await.exits(0);
    let row = pipeline.rows("select * from oca_index").await.swap_remove(0);
    let expected = [Some("a"), None, Some("2024-02-29"), None, None, None, None, None, None, Some("  ")];
    let expected: Vec<_> = expected.into_iter().chain([Some("800.00"), None]).collect();
    assert_eq!(row.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    let mut found = pipeline.column("select amount from oca_causes").await;
    let mut expected = amounts.map(|amount| if amount.is_empty() { "NULL" } else { amount });
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "digits and scale as they came");
    let query =
        "select concat_ws('|', appearancedatetime, motionsequence, withpossession, totaljudgmentamount,
                     judgment.sequence, judgmentsequence, warrant.sequence)
                 from oca_appearances, oca_judgments as judgment, oca_warrants as warrant";
    assert_eq!(pipeline.one(query).await, "2024-02-29 23:59:59|7|t|0|1|1| 01 ", "text is kept as it is");
    let published: Vec<_> = pipeline.csv("public/oca_causes.csv").column("amount");
    assert!(published.contains(&Some("0.00".into())) && published.contains(&None), "{published:?}");
}

/// Rule 6: a value that does not parse fails its whole case, and no other.
#[tokio::test]
async fn a_bad_value_fails_its_whole_case_and_no_other() {
    let pipeline = Pipeline::new("rule 6 bad").await;
    pipeline.put(Extract::weekly("2024-03-04").case("known", &marked("old")));
    pipeline.run().await.exits(0);
    let field = |inside: &str| format!("{}{inside}", marked("bad"));
    let judgment = |inside: &str| format!("<Judgments><Judgment>{inside}</Judgment></Judgments>");
    let bad = Extract::weekly("2024-03-11")
        .case("good 1", &marked("good"))
        .case("date", &field("<FiledDate>2024-02-30</FiledDate>"))
        .case("number", &field("<PrimaryClaimTotal>$1,000</PrimaryClaimTotal>"))
        .case("boolean", &judgment("<WithPossession>yes</WithPossession>"))
        .case("date-time", &judgment("<EnteredDateTime>2024-03-01</EnteredDateTime>"))
        .case("int", &judgment("<Sequence>1.0</Sequence>"))
        // The older version of the case stays.
        .case("known", &field("<DisposedDate>soon</DisposedDate>"))
        .case("good 2", &marked("good"));
    pipeline.put(bad);
    let ran = pipeline.run().await.exits(3);
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (2, 6));
    let ids = "select indexnumberid from oca_index order by 1";
    assert_eq!(pipeline.column(ids).await, ["good 1", "good 2", "known"]);
    assert_eq!(marks(&pipeline, "known").await, "old");
    assert_eq!(dates(&pipeline, "known").await, "2024-03-04 2024-03-04 -");
    let failed = "select concat_ws('|', record_id, ordinal, table_name, field, value, name)
                  from etl.failed_records join etl.parts using (part_id) order by ordinal";
    let name = "LandlordTenant.Incr.2024-03-11.zip";
    let expected = [
        "date|2|oca_index|FiledDate|2024-02-30",
        "number|3|oca_index|PrimaryClaimTotal|$1,000",
        "boolean|4|oca_judgments|Judgments/Judgment/WithPossession|yes",
        "date-time|5|oca_judgments|Judgments/Judgment/EnteredDateTime|2024-03-01",
        "int|6|oca_judgments|Judgments/Judgment/Sequence|1.0",
        "known|7|oca_index|DisposedDate|soon",
    ];
    assert_eq!(pipeline.column(failed).await, expected.map(|line| format!("{line}|{name}")));
    // The offset leads to the record, and the fragment is the record.
    let document = Extract::weekly("2024-03-11").document();
    let start: usize = pipeline
        .one("select offset_bytes from etl.failed_records where record_id = 'date'")
        .await
        .parse()
        .unwrap();
    let good = format!("<Index><IndexNumberId>good 1</IndexNumberId>{}</Index>\n", marked("good"));
    assert_eq!(start, document.find("<Indexes>\n").unwrap() + "<Indexes>\n".len() + good.len());
    let fragment = pipeline.one("select fragment from etl.failed_records where record_id = 'int'").await;
    let case = judgment("<Sequence>1.0</Sequence>");
    assert_eq!(fragment, format!("<Index><IndexNumberId>int</IndexNumberId>{case}</Index>"));
    // A corrected record is loaded, and the failure in the ledger is closed.
    pipeline.put(Extract::weekly("2024-03-18").case("date", &marked("right")));
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "date").await, "right");
    let open = "select string_agg(record_id, ' ' order by ordinal) from etl.failed_records where resolved_at is null";
    assert_eq!(pipeline.one(open).await, "number boolean date-time int known");
}

/// Rule 7.
#[tokio::test]
async fn arrays_keep_order_and_duplicates_and_are_null_without_elements() {
    let pipeline = Pipeline::new("rule 7").await;
    let roles = |roles: &[&str]| {
        let parties = roles.iter().map(|role| format!("<FilingParty><Role>{role}</Role></FilingParty>"));
        format!("<FilingParties>{}</FilingParties>", parties.collect::<String>())
    };
    let odd = ["a,b", "\"quoted\"", "back\\slash", "{brace}", "NULL", "null", " blank ", "z", "z", "a"];
    let events = [
        format!("<Event>{}</Event>", roles(&odd)),
        "<Event/>".into(),
        "<Event><FilingParties/></Event>".into(),
        "<Event><FilingParties><FilingParty/></FilingParties></Event>".into(),
        format!("<Event>{}</Event>", roles(&["one"])),
    ];
    pipeline.put(Extract::weekly("2024-03-04").case("a", &format!("<Events>{}</Events>", events.concat())));
    pipeline.run().await.exits(0);
    let found = pipeline.column("select array_to_json(filingpartiesroles)::text from oca_events").await;
    let whole = serde_json::to_string(&odd).unwrap();
    assert_eq!(found, [whole.as_str(), "NULL", "NULL", "NULL", "[\"one\"]"]);
    assert_eq!(pipeline.one("select array_ndims(filingpartiesroles) from oca_events limit 1").await, "1");
    let published = pipeline.csv("public/oca_events.csv").column("filingpartiesroles");
    let literal = r#"{"a,b","\"quoted\"","back\\slash","{brace}","NULL","null"," blank ",z,z,a}"#;
    let expected = [Some(literal), None, None, None, Some("{one}")];
    assert_eq!(published.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
}

/// Rule 8.
#[tokio::test]
async fn appearance_numbers_are_unique_and_the_same_on_every_run() {
    let appearances = |mark: &str| {
        let one = |n: usize| {
            let outcomes: String = (0..n)
                .map(|m| {
                    let text = format!("{mark}{n}{m}");
                    format!("<AppearanceOutcome><AppearanceOutcomeType>{text}</AppearanceOutcomeType></AppearanceOutcome>")
                })
                .collect();
            format!(
                "<Appearance><AppearancePart>{mark}{n}</AppearancePart>\
                 <AppearanceOutcomes>{outcomes}</AppearanceOutcomes></Appearance>"
            )
        };
        format!("<Appearances>{}</Appearances>", (0..3).map(one).collect::<String>())
    };
    let query = "select concat_ws(' ', appearances.indexnumberid, appearancepart, appearances.appearanceid,
                     string_agg(appearanceoutcometype, ',' order by appearanceoutcometype))
                 from oca_appearances as appearances
                 left join oca_appearance_outcomes as outcomes using (appearanceid)
                 group by appearances.indexnumberid, appearancepart, appearances.appearanceid order by 1";
    let ids = "select count(distinct appearanceid) || ' of ' || count(*) || ' from ' ||
                   (min(appearanceid) > 0)::text from oca_appearances";
    let mut answers = Vec::new();
    // With another place in the file, other neighbours and another database, the numbers are the same.
    for order in [["a", "b", "c"], ["c", "b", "a"]] {
        let pipeline = Pipeline::new("rule 8").await;
        let extract = order
            .iter()
            .fold(Extract::weekly("2024-01-01"), |extract, id| extract.case(id, &appearances(id)));
        pipeline.put(extract);
        pipeline.run().await.exits(0);
        assert_eq!(pipeline.one(ids).await, "9 of 9 from true");
        let answer = pipeline.column(query).await;
        assert!(answer[2].starts_with("a a2 ") && answer[2].ends_with(" a20,a21"), "{answer:?}");
        answers.push(answer);
        // And once more, after the file is posted again with one case more.
        let more = order.iter().fold(Extract::weekly("2024-01-01").case("0", ""), |extract, id| {
            extract.case(id, &appearances(id))
        });
        pipeline.put(more);
        pipeline.run().await.exits(0);
        answers.push(pipeline.column(query).await);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
}

/// Rule 9.
#[tokio::test]
async fn a_case_without_id_and_xml_that_breaks_off_are_failed_records() {
    let pipeline = Pipeline::new("rule 9").await;
    let whole = Extract::weekly("2024-01-01")
        .case("a", &marked("1"))
        .raw(&format!("<Index>{}</Index>", marked("no id")))
        .raw("<Index><IndexNumberId>  </IndexNumberId><Delete/></Index>")
        .case("b", &marked("1"))
        .case("c", &marked("1"));
    let document = whole.document();
    let end = document.find("<IndexNumberId>c<").unwrap() + 30;
    let archive = zip(&[(DOCUMENT, &document.as_bytes()[..end])], Deflated);
    let name = pipeline.put_bytes("2024-01-01", &archive);
    let ran = pipeline.run().await.exits(3);
    assert_eq!((ran.count("files_incomplete"), ran.count("records_failed")), (1, 3));
    assert_eq!(pipeline.column("select indexnumberid from oca_index order by 1").await, ["a", "b"]);
    let file = pipeline.one("select status || ': ' || error from etl.parts").await;
    assert!(file.starts_with(&format!("incomplete: {name}: ")), "{file}");
    let failed =
        "select concat_ws('|', ordinal, coalesce(record_id, '-'), reason) from etl.failed_records order by 1";
    let failed = pipeline.column(failed).await;
    assert_eq!(failed[..2], ["2|-|no IndexNumberId", "3|-|no IndexNumberId"]);
    assert!(failed[2].starts_with("5|c|the document breaks off"), "{failed:?}");
    // The file is not complete, so it is not done: the next run takes the whole file again.
    whole.put(&pipeline.source());
    let ran = pipeline.run().await.exits(3);
    assert_eq!((ran.count("files_incomplete"), ran.count("records_failed")), (0, 2));
    assert_eq!(pipeline.column("select indexnumberid from oca_index order by 1").await, ["a", "b", "c"]);
}

/// Properties that users of the public files rely on.
#[tokio::test]
async fn a_case_that_repeats_a_sequence_is_a_failed_record() {
    let pipeline = Pipeline::new("sequences").await;
    let decision = |n: u32| format!("<Decision><Sequence>{n}</Sequence></Decision>");
    let decisions = |ns: [u32; 2]| format!("<Decisions>{}</Decisions>", ns.map(decision).concat());
    let warrants = |ns: [&str; 2]| {
        let warrants = ns.map(|n| format!("<Warrant><Sequence>{n}</Sequence></Warrant>")).concat();
        format!("<Warrants>{warrants}</Warrants>")
    };
    let judgment = |n: u32, inside: &str| format!("<Judgment><Sequence>{n}</Sequence>{inside}</Judgment>");
    let judgments = |parts: [String; 2]| format!("<Judgments>{}</Judgments>", parts.concat());
    let extract = Extract::weekly("2024-01-01")
        .case("decisions", &decisions([1, 1]))
        .case("judgments", &judgments([judgment(2, ""), judgment(2, "")]))
        .case("warrants", &judgments([judgment(1, &warrants(["1", "1"])), judgment(2, "")]))
        // Two faults make one failed record.
        .case("both", &(decisions([3, 3]) + &judgments([judgment(4, ""), judgment(4, "")])))
        // The same number in another table is no fault.
        .case("good", &(decisions([1, 2])
            + &judgments([judgment(1, &warrants(["1", "2"])), judgment(2, &warrants(["1", "01"]))])))
        .case("motions", "<Motions><Motion><Sequence>1</Sequence></Motion><Motion><Sequence>1</Sequence></Motion></Motions>")
        .case("nulls", "<Decisions><Decision/><Decision/></Decisions><Judgments><Judgment/><Judgment/></Judgments>");
    pipeline.put(extract);
    let ran = pipeline.run().await.exits(3);
    assert_eq!(
        (ran.count("records_seen"), ran.count("records_loaded"), ran.count("records_failed")),
        (7, 3, 4)
    );
    let ids = "select indexnumberid from oca_index order by 1";
    assert_eq!(pipeline.column(ids).await, ["good", "motions", "nulls"]);
    for id in ["decisions", "judgments", "warrants", "both"] {
        assert_eq!(rows_of(&pipeline, id).await, 0, "{id}");
    }
    let failed = "select concat_ws('|', record_id, table_name, value) from etl.failed_records order by failed_record_id";
    let expected = [
        "decisions|oca_decisions|1",
        "judgments|oca_judgments|2",
        "warrants|oca_warrants|1/1",
        "both|oca_decisions|3",
    ];
    assert_eq!(pipeline.column(failed).await, expected);
    assert_eq!(pipeline.one("select status from etl.parts").await, "done_with_failures");
}
