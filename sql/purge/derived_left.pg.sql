-- Purpose: prove that a derived table holds nothing of records that are gone.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the purge
-- Inputs:  :"schema".:"table", a derived table; :"schema".:"parent", the table of the records; :"key" of both.
-- Outputs: table_name and rows that are left; none is a pass.
select :'table' as table_name, count(*) as rows
from :"schema".:"table" as derived
where not exists (select from :"schema".:"parent" as parent where parent.:"key" = derived.:"key")
having count(*) > 0;
