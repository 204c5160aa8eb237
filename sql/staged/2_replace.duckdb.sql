-- Purpose: decide which records of a replacement are exported: those of the newest file, whose word on each counts that is the
--          last.
-- Engine:  DuckDB
-- Inputs:  files, records, failed.
-- Outputs: losers, the records whose rows are not exported.
create or replace table losers as
with good as (
    select record_no, record_id from records anti join failed using (record_no)
),
latest as (
    select record_id, max(record_no) as record_no from good group by record_id
)
select good.record_no
from good join latest using (record_id)
where good.record_no < latest.record_no or good.record_no >> 32 < (select max(file_no) from files)
union all
select record_no from failed;
