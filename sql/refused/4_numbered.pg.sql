-- Purpose: number the identities of a batch in the order in which they count.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the probe, which is always rolled back
-- Inputs:  :"staging".:"records".
-- Outputs: pg_temp.numbered, one row each with the place of its last record: position from 1, record_id, part_id,
--          ordinal, offset_bytes, is_winner (false: it is deleted).

create temp table numbered on commit drop as
with latest as (
    select distinct on (record_id) record_id, part_id, ordinal, offset_bytes, is_winner
    from :"staging".:"records"
    order by record_id, part_id desc, ordinal desc
)
select row_number() over (order by part_id, ordinal) as position, latest.*
from latest;

create unique index on pg_temp.numbered (position);
create unique index on pg_temp.numbered (record_id);
analyze pg_temp.numbered;
