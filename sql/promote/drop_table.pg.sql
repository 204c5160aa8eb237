-- Purpose: drop a derived table of which the columns are others now, to make it anew.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"schema".:"table".
-- Outputs: none; an error if something depends on it.
drop table :"schema".:"table";
