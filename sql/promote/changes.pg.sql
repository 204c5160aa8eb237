-- Purpose: what a batch changed in a table.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/promote/changes.pg.sql

-- part: changes  (script)
-- Purpose: the exact change of one table, for the ledger.
-- Inputs:  :"staging".:"table" (the rows that were loaded), :"key", pg_temp.touched and removed;
--          :rows_before; :"ledger", :'run_id', :batch.
-- Outputs: one row of :"ledger".table_changes. Per record, as many new rows as there were old ones
--          count as replaced; more are inserted, fewer are deleted.

with again as (
    select touched.record_id::text as record_id, count(*) as rows
    from :"staging".:"table" as staged join pg_temp.touched on touched.record_id = staged.:"key"
    group by touched.record_id
),
change as (
    select coalesce(again.rows, 0) as new, coalesce(gone.rows, 0) as old
    from again
    full join (select * from pg_temp.removed where table_name = :'table') as gone using (record_id)
),
total as (
    select
        -- What is not of a touched record is all new.
        (select count(*) from :"staging".:"table") - coalesce(sum(new), 0)
            + coalesce(sum(greatest(new - old, 0)), 0) as inserted,
        coalesce(sum(least(new, old)), 0) as replaced,
        coalesce(sum(greatest(old - new, 0)), 0) as deleted
    from change
)
insert into :"ledger".table_changes (
    run_id, batch, table_name, rows_before, inserted, replaced, deleted, rows_after
)
select :'run_id', :batch, :'table', :rows_before, inserted, replaced, deleted, :rows_before + inserted - deleted
from total;

-- part: kept  (script)
-- Purpose: the exact change of a table that the dataset's plan keeps itself, for the ledger.
-- Inputs:  :'table', :rows_before, pg_temp.counted (filled by the dataset's plan); :"ledger", :'run_id',
--          :batch.
-- Outputs: one row of :"ledger".table_changes.
with total as (
    select
        coalesce(sum(found) filter (where change = 'insert'), 0) as inserted,
        coalesce(sum(found) filter (where change = 'update'), 0) as replaced,
        coalesce(sum(found) filter (where change = 'delete'), 0) as deleted
    from pg_temp.counted
    where table_name = :'table'
)
insert into :"ledger".table_changes (
    run_id, batch, table_name, rows_before, inserted, replaced, deleted, rows_after
)
select :'run_id', :batch, :'table', :rows_before, inserted, replaced, deleted, :rows_before + inserted - deleted
from total;

-- part: samples  (script)
-- Purpose: some keys of what a dry run would change in one table.
-- Inputs:  :"staging".:"table" (the rows that were loaded), :"key", pg_temp.removed.
-- Outputs: change (inserted, replaced, deleted: what changes counts as such) and up to three keys of each.
with loaded as (
    select :"key"::text as record_id, count(*) as rows from :"staging".:"table" group by :"key"
),
gone as (
    select record_id, rows from pg_temp.removed where table_name = :'table'
),
rows as (
    select record_id, coalesce(loaded.rows, 0) as new, coalesce(gone.rows, 0) as old
    from loaded full join gone using (record_id)
),
change as (
    select 1 as place, 'inserted' as change, record_id from rows where new > old
    union all
    select 2, 'replaced', record_id from rows where least(new, old) > 0
    union all
    select 3, 'deleted', record_id from rows where old > new
),
numbered as (
    select place, change, record_id, row_number() over (partition by change order by record_id) as n from change
)
select change, array_agg(record_id order by record_id) as keys
from numbered
where n <= 3
group by place, change
order by place;

-- part: whole  (script)
-- Purpose: the change of a derived table that was made as a whole, for the ledger.
-- Inputs:  :'table'; :removed and :inserted, the numbers of its rows before and after; :"ledger", :'run_id', :batch.
-- Outputs: one row of :"ledger".table_changes.
insert into :"ledger".table_changes (
    run_id, batch, table_name, rows_before, inserted, replaced, deleted, rows_after
)
values (
    :'run_id', :batch, :'table', :removed,
    greatest(:inserted - :removed, 0), least(:inserted, :removed), greatest(:removed - :inserted, 0), :inserted
);
