//! Settings of the database that change the meaning of a statement: the program's own values are in force.

use merganser::clients::postgres::{PgUrl, connect};

use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

/// A setting, the value that somebody has set, and the value that must be in force.
const SETTINGS: [(&str, &str, &str); 11] = [
    ("row_security", "on", "off"),
    ("array_nulls", "off", "on"),
    ("transform_null_equals", "on", "off"),
    ("backslash_quote", "on", "safe_encoding"),
    ("quote_all_identifiers", "on", "off"),
    ("gin_fuzzy_search_limit", "1", "0"),
    ("xmloption", "document", "content"),
    ("exit_on_error", "on", "off"),
    ("default_transaction_isolation", "serializable", "read committed"),
    ("default_transaction_deferrable", "on", "off"),
    ("synchronous_commit", "off", "local"),
];

#[tokio::test]
async fn settings_of_others_do_not_count() {
    let pipeline = Pipeline::new("settings").await;
    let name = pipeline.database.name();
    for (setting, theirs, _) in SETTINGS {
        pipeline.execute(&format!("alter database {name} set {setting} = '{theirs}'")).await;
    }
    let url: PgUrl = pipeline.database.url().parse().unwrap();
    let connection = connect(&url, "test").await.unwrap();
    for (setting, theirs, ours) in SETTINGS {
        let show = format!(
            "select current_setting('{setting}'), reset_val from pg_settings where name = '{setting}'"
        );
        let row = connection.query_one(&show, &[]).await.unwrap();
        assert_eq!(row.get::<_, String>(1), theirs, "{setting}");
        assert_eq!(row.get::<_, String>(0), ours, "{setting}");
    }
    // An array with a null and a text.
    let event = "<Events><Event><FilingParties><FilingParty><Role/></FilingParty>\
                 <FilingParty><Role>Respondent</Role></FilingParty></FilingParties></Event></Events>";
    pipeline.put(Extract::weekly("2024-03-04").case("a", event));
    pipeline.run().await.exits(0);
    let roles = "select concat_ws(' ', cardinality(filingpartiesroles), filingpartiesroles[1] is null) from oca_events";
    assert_eq!(pipeline.one(roles).await, "2 t");
    // A stronger setting than the program's is left as it is.
    pipeline.execute(&format!("alter database {name} set synchronous_commit = 'remote_write'")).await;
    let connection = connect(&url, "test").await.unwrap();
    let row = connection.query_one("select current_setting('synchronous_commit')", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "remote_write");
    // This setting is set on purpose, so the run stops.
    pipeline.put(Extract::weekly("2024-03-11").case("b", ""));
    let read_only = format!("alter database {name} set default_transaction_read_only = on");
    pipeline.execute(&read_only).await;
    let client = pipeline.database.client().await;
    let count = client.query_one("select count(*) from public.oca_index", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 1);
    pipeline.start(&[]).await.unwrap().exits(1).says("default_transaction_read_only is set for the database");
}
