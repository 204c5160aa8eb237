-- Purpose: the key of the rates.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".rates
-- Outputs: the key.
alter table :"schema".rates add primary key (code);
