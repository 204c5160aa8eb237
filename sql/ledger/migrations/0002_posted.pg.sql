-- Purpose: when was a file last changed where it came from? One of the same name and size and another time may have
--          been posted again, and is compared.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: files.modified_at; null: not known, which counts as the same.
alter table :"ledger".files add column modified_at timestamptz;
