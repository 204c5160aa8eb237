-- Purpose: what stands in the way of a foreign key?
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".:"table" and :"schema".:"parent", :columns, the columns of the key, of the same names in both.
-- Outputs: one row: the rows whose parent is not there.
with parent as (
    select :columns, true as is_there from :"schema".:"parent"
)
select count(*) as orphans
from :"schema".:"table" as child left join parent using (:columns)
where (:columns) is not null and is_there is null;
