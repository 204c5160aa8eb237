-- Purpose: remove rows of cases that the court deleted, which should no longer be there (rule 2).
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction
-- Inputs:  :"schema", :"ledger", :'run_id'.
-- Outputs: pg_temp.purged: table_name (or table.column of the ledger), rows; open failed records of such cases settled.

create temp table sealed on commit drop as
select indexnumberid from :"schema".oca_metadata where deletedate is not null;

analyze pg_temp.sealed;

create temp table purged (table_name text, rows bigint) on commit drop;

with gone as (
    delete from :"schema".oca_causes as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_causes', count(*) from gone;

with gone as (
    delete from :"schema".oca_addresses as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_addresses', count(*) from gone;

with gone as (
    delete from :"schema".oca_parties as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_parties', count(*) from gone;

with gone as (
    delete from :"schema".oca_events as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_events', count(*) from gone;

with gone as (
    delete from :"schema".oca_appearance_outcomes as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_appearance_outcomes', count(*) from gone;

with gone as (
    delete from :"schema".oca_appearances as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_appearances', count(*) from gone;

with gone as (
    delete from :"schema".oca_motions as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_motions', count(*) from gone;

with gone as (
    delete from :"schema".oca_decisions as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_decisions', count(*) from gone;

with gone as (
    delete from :"schema".oca_warrants as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_warrants', count(*) from gone;

with gone as (
    delete from :"schema".oca_judgments as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_judgments', count(*) from gone;

with gone as (
    delete from :"schema".oca_index as t using pg_temp.sealed where t.indexnumberid = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'oca_index', count(*) from gone;

with gone as (
    update :"ledger".failed_records as failed
    set fragment = null, value = null
    from pg_temp.sealed, :"ledger".runs
    where failed.record_id = sealed.indexnumberid
        and (failed.fragment is not null or failed.value is not null)
        and runs.run_id = failed.run_id
        and runs.dataset = 'oca'
        and runs.target_schema = :'schema'
    returning 1
)
insert into pg_temp.purged select 'failed_records', count(*) from gone;

-- Nothing of such a case is to be resolved.
update :"ledger".failed_records as failed
set resolved_by = :'run_id', resolved_at = now(), resolution = 'deleted'
from pg_temp.sealed, :"ledger".runs
where failed.record_id = sealed.indexnumberid
    and failed.resolved_at is null
    and runs.run_id = failed.run_id
    and runs.dataset = 'oca'
    and runs.target_schema = :'schema';

with gone as (
    delete from :"ledger".record_origins as origin
    using pg_temp.sealed
    where origin.dataset = 'oca' and origin.target_schema = :'schema' and origin.record_id = sealed.indexnumberid
    returning 1
)
insert into pg_temp.purged select 'record_origins', count(*) from gone;

-- The example text of an unknown element comes from a case that is no longer known.
with gone as (
    update :"ledger".parts as parts
    set unknown = (
        select jsonb_object_agg(path, element || '{"example": ""}')
        from jsonb_each(parts.unknown) as each (path, element)
    )
    from :"ledger".runs
    where parts.unknown @? '$.* ? (@.example != "")'
        and exists (select from pg_temp.sealed)
        and runs.run_id = parts.run_id
        and runs.dataset = 'oca'
        and runs.target_schema = :'schema'
    returning 1
)
insert into pg_temp.purged select 'parts.unknown', count(*) from gone;

-- A comparison with golden files names keys and values that differ.
with gone as (
    update :"ledger".runs as runs
    set error = '(purged: it named a deleted case)', error_chain = null
    where (runs.error is not null or runs.error_chain is not null)
        and exists (
            select from pg_temp.sealed
            where strpos(concat_ws(' ', runs.error, runs.error_chain::text), indexnumberid) > 0
        )
        and runs.dataset = 'oca'
        and runs.target_schema = :'schema'
    returning 1
)
insert into pg_temp.purged select 'runs.error', count(*) from gone;

-- Answers about addresses that no case has any more.
with gone as (
    delete from :"ledger".answers
    where dataset = 'oca'
        and enrichment = 'geocode'
        and exists (select from pg_temp.sealed)
        and key not in (
            select pg_temp.address_key(street1, street2, city, state, postalcode)
            from :"schema".oca_addresses
        )
    returning 1
)
insert into pg_temp.purged select 'answers', count(*) from gone having count(*) > 0;
