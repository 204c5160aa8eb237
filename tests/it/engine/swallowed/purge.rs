//! A purge says "Verified" only after it has read the rows again, when deferred triggers have run.

use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

const LEFT: &str = "oca_index still has 1 row of deleted cases; oca_index has ";

#[tokio::test]
async fn a_purge_believes_nobody() {
    let pipeline = Pipeline::new("purge swallowed").await;
    pipeline.put(Extract::weekly("2024-03-04").case("a", "").case("b", ""));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-03-11").delete("b"));
    pipeline.run_with(&["--max-drop", "100"]).await.exits(0);
    pipeline
        .execute(
            "insert into oca_index (indexnumberid) values ('b');
             create function swallow() returns trigger language plpgsql as $$ begin return null; end $$;
             create function back() returns trigger language plpgsql as
                $$ begin insert into public.oca_index (indexnumberid) values (old.indexnumberid); return null; end $$",
        )
        .await;
    let things = [
        ("trigger", "create trigger no before delete on oca_index for each row execute function swallow()"),
        ("trigger", "create trigger no after delete on oca_index for each row execute function back()"),
        (
            "trigger",
            "create constraint trigger no after delete on oca_index deferrable initially deferred
                for each row execute function back()",
        ),
        ("rule", "create rule no as on delete to oca_index do instead nothing"),
    ];
    let before = pipeline.tables("public").await;
    for (kind, put) in things {
        pipeline.execute(put).await;
        for words in [vec!["purge", "oca"], vec!["purge", "oca", "--dry-run"]] {
            let ran = pipeline.other(&words).await.exits(1).says("The database is unchanged.");
            let ran = match kind {
                "rule" => ran.says("SQLSTATE 0A000").says("oca_index has rule no ("),
                _ => ran.says(&format!("{LEFT}{kind} no (")),
            };
            assert!(!ran.stdout.contains("Verified"), "{}", ran.stdout);
            assert_eq!(pipeline.tables("public").await, before);
        }
        pipeline.execute(&format!("drop {kind} no on oca_index")).await;
    }
    pipeline.other(&["purge", "oca"]).await.exits(0).says("oca_index: 1 row of").says("Verified");
    assert_eq!(pipeline.column("select indexnumberid from oca_index").await, ["a"]);
}
