-- Purpose: prove that nothing of a deleted case is left.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema", :"ledger".
-- Outputs: table_name and rows that are left; none: passed.
with sealed as (
    select indexnumberid from :"schema".oca_metadata where deletedate is not null
),
remains as (
    select 'oca_index' as table_name, count(*) as rows
    from :"schema".oca_index join sealed using (indexnumberid)
    union all
    select 'oca_causes' as table_name, count(*) as rows
    from :"schema".oca_causes join sealed using (indexnumberid)
    union all
    select 'oca_addresses' as table_name, count(*) as rows
    from :"schema".oca_addresses join sealed using (indexnumberid)
    union all
    select 'oca_parties' as table_name, count(*) as rows
    from :"schema".oca_parties join sealed using (indexnumberid)
    union all
    select 'oca_events' as table_name, count(*) as rows
    from :"schema".oca_events join sealed using (indexnumberid)
    union all
    select 'oca_appearances' as table_name, count(*) as rows
    from :"schema".oca_appearances join sealed using (indexnumberid)
    union all
    select 'oca_appearance_outcomes' as table_name, count(*) as rows
    from :"schema".oca_appearance_outcomes join sealed using (indexnumberid)
    union all
    select 'oca_motions' as table_name, count(*) as rows
    from :"schema".oca_motions join sealed using (indexnumberid)
    union all
    select 'oca_decisions' as table_name, count(*) as rows
    from :"schema".oca_decisions join sealed using (indexnumberid)
    union all
    select 'oca_judgments' as table_name, count(*) as rows
    from :"schema".oca_judgments join sealed using (indexnumberid)
    union all
    select 'oca_warrants' as table_name, count(*) as rows
    from :"schema".oca_warrants join sealed using (indexnumberid)
    union all
    select 'failed_records', count(*)
    from :"ledger".failed_records as failed
        join sealed on record_id = indexnumberid
        join :"ledger".runs on runs.run_id = failed.run_id
    where (fragment is not null or value is not null)
        and runs.dataset = 'oca'
        and runs.target_schema = :'schema'
    union all
    select 'answers', count(*)
    from :"ledger".answers
    where dataset = 'oca'
        and enrichment = 'geocode'
        and exists (select from sealed)
        and key not in (
            select pg_temp.address_key(street1, street2, city, state, postalcode)
            from :"schema".oca_addresses
        )
    union all
    select 'record_origins', count(*)
    from :"ledger".record_origins join sealed on record_id = indexnumberid
    where dataset = 'oca' and target_schema = :'schema'
    union all
    select 'parts.unknown', count(*)
    from :"ledger".parts join :"ledger".runs using (run_id)
    where unknown @? '$.* ? (@.example != "")'
        and exists (select from sealed)
        and runs.dataset = 'oca'
        and runs.target_schema = :'schema'
    union all
    select 'runs.error', count(*)
    from :"ledger".runs
    where dataset = 'oca'
        and target_schema = :'schema'
        and exists (
            select from sealed where strpos(concat_ws(' ', error, error_chain::text), indexnumberid) > 0
        )
)
select table_name, rows from remains where rows > 0 order by table_name;
