-- Purpose: decide which records of a merge are exported.
-- Engine:  DuckDB
-- Inputs:  records, failed.
-- Outputs: losers, the records whose rows are not exported.

-- The winner among the records of one identity: the last word of the run, unless it is deleted anywhere
-- in it. The losers' rows are not exported.
create or replace table losers as
with good as (
    select record_no, record_id, is_delete from records anti join failed using (record_no)
),
latest as (
    select record_id, max(record_no) as record_no, bool_or(is_delete) as is_deleted
    from good
    group by record_id
)
select good.record_no
from good join latest using (record_id)
where latest.is_deleted or good.record_no < latest.record_no
union all
select record_no from failed;
