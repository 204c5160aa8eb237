-- Purpose: the exact change of one table, for the ledger.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"staging".:"table" (the rows that were loaded), :"key", pg_temp.touched and removed;
--          :rows_before; :"ledger", :'run_id', :batch.
-- Outputs: one row of :"ledger".table_changes. Per record, as many new rows as there were old ones
--          count as replaced; more are inserted, fewer are deleted.

with again as (
    select touched.record_id, count(*) as rows
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
