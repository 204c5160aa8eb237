-- Purpose: the list of applied migrations.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger", an existing schema.
-- Outputs: the table, if it is not there.

create table if not exists :"ledger".migrations (
    version integer primary key,
    name text not null,
    applied_by text not null,
    applied_at timestamptz not null default clock_timestamp()
);
