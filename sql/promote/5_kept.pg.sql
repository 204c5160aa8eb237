-- Purpose: the exact change of a table that the dataset's plan keeps itself, for the ledger.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
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
