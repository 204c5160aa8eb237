-- Purpose: the guards of the court extract alone: rows without their case, keys that are there
--          twice, and too few addresses whose building lot is known.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after promote/guards.pg.sql
-- Inputs:  :'run_id', :batch, :"ledger"; :"staging" (what was loaded), :"schema"; :'allow', names that are let through, with
--          commas; :'allowed_by', who lets them through; :'geocode_required', per cent of the city's addresses, or empty.
-- Outputs: :"ledger".guards, one row for each guard and table that was looked at.

with unkeyed as (
    select relname as subject
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where nspname = :'schema'
        and not exists (select from pg_constraint where conrelid = pg_class.oid and contype = 'f')
),
orphans as (
    select 'orphans' as name, child.subject, count(*) as rows
    from (
        select 'oca_causes' as subject, indexnumberid from :"staging".oca_causes
            where 'oca_causes' in (select subject from unkeyed)
        union all
        select 'oca_addresses', indexnumberid from :"staging".oca_addresses
            where 'oca_addresses' in (select subject from unkeyed)
        union all
        select 'oca_parties', indexnumberid from :"staging".oca_parties
            where 'oca_parties' in (select subject from unkeyed)
        union all
        select 'oca_events', indexnumberid from :"staging".oca_events
            where 'oca_events' in (select subject from unkeyed)
        union all
        select 'oca_appearances', indexnumberid from :"staging".oca_appearances
            where 'oca_appearances' in (select subject from unkeyed)
        union all
        select 'oca_appearance_outcomes', indexnumberid from :"staging".oca_appearance_outcomes
            where 'oca_appearance_outcomes' in (select subject from unkeyed)
        union all
        select 'oca_motions', indexnumberid from :"staging".oca_motions
            where 'oca_motions' in (select subject from unkeyed)
        union all
        select 'oca_decisions', indexnumberid from :"staging".oca_decisions
            where 'oca_decisions' in (select subject from unkeyed)
        union all
        select 'oca_judgments', indexnumberid from :"staging".oca_judgments
            where 'oca_judgments' in (select subject from unkeyed)
        union all
        select 'oca_warrants', indexnumberid from :"staging".oca_warrants
            where 'oca_warrants' in (select subject from unkeyed)
    ) as child
    where not exists (
        select from :"staging".oca_index as parent where parent.indexnumberid = child.indexnumberid
    )
    group by child.subject
),
-- A primary key ensures it by itself. An appearance's number is made from its case and position (rule 8) and has no key
-- in production.
duplicates as (
    select 'duplicates' as name, 'oca_index' as subject, count(*) as rows
    from (
        select indexnumberid
        from :"schema".oca_index join :"staging".oca_index using (indexnumberid)
        where not exists (
            select
            from pg_constraint
                join pg_class on pg_class.oid = conrelid
                join pg_namespace on pg_namespace.oid = relnamespace
            where nspname = :'schema'
                and relname = 'oca_index'
                and contype in ('p', 'u')
                -- One that has further columns (of a partitioned table) lets a case be there twice, and so does
                -- one of a table from which others inherit.
                and (relkind = 'p' or not relhassubclass)
                and conkey = (
                    select array_agg(attnum)
                    from pg_attribute
                    where attrelid = conrelid and attname = 'indexnumberid'
                )
        )
        group by indexnumberid
        having count(*) > 1
    ) as twice
    union all
    select 'duplicates', 'oca_appearances', count(*)
    from :"schema".oca_appearances as known
        join :"staging".oca_appearances as staged using (appearanceid)
    where known.indexnumberid <> staged.indexnumberid
),
-- An address outside the city, or without a street line, cannot have a lot. The Census knows places outside the city too: if its
-- answer has a point, the address is in the city only if it names a borough; without a point, the postal code decides.
geocoded as (
    select
        count(*) filter (where bbl is not null) as found,
        count(*) as wanted
    from :"staging".oca_addresses
    where coalesce(status, '') not in ('outside', 'no_line')
        and (
            bbl is not null
            or boro is not null
            or borough_code is not null
            or (
                coalesce(status, '') <> 'match'
                and btrim(coalesce(postalcode, '')) !~ '^(?!10[0-4]|11[1-46]|1100[45])[0-9]{5}'
            )
        )
),
findings as (
    select name, subject, 'no row without its case' as threshold, rows || ' rows' as found, false as passed
    from orphans
    union all
    select 'orphans', '', 'no row without its case', '0 rows', true
    where not exists (select from orphans)
    union all
    select name, subject, 'no key twice', rows || ' keys', rows = 0
    from duplicates
    union all
    select
        'geocode',
        'oca_addresses',
        'at least ' || :'geocode_required' || '% of the city''s addresses with a lot',
        found || ' of ' || wanted,
        found * 100.0 >= wanted * nullif(:'geocode_required', '')::numeric
    from geocoded
    where :'geocode_required' <> ''
)
insert into :"ledger".guards (run_id, batch, name, subject, threshold, found, passed, allowed_by)
select
    :'run_id', :batch, name, subject, threshold, found, passed,
    case when not passed and name = any (string_to_array(:'allow', ',')) then :'allowed_by' end
from findings;
