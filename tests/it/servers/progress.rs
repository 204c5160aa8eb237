//! The progress of an index that the server builds is shown.

use std::sync::{Arc, Mutex};

use merganser::clients::postgres;

use crate::support::postgres::database;

#[tokio::test]
async fn how_far_an_index_is_is_shown() {
    let database = database("index progress").await;
    let url = database.url().parse().expect("a URL");
    let connection = postgres::connect(&url, "test").await.expect("it connects");
    let rows = "create table public.slow (text text); insert into public.slow select md5(n::text) || repeat('x', n % 50) from generate_series(1, 2000) as n";
    connection.batch_execute(rows).await.expect("rows");
    // This function takes a while for each row.
    let slow = "create function public.slowly(text) returns text immutable language plpgsql as $$
        begin perform pg_sleep(0.0001); return $1; end $$";
    connection.batch_execute(slow).await.expect("a function");
    for follows in [true, false] {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let kept = shown.clone();
        let watch = connection
            .watch()
            .showing(move |words| kept.lock().unwrap().push(words.to_owned()))
            .following(follows);
        let index =
            "create index on public.slow (public.slowly(text) collate \"C\", public.slowly(text || 'y'))";
        watch.answer("make keys", connection.batch_execute(index)).await.expect("an index");
        let shown = shown.lock().unwrap().clone();
        assert_eq!(shown[0], "make keys");
        let told = shown.iter().filter(|words| words.starts_with("make keys: building index")).count();
        assert_eq!(told > 0, follows, "{shown:?}");
    }
}
