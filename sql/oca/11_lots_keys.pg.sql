-- Purpose: the key of the lots.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema", with oca_lots, just made.
-- Outputs: the key.
alter table :"schema".oca_lots add primary key (bbl);
