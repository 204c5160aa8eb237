-- Purpose: some keys of what a dry run would change in one table.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- Inputs:  :"staging".:"table" (the rows that were loaded), :"key", pg_temp.touched, pg_temp.removed.
-- Outputs: change (inserted, replaced, deleted) and up to three keys of each.
with loaded as (
    select :"key" as record_id, count(*) as rows from :"staging".:"table" group by :"key"
),
gone as (
    select record_id, rows from pg_temp.removed where table_name = :'table'
),
change as (
    select
        record_id,
        case
            when gone.rows is null then 'inserted'
            when loaded.rows is null then 'deleted'
            else 'replaced'
        end as change
    from loaded full join gone using (record_id)
),
numbered as (
    select change, record_id, row_number() over (partition by change order by record_id) as n from change
)
select change, array_agg(record_id order by record_id) as keys
from numbered
where n <= 3
group by change
order by change;
