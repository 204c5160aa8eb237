-- Purpose: how many records of each file are good, how many failed.
-- Engine:  DuckDB
-- Inputs:  files, records, failed.
-- Outputs: file_no, good, failed.
with good as (
    select record_no >> 32 as file_no, count(*) as n
    from records
    where record_no not in (select record_no from failed)
    group by all
),
bad as (
    select record_no >> 32 as file_no, count(distinct record_no) as n from failed group by all
)
select file_no, coalesce(good.n, 0), coalesce(bad.n, 0)
from files left join good using (file_no) left join bad using (file_no)
order by file_no;
