-- Purpose: plan a replacement by several parts together: the tables become what they say, and only records that differ are touched.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :'run_id', :batch; :"staging".:"records"; :"staging".:"table" and :"schema".:"table", the parents, known by :"key", a
--          text, which say all that the rows of their children say; :texts, their columns as texts; :"ledger".parts.
-- Outputs: pg_temp.replacing, the parts, each under its name as a slice; pg_temp.plan, one row a record: record_id, action (load,
--          same or delete), part_id, ordinal and order_key of the record, is_newly_sealed and has_data (never: nothing is deleted
--          for ever here); pg_temp.counted, whether each record that is to be loaded has its row.

create temp table replacing on commit drop as
select part_id, name as slice
from :"ledger".parts
where run_id = :'run_id' and batch = :batch and status = 'pending';

create temp table plan on commit drop as
with staged as (
    select record_id, part_id, ordinal, order_key from :"staging".:"records" where is_winner
),
meant as (
    select :"key"::text as record_id, array[:texts] as content from :"staging".:"table"
),
there as (
    select :"key"::text as record_id, array[:texts] as content from :"schema".:"table"
)
select
    coalesce(staged.record_id, there.record_id) as record_id,
    staged.part_id,
    staged.ordinal,
    staged.order_key,
    false as is_newly_sealed,
    false as has_data,
    case
        when staged.record_id is null then 'delete'
        when meant.content is not distinct from there.content then 'same'
        else 'load'
    end as action
from staged
    full join there on there.record_id = staged.record_id
    left join meant on meant.record_id = staged.record_id;

analyze pg_temp.plan;

create temp table counted (table_name text, change text, expected bigint, found bigint) on commit drop;

-- A row that was lost on its way here would count as one that is the same as none.
insert into pg_temp.counted (table_name, change, expected, found)
select
    :'table',
    'staged',
    (select count(*) from :"staging".:"records" where is_winner),
    (select count(*) from :"staging".:"table");
