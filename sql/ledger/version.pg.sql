-- Purpose: the newest migration that was applied.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".migrations.
-- Outputs: its number; 0 for a new ledger.
select coalesce(max(version), 0) from :"ledger".migrations;
