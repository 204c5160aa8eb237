-- Purpose: which reference a dataset looks things up in, and where its files are.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: reference_files, of which the version that was made last is the one in use; a run may be of the kind reference.
alter table :"ledger".runs drop constraint runs_kind_check;
alter table :"ledger".runs add constraint runs_kind_check
    check (kind in ('run', 'reprocess', 'retry', 'adopt', 'backfill', 'purge', 'reference'));

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
