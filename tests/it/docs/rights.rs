//! The rights that docs/operations.md grants are enough, and they are needed. Its statements are run unchanged, except
//! for the names of the database and the roles.

use std::fs;
use std::path::Path;

use merganser::sql;

use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::{self, postgres};

/// The statements of the document whose first line is this comment.
fn statements(heading: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = fs::read_to_string(path).expect("the document can be read");
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sql\n"));
    let mut found = blocks.filter(|block| block.starts_with(&format!("-- {heading}")));
    found.next().unwrap_or_else(|| panic!("the document has no statements {heading}")).to_owned()
}

/// A database without any grants, and a pipeline that works in it as the program's role.
pub struct Court {
    pub pipeline: Pipeline,
    pub role: String,
    pub oncall: String,
}

impl Court {
    pub async fn new(hint: &str) -> Self {
        let pipeline = Pipeline::new(hint).await;
        let name = pipeline.database.name().to_owned();
        let closed =
            format!("revoke all on database {name} from public; revoke all on schema public from public;");
        pipeline.execute(&closed).await;
        let (role, oncall) = (format!("{name}_role"), format!("{name}_oncall"));
        let url = pipeline.database.url_as(&role);
        let court = Self { pipeline: pipeline.with("--database-url", url), role, oncall };
        court.grant("1. ").await;
        court
    }

    /// A database with tables that another role owns, and with the document's grants on them.
    pub async fn with_tables(hint: &str) -> Self {
        let court = Self::new(hint).await;
        let client = court.pipeline.database.client().await;
        let dataset = merganser::datasets::oca::OCA;
        for script in [dataset.scripts.tables, dataset.scripts.keys] {
            let text = format!("begin; {} commit;", sql::render(script, &[("schema", "public")]));
            client.batch_execute(&text).await.expect("the tables can be made");
        }
        court.grant("2b. ").await;
        court
    }

    /// Runs statements of the document.
    pub async fn grant(&self, heading: &str) {
        let text = statements(heading)
            .replace("on database court", &format!("on database {}", self.pipeline.database.name()));
        let words = |text: &str, from: &str, to: &str| {
            text.split_inclusive([' ', ';', '\n'])
                .map(|word| match word.trim_end_matches([' ', ';', '\n']) == from {
                    true => word.replace(from, to),
                    false => word.to_owned(),
                })
                .collect::<String>()
        };
        let text = words(&words(&text, "merganser", &self.role), "oncall", &self.oncall);
        self.pipeline.execute(&text).await;
    }

    /// Runs the grants for people who may look; again after more tables exist.
    pub async fn look(&self) {
        let exists = format!("select count(*) from pg_roles where rolname = '{}'", self.oncall);
        if self.pipeline.one(&exists).await == "0" {
            return self.grant("3. ").await;
        }
        self.pipeline.execute(&format!("grant select on all tables in schema etl to {}", self.oncall)).await;
    }

    /// A whole life: new rows, a replacement, a delete, a failed record, and every other command.
    async fn live(&self) {
        let pipeline = &self.pipeline;
        let court = "<Court>Bronx County Civil Court</Court><Parties><Party><Role>Petitioner</Role></Party></Parties>";
        pipeline.put(Extract::weekly("2024-03-04").case("a", court).case("b", court));
        self.command(&["check", "oca"], 0).await;
        self.command(&["run", "oca", "--dry-run"], 0).await;
        self.command(&["run", "oca"], 0).await;
        self.command(&["check", "oca"], 0).await;
        let bad = "<FiledDate>2024-02-30</FiledDate>";
        pipeline.put(Extract::weekly("2024-03-11").case("a", court).case("c", bad).delete("b"));
        self.command(&["run", "oca", "--max-drop", "100"], 3).await;
        assert_eq!(pipeline.column("select indexnumberid from oca_index").await, ["a"]);
        let every: [(&[&str], i32); 13] = [
            (&["status"], 0),
            (&["status", "last"], 0),
            (&["failures"], 0),
            (&["failures", "--show", "1"], 0),
            (&["reprocess", "oca", "*", "--force", "--max-drop", "100", "--dry-run"], 3),
            (&["reprocess", "oca", "*", "--force", "--max-drop", "100"], 3),
            (&["retry", "oca", "--dry-run"], 3),
            (&["retry", "oca"], 3),
            (&["adopt", "oca", "--dry-run"], 0),
            (&["adopt", "oca"], 0),
            (&["adopt", "oca", "--fix"], 0),
            (&["purge", "oca", "--dry-run"], 0),
            (&["purge", "oca"], 0),
        ];
        for (words, code) in every {
            self.command(words, code).await;
        }
    }

