-- Purpose: does a staging table still hold what was loaded into it? A server that crashes empties unlogged tables.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after staged_lock
-- Inputs:  :"staging".:"table".
-- Outputs: the number of its rows.
select count(*) from :"staging".:"table";
