-- Purpose: the last look before the commit, for every dataset: what would make a person ask "wait, what?".
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after the merge
-- Inputs:  :'run_id', :batch, :'dataset', :'schema', :"ledger".parts and table_changes; pg_temp.plan;
--          pg_temp.removed, what left production by record; :'parent', the first table; :'kept', the tables that the
--          promotion keeps itself, with commas; :'record', what a record is called; :is_replaced; :is_together: a batch may well be of some
--          tables alone; :is_undo; :slice_rows, how many rows the slices
--          had that are replaced (null: the whole table is);
--          :max_failures_percent, :max_failures_records (the larger of both is the budget);
--          :max_deletes_percent, :max_deletes_records (likewise, of the batch's records);
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
    from :"ledger".parts
    where run_id = :'run_id' and records_seen is not null
),
-- A deletion holds for ever. One of a record that had nothing to lose, and that says nothing else, is the ordinary one.
losing as (
    select record_id::text from pg_temp.plan where is_newly_sealed and has_data
    union
    select plan.record_id::text
    from pg_temp.plan join pg_temp.removed on removed.record_id = plan.record_id::text
    where plan.is_newly_sealed
),
deletes as (
    select
        'deletes' as name,
        '' as subject,
        (select count(*) from losing) as sealed,
        count(*) as records,
        greatest(floor(count(*) * :max_deletes_percent / 100.0), :max_deletes_records) as budget
    from pg_temp.plan
),
drops as (
    select
        'drop' as name,
        table_name as subject,
        base.rows_before,
        base.rows_before + inserted - deleted as rows_after,
        lost,
        100.0 * lost / base.rows_before as percent
    from :"ledger".table_changes
        -- What a run replaces of a table is all that it can lose.
        cross join lateral (
            select coalesce(:slice_rows::bigint, table_changes.rows_before) as rows_before
        ) as base
        -- Of a table that is replaced, as many new rows do not make up for those that go.
        cross join lateral (
            select case when :is_replaced then deleted else table_changes.rows_before - rows_after end as lost
        ) as loss
    where run_id = :'run_id' and batch = :batch and base.rows_before > 0
),
parents as (
    select rows_before, inserted + replaced as loaded
    from :"ledger".table_changes
    where run_id = :'run_id' and batch = :batch and table_name = :'parent'
),
-- A part that carries records but has lost a kind of their rows is silently short.
ratios as (
    select
        'short' as name,
        change.table_name as subject,
        1.0 * (change.inserted + change.replaced) / parents.loaded as found,
        1.0 * change.rows_before / parents.rows_before as expected
    from :"ledger".table_changes as change, parents
    where change.run_id = :'run_id'
        and change.batch = :batch
        and change.table_name <> :'parent'
        and change.table_name <> all (string_to_array(:'kept', ','))
        -- From fewer nothing can be told.
        and parents.loaded >= 100
        and not :is_together
        and parents.rows_before >= 100
        and change.rows_before * parents.loaded >= 20 * parents.rows_before
),
dates as (
    select
        'run_date' as name,
        file.name as subject,
        file.as_of,
        (
            select max(done.as_of)
            from :"ledger".parts as done join :"ledger".runs using (run_id)
            where runs.dataset = :'dataset'
                and runs.target_schema = :'schema'
                and done.status in ('done', 'done_with_failures', 'incomplete')
                and done.run_id <> :'run_id'
        ) as newest
    from :"ledger".parts as file
    where file.run_id = :'run_id' and file.batch = :batch and file.as_of is not null
),
findings as (
    select name, subject, 'at most ' || budget || ' failed records' as threshold,
        failed || ' of ' || seen || ' records failed' as found, failed <= budget as passed
    from failures
    union all
    select name, subject, 'at most ' || budget || ' of them',
        sealed || ' of ' || records || ' ' || :'record' || 's are newly sealed and lose rows, or data beside their delete'
            || case when sealed > budget then '; until that is let through they stay visible' else '' end,
        sealed <= budget
    from deletes
    union all
    select name, subject, 'loses at most ' || :max_drop_percent || ' % of its rows',
        rows_before || ' -> ' || rows_after || ' rows (' || round(-percent, 1) || ' %)',
        (percent <= :max_drop_percent or lost < :max_drop_rows)
            and not ((:is_replaced or :is_undo and subject = :'parent') and rows_after = 0)
    from drops
    union all
    select name, subject,
        'between a fifth and five times production''s ' || round(expected, 3) || ' rows a ' || :'record',
        round(found, 3) || ' rows a ' || :'record', found between expected / 5 and expected * 5
    from ratios
    union all
    select name, subject,
        'not in the future'
            || coalesce('; at most ' || :feed_days::int || ' days, for which the feed keeps files, before the newest', ''),
        'its run date ' || as_of
            || case
                when as_of > current_date + 1 then ' is in the future'
                when newest is null then ''
                else '; the newest is ' || newest
            end,
        as_of <= current_date + 1
        and (:feed_days::int is null or newest is null or as_of >= newest - :feed_days::int)
    from dates
)
insert into :"ledger".guards (run_id, batch, name, subject, threshold, found, passed, allowed_by)
select
    :'run_id', :batch, name, subject, threshold, found, passed,
    case when not passed and name = any (string_to_array(:'allow', ',')) then :'allowed_by' end
from findings;