    /// A run that must fail because a right is missing, and say so.
    async fn refused(&self, without: &str, back: &str) {
        self.pipeline.execute(&without.replace("ROLE", &self.role)).await;
        let ran = self.command(&["reprocess", "oca", "*", "--force", "--max-drop", "100"], 1).await;
        assert!(ran.stderr.contains("SQLSTATE 42501"), "{without}: {}", ran.stderr);
        self.pipeline.execute(&back.replace("ROLE", &self.role)).await;
    }

    async fn command(&self, words: &[&str], code: i32) -> Ran {
        self.pipeline.other(words).await.exits(code)
    }
}

#[tokio::test]
async fn the_rights_for_new_tables_are_enough() {
    let court = Court::new("rights_new").await;
    court.grant("2a. ").await;
    court.live().await;
}

#[tokio::test]
async fn the_rights_for_existing_tables_are_enough_and_needed() {
    let court = Court::with_tables("rights_old").await;
    court.live().await;
    // Only the owner of a table can add a key to it.
    court.pipeline.execute("alter table public.oca_metadata drop constraint oca_metadata_pkey").await;
    court.command(&["adopt", "oca", "--fix"], 1).await.says("must be owner").says("is unchanged");
    court.pipeline.execute("alter table public.oca_metadata add primary key (indexnumberid)").await;
    let name = court.pipeline.database.name();
    for (right, object) in [
        ("temporary", format!("database {name}")),
        ("delete", "public.oca_parties".into()),
        ("insert", "public.oca_parties".into()),
        ("update", "public.oca_index".into()),
        ("update", "public.oca_metadata".into()),
        ("usage", "schema public".into()),
    ] {
        let (without, back) =
            (format!("revoke {right} on {object} from ROLE"), format!("grant {right} on {object} to ROLE"));
        court.refused(&without, &back).await;
    }
    court.command(&["reprocess", "oca", "*", "--force", "--max-drop", "100"], 3).await;
}

/// In tables that belong to another role, a run may not remove a case's dates; an undo must.
#[tokio::test]
async fn an_undo_into_existing_tables_needs_one_right_more() {
    let court = Court::with_tables("rights_undo").await;
    let parties = "<Parties><Party><Role>Petitioner</Role></Party></Parties>";
    court.pipeline.put(Extract::weekly("2024-03-04").case("a", parties));
    court.command(&["run", "oca"], 0).await;
    court.pipeline.put(Extract::weekly("2024-03-11").case("a", "").case("b", parties));
    court.command(&["run", "oca"], 0).await;
    court.command(&["check", "oca"], 0).await;
    court
        .command(&["undo", "last"], 1)
        .await
        .says("SQLSTATE 42501")
        .says("oca_metadata")
        .says("is unchanged");
    court.grant("2d. ").await;
    court.command(&["undo", "last"], 0).await;
    assert_eq!(court.pipeline.column("select indexnumberid from oca_metadata").await, ["a"]);
    assert_eq!(court.pipeline.column("select role from oca_parties").await, ["Petitioner"]);
}

#[tokio::test]
async fn people_who_look_can_look_and_no_more() {
    let court = Court::new("rights_look").await;
    court.grant("2a. ").await;
    court.live().await;
    court.grant("3. ").await;
    let url = court.pipeline.database.url_as(&court.oncall);
    let none: [(&str, &str); 0] = [];
    for words in [vec!["status"], vec!["status", "last"], vec!["failures"]] {
        let args = [words.clone(), vec!["--database-url", &url]].concat();
        assert_eq!(support::merganser(args, none).status.code(), Some(0), "{words:?}");
    }
    let store = format!("file:{}", court.pipeline.store().display());
    let retry = ["retry", "oca", "--database-url", &url, "--store", &store];
    assert_eq!(support::merganser(retry, none).status.code(), Some(1));
    let client = postgres::connect(&url).await;
    assert!(client.batch_execute("select from public.oca_index").await.is_err());
}
