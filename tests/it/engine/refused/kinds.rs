//! Every kind of constraint, and other ways to refuse a row.

use super::{PRIVATE, cases, is_discreet, open, party, pipeline, status};
use crate::support::extract::Extract;

/// Each entry has the statement that makes the constraint, and the message of the failed record. The first two of the
/// three cases pass.
#[tokio::test]
async fn each_kind_of_constraint_on_a_rows_own_values() {
    for (hint, constraint, inside, table, reason) in [
        (
            "not null",
            "alter table oca_parties alter column role set not null",
            "<Parties><Party><PartyType>x</PartyType></Party></Parties>".to_owned(),
            "oca_parties",
            "column role of oca_parties takes no NULL",
        ),
        (
            "domain",
            "create domain base_role as text;
             create domain short_role as base_role constraint short check (length(value) < 10);
             alter table oca_parties alter column role type short_role",
            party(PRIVATE),
            "oca_parties",
            "constraint short of oca_parties refuses it",
        ),
        (
            "two columns",
            "alter table oca_index add constraint \"Odd, one\" check (court is not null or status <> 'it''s : $1')",
            status("it's : $1"),
            "oca_index",
            "constraint Odd, one of oca_index refuses it",
        ),
        (
            "not valid",
            "alter table oca_index add constraint late check (status = 'kept') not valid",
            status("other"),
            "oca_index",
            "constraint late of oca_index refuses it",
        ),
        (
            // Only the server knows the value of that column.
            "their own column",
            "alter table oca_index add owner text default 'us', add constraint theirs check (owner || status <> 'usbad')",
            status("bad"),
            "oca_index",
            "constraint theirs of oca_index refuses it",
        ),
        (
            // The trigger fills a foreign column before the constraint is checked. It may not change one of ours.
            "a trigger before",
            "alter table oca_index add owner text;
             create function mend() returns trigger language plpgsql as $$
                 begin if new.indexnumberid <> 'bad' then new.owner := 'us'; end if; return new; end $$;
             create trigger mend before insert or update on oca_index for each row execute function mend();
             alter table oca_index add constraint late check (status <> 'bad' or owner is not null) not valid",
            status("bad"),
            "oca_index",
            "constraint late of oca_index refuses it",
        ),
    ] {
        let pipeline = pipeline(&format!("refused {hint}"), constraint).await;
        let other = if hint == "a trigger before" { status("bad") } else { status("kept") };
        let extract = Extract::weekly("2024-01-08").case("b", &other).case("old", &status("kept"));
        pipeline.put(extract.case("bad", &inside));
        let ran = pipeline.run().await.exits(3);
        is_discreet(&pipeline, &ran).await;
        assert_eq!(open(&pipeline).await, [format!("bad|3|{table}|{reason}")], "{hint}");
        assert_eq!(cases(&pipeline).await, ["b", "old"], "{hint}");
    }
}

/// The expression fails on a row that is not loaded at all.
#[tokio::test]
async fn an_expression_that_cannot_be_tried_on_all_rows() {
    let constraint = "alter table oca_index add constraint fraught check (1 / (length(status) - 6) <> 1)";
    let pipeline = pipeline("refused fraught", constraint).await;
    pipeline.put(Extract::weekly("2023-12-01").case("old", &status("sixsix")));
    pipeline.put(Extract::weekly("2024-01-08").case("a", &status("kept")).case("bad", &status("seven77")));
    pipeline.run().await.exits(3);
    assert_eq!(open(&pipeline).await, ["bad|2|oca_index|constraint fraught of oca_index refuses it"]);
    assert_eq!(cases(&pipeline).await, ["a", "old"]);
}

