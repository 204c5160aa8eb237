-- Purpose: find what the parser, which sees one case at a time, cannot: a number that two cases share.
-- Engine:  DuckDB
-- Inputs:  the staging tables.
-- Outputs: the offending records, added to failed; none: passed. A case that is named there is not loaded.

-- Appearance numbers are unique in the whole table (rule 8). The later case fails.
insert into failed by name
with offending as (
    select appearanceid, max(record_no) as record_no
    from oca_appearances
    group by appearanceid
    having count(distinct indexnumberid) > 1
)
select
    offending.record_no,
    records.record_id,
    records.offset_bytes,
    'oca_appearances' as table_name,
    'Appearances/Appearance' as field,
    offending.appearanceid::varchar as value,
    'the appearance number belongs to another case' as reason,
    null as fragment
from offending join records using (record_no)
order by record_no;
