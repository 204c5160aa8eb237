-- Purpose: note a migration.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 its number, $2 its name, $3 the version of the program; :"ledger".
-- Outputs: one row of migrations.
insert into :"ledger".migrations (version, name, applied_by) values ($1, $2, $3);
