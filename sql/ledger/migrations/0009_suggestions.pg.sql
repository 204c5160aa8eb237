-- Purpose: of a failed record, what may have been meant.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".failed_records.
-- Outputs: its column suggestion.
alter table :"ledger".failed_records add column suggestion text;
