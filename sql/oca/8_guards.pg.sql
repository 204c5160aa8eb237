-- Purpose: the last look before the commit: what would make a person ask "wait, what?".
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after the merge
-- Inputs:  :'run_id', :batch, :"ledger".files and table_changes, :"staging" (what was loaded), :"schema";
--          pg_temp.plan; pg_temp.removed, what left production by record;
--          :max_failures_percent, :max_failures_records (the larger of both is the budget);
--          :max_deletes_percent, :max_deletes_records (likewise, of the batch's cases);
--          :max_drop_percent, :max_drop_rows (a smaller loss is never a breach); :feed_days, for how long the
--          source keeps a file (null: for ever); :'allow', names that are let through, with commas;
--          :'allowed_by', who lets them through.
-- Outputs: :"ledger".guards, one row for each guard and table that was looked at.

with failures as (
    select
        'failures' as name,
        '' as subject,
        coalesce(sum(records_failed), 0) as failed,
        coalesce(sum(records_seen), 0) as seen,
        greatest(floor(sum(records_seen) * :max_failures_percent / 100.0), :max_failures_records) as budget
    from :"ledger".files
    where run_id = :'run_id' and records_seen is not null
),
-- A sealed case never comes back. One that had nothing to lose, and says nothing but that, is the ordinary one.
losing as (
    select record_id from pg_temp.plan where is_newly_sealed and has_data
    union
    select plan.record_id
    from pg_temp.plan join pg_temp.removed using (record_id)
    where plan.is_newly_sealed
),
deletes as (
    select
        'deletes' as name,
        '' as subject,
        (select count(*) from losing) as sealed,
        count(*) as cases,
        greatest(floor(count(*) * :max_deletes_percent / 100.0), :max_deletes_records) as budget
    from pg_temp.plan
),
drops as (
    select
        'drop' as name,
        table_name as subject,
        rows_before,
        rows_after,
        100.0 * (rows_before - rows_after) / rows_before as percent
    from :"ledger".table_changes
    where run_id = :'run_id' and batch = :batch and rows_before > 0
),
cases as (
    select rows_before, inserted + replaced as loaded
    from :"ledger".table_changes
    where run_id = :'run_id' and batch = :batch and table_name = 'oca_index'
),
-- An extract that carries cases but has lost a kind of their rows is silently short.
ratios as (
    select
        'short' as name,
        change.table_name as subject,
        1.0 * (change.inserted + change.replaced) / cases.loaded as found,
        1.0 * change.rows_before / cases.rows_before as expected
    from :"ledger".table_changes as change, cases
    where change.run_id = :'run_id'
        and change.batch = :batch
        and change.table_name not in ('oca_index', 'oca_metadata')
        -- Fewer say nothing.
        and cases.loaded >= 100
        and cases.rows_before >= 100
        and change.rows_before * cases.loaded >= 20 * cases.rows_before
),
dates as (
    select
        'run_date' as name,
        file.name as subject,
        file.run_date,
        (
            select max(done.run_date)
            from :"ledger".files as done join :"ledger".runs using (run_id)
            where runs.dataset = 'oca'
                and runs.target_schema = :'schema'
                and done.status in ('done', 'done_with_failures', 'incomplete')
                and done.run_id <> :'run_id'
        ) as newest
    from :"ledger".files as file
    where file.run_id = :'run_id' and file.batch = :batch
),
-- A foreign key sees to it by itself; a database that was taken over may lack one.
unkeyed as (
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
-- A primary key sees to it by itself where there is one. An appearance's number is made from its case and
-- position (rule 8) and has no key in production.
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
findings as (
    select name, subject, 'at most ' || budget || ' failed records' as threshold,
        failed || ' of ' || seen || ' records failed' as found, failed <= budget as passed
    from failures
    union all
    select name, subject, 'at most ' || budget || ' of them',
        sealed || ' of ' || cases || ' cases are newly sealed and lose rows, or data beside their delete'
            || case when sealed > budget then '; until that is let through they stay visible' else '' end,
        sealed <= budget
    from deletes
    union all
    select name, subject, 'loses at most ' || :max_drop_percent || ' % of its rows',
        rows_before || ' -> ' || rows_after || ' rows (' || round(-percent, 1) || ' %)',
        percent <= :max_drop_percent or rows_before - rows_after < :max_drop_rows
    from drops
    union all
    select name, subject,
        'between a fifth and five times production''s ' || round(expected, 3) || ' rows a case',
        round(found, 3) || ' rows a case', found between expected / 5 and expected * 5
    from ratios
    union all
    select name, subject,
        'not in the future'
            || coalesce('; at most ' || :feed_days::int || ' days, for which the feed keeps files, before the newest', ''),
        run_date || case when newest is null then '' else ', newest ' || newest end,
        run_date <= current_date + 1
        and (:feed_days::int is null or newest is null or run_date >= newest - :feed_days::int)
    from dates
    union all
    select name, subject, 'no row without its case', rows || ' rows', false
    from orphans
    union all
    select 'orphans', '', 'no row without its case', '0 rows', true
    where not exists (select from orphans)
    union all
    select name, subject, 'no key twice', rows || ' keys', rows = 0
    from duplicates
)
insert into :"ledger".guards (run_id, batch, name, subject, threshold, found, passed, allowed_by)
select
    :'run_id', :batch, name, subject, threshold, found, passed,
    case when not passed and name = any (string_to_array(:'allow', ',')) then :'allowed_by' end
from findings;