#[tokio::test]
async fn exclusion_foreign_keys_partitions_triggers_and_deferred_constraints() {
    for (hint, constraint, reason) in [
        (
            "exclude",
            "alter table oca_parties add constraint alone exclude (role with =) where (role = 'bad')
                deferrable initially deferred;
             insert into oca_index (indexnumberid) values ('there');
             insert into oca_parties (indexnumberid, role) values ('there', 'bad')",
            "constraint alone of oca_parties refuses it",
        ),
        (
            "foreign key",
            "create table roles (role text primary key); insert into roles values ('kept'), ('good'), ('newer');
             alter table oca_parties add constraint known foreign key (role) references roles",
            "constraint known of oca_parties refuses it",
        ),
        (
            "deferred",
            "create table roles (role text primary key); insert into roles values ('kept'), ('good'), ('newer');
             alter table oca_parties add constraint known foreign key (role) references roles
                deferrable initially deferred",
            "constraint known of oca_parties refuses it",
        ),
        (
            "partition",
            "drop table oca_parties;
             create table oca_parties (indexnumberid text references oca_index on delete cascade, role text,
                 partytype text, representationtype text, undertenant text) partition by list (role);
             create table of_kept partition of oca_parties for values in ('kept', 'good', 'newer');
             insert into oca_parties values ('old', 'kept', 'x')",
            "no partition of oca_parties takes it",
        ),
        (
            "trigger",
            "create function refuse() returns trigger language plpgsql as $$
                 begin
                     if new.role = 'bad' then
                         raise 'no % here, 4 Hidden Lane', new.role using errcode = 'integrity_constraint_violation';
                     end if;
                     return new;
                 end $$;
             create trigger refuse after insert on oca_parties for each row execute function refuse()",
            "the database refuses it (SQLSTATE 23000)",
        ),
        (
            // The refused statement is an insert, although the key is on a table that is not ours.
            "trigger with a key",
            "create table roles (role text primary key); insert into roles values ('kept'), ('good'), ('newer');
             create table audit (role text constraint known references roles);
             create function note() returns trigger language plpgsql as $$
                 begin insert into public.audit values (new.role); return new; end $$;
             create trigger note after insert on oca_parties for each row execute function note()",
            "constraint known of audit refuses it",
        ),
    ] {
        let pipeline = pipeline(&format!("refused {hint}"), constraint).await;
        let extract = Extract::weekly("2024-01-08").case("a", &party("good")).case("bad", &party("bad"));
        pipeline.put(extract.case("old", &party("newer")));
        let ran = pipeline.run_with(&["--skip-publish"]).await.exits(3).says(reason);
        is_discreet(&pipeline, &ran).await;
        let open = open(&pipeline).await;
        assert!(open.len() == 1 && open[0].starts_with("bad|2|") && open[0].ends_with(reason), "{hint} {open:?}");
        let cases = cases(&pipeline).await;
        assert!(!cases.contains(&"bad".to_owned()) && cases.contains(&"a".to_owned()), "{hint} {cases:?}");
        let newer = "select role from oca_parties where indexnumberid = 'old'";
        assert_eq!(pipeline.one(newer).await, "newer", "{hint}");
    }
}

/// Tables that the plan itself maintains are no exception.
#[tokio::test]
async fn a_constraint_on_the_metadata() {
    let constraint = "alter table oca_metadata add constraint odd check (indexnumberid <> 'bad')";
    let pipeline = pipeline("refused metadata", constraint).await;
    pipeline.put(Extract::weekly("2024-01-08").case("a", "").case("bad", "").case("c", ""));
    pipeline.run().await.exits(3);
    assert_eq!(open(&pipeline).await, ["bad|2|oca_metadata|constraint odd of oca_metadata refuses it"]);
    assert_eq!(cases(&pipeline).await, ["a", "c", "old"]);
    // A delete is refused here.
    pipeline.put(Extract::weekly("2024-01-15").delete("bad").case("d", ""));
    pipeline.run().await.exits(1).says("constraint odd").says("The database is unchanged.");
    assert_eq!(cases(&pipeline).await, ["a", "c", "old"]);
}
