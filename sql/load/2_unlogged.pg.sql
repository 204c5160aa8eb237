-- Purpose: spare the write-ahead log what can be loaded again.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"staging".:"table", empty.
-- Outputs: the same table, unlogged.
alter table :"staging".:"table" set unlogged;
