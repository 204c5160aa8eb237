-- Purpose: drop a view of which the columns are others now, to make it anew.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"schema".:"table", a view.
-- Outputs: none; an error if something depends on it.
drop view :"schema".:"table";
