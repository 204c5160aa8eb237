-- Purpose: take the old rows of the touched records out of a child table.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", pg_temp.touched, pg_temp.blocked.
-- Outputs: pg_temp.before and pg_temp.removed filled for the table; staging without blocked records.

-- Counting millions of rows for every weekly file would make it as slow as the table is large, so
-- the ledger's last count is taken where there is one.
insert into pg_temp.before (table_name, rows)
select :'table', case
    -- Made anew, or emptied by hand.
    when not exists (select from :"schema".:"table") then 0
    else coalesce(
        (
            select rows_after
            from :"ledger".table_changes join :"ledger".runs using (run_id)
            where dataset = :'dataset' and target_schema = :'schema' and table_name = :'table' and not dry_run
            order by started_at desc, batch desc
            limit 1
        ),
        (select count(*) from :"schema".:"table")
    )
end;

with gone as (
    delete from :"schema".:"table" as child
    using pg_temp.touched
    where child.:"key" = touched.record_id
    returning touched.record_id
)
insert into pg_temp.removed (table_name, record_id, rows)
select :'table', record_id, count(*) from gone group by record_id;

delete from :"staging".:"table" as staged
using pg_temp.blocked
where staged.:"key" = blocked.record_id;
