-- Purpose: remove a staging table of this or of a dead run.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"staging".:"table".
-- Outputs: none.
drop table if exists :"staging".:"table";
