-- Purpose: keep what older editions answered, so that it is recognised in production where it is not true any more.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: answers.earlier, a JSON array of the different answers before this one, of older editions of the same way.
alter table :"ledger".answers add column earlier jsonb not null default '[]';
