//! Other people's triggers, rules, keys and tables that touch the dataset's tables.

use super::{line, loaded, runs};

#[tokio::test]
async fn triggers_and_rules_are_told() {
    let pipeline = loaded("check triggers").await;
    pipeline
        .execute(
            "create function nothing() returns trigger language plpgsql as $$ begin return new; end $$;
             create trigger \"It's\" before insert on oca_parties for each row execute function nothing();
             create rule keep as on delete to oca_motions do also select 1",
        )
        .await;
    let found = line(&pipeline, "triggers", 0).await;
    let words = ["trigger It's on oca_parties", "rule keep on oca_motions", "rolls back if they differ"];
    pipeline.execute(&found.is("warn", &words).statements()).await;
    line(&pipeline, "triggers", 0).await.is("ok", &[]);
    runs(&pipeline).await;
}

#[tokio::test]
async fn foreign_keys_of_others_are_told() {
    let pipeline = loaded("check foreign keys").await;
    pipeline
        .execute(
            "create table notes (id text references oca_index, about text references oca_index on delete cascade);
             create table \"Seen\" (id text references oca_metadata on delete set null); create index on notes (about)",
        )
        .await;
    let found = line(&pipeline, "foreign keys", 0).await;
    let words = [
        "public.notes refers to oca_index: its rows keep ours from being deleted: the run stops at the first that it \
         has to delete; no index finds them",
        "public.notes refers to oca_index: its rows are deleted with ours; public.notes",
        "public.\"Seen\" refers to oca_metadata: its rows lose what they refer to",
        "alter table public.notes drop constraint notes_id_fkey;",
    ];
    pipeline.execute(&found.is("warn", &words).statements()).await;
    line(&pipeline, "foreign keys", 0).await.is("ok", &[]);
    runs(&pipeline).await;
}

#[tokio::test]
async fn rules_of_others_on_our_columns_are_told() {
    let pipeline = loaded("check rules").await;
    line(&pipeline, "constraints", 0).await.is("ok", &[]);
    pipeline
        .execute(
            "create extension if not exists btree_gist;
             alter table oca_index alter status set not null, add check (status <> 'never'),
                 add column other text not null default '', add column filed_year int
                     generated always as (extract(year from fileddate)) stored, add check (other <> 'x');
             alter table oca_parties add unique (indexnumberid, role), add column id bigint generated always as identity
                 primary key;
             alter table oca_events add exclude using gist (indexnumberid with =, fileddate with =);
             create unique index on oca_motions (upper(motiontype))",
        )
        .await;
    let found = line(&pipeline, "constraints", 0).await;
    let words = [
        "oca_index has a not null on status",
        "oca_index has a constraint oca_index_status_check, CHECK ((status <> 'never'::text))",
        "oca_index has a column filed_year, which the server computes",
        "oca_parties has a unique index oca_parties_indexnumberid_role_key on (indexnumberid, role)",
        "oca_events has a constraint oca_events_indexnumberid_fileddate_excl, EXCLUDE",
        "oca_motions has a unique index oca_motions_upper_idx on (…)",
    ];
    let found = found.is("warn", &words);
    for word in ["not null on indexnumberid", "other", "(id)", "oca_index_pkey"] {
        assert!(!found.found.contains(word), "{word} in {found:?}");
    }
    assert_eq!(found.found.matches(" has a ").count(), words.len(), "{found:?}");
    pipeline.execute(&found.statements()).await;
    line(&pipeline, "constraints", 0).await.is("ok", &[]);
    // A type that somebody made with a rule in it can refuse values too.
    pipeline
        .execute("create domain short as text check (length(value) < 9); alter table oca_index alter court type short")
        .await;
    let found = line(&pipeline, "constraints", 0).await;
    let found = found.is("warn", &["oca_index has a type public.short on court, a domain"]);
    pipeline.execute(&found.statements()).await;
    line(&pipeline, "constraints", 0).await.is("ok", &[]);
}

#[tokio::test]
async fn tables_that_are_parts_of_others() {
    let pipeline = loaded("check parts").await;
    pipeline
        .execute(
            "create table motions (like oca_motions); alter table oca_motions inherit motions;
             create table oca_index_old () inherits (oca_index)",
        )
        .await;
    let found = line(&pipeline, "partitions", 0).await;
    let words = [
        "oca_motions is a part of public.motions",
        "alter table oca_motions no inherit public.motions;",
        "oca_index has 1 child table",
        "does not find rows of the tables that inherit from oca_index",
    ];
    found.is("warn", &words);
    runs(&pipeline).await;
}
