-- Purpose: list the remains of deleted days: there are none.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  none.
-- Outputs: table_name and the number of rows left; always no row.
select null::text as table_name, 0::bigint as rows where false;
