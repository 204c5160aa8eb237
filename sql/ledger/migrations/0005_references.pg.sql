-- Purpose: which reference a dataset looks things up in, and where its files are.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: reference_files. The version that was made last is the one in use.
create table :"ledger".reference_files (
    dataset text not null,
    version text not null,
    name text not null,
    object text not null,
    sha256 text not null,
    size_bytes bigint not null,
    rows bigint not null,
    run_id uuid references :"ledger".runs on delete set null,
    made_at timestamptz not null default now(),
    primary key (dataset, version, name)
);
