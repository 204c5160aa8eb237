-- Purpose: the ledger: what ran, with which files, what it changed and what failed.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger", an existing schema.
-- Outputs: the manifest tables. Append-only: a later change is a later migration.

create table :"ledger".runs (
    run_id uuid primary key,
    dataset text not null,
    target_schema text not null,
    kind text not null check (kind in ('run', 'reprocess', 'retry', 'adopt', 'backfill', 'purge')),
    dry_run boolean not null default false,
    status text not null default 'running' check (status in (
        'running', 'completed', 'completed_with_failures', 'failed', 'interrupted', 'abandoned', 'rolled_back'
    )),
    options jsonb not null default '{}',
    versions jsonb not null default '{}',
    host text not null,
    db_user text not null default session_user,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    counts jsonb not null default '{}',
    error text,
    error_chain text[]
);
create index on :"ledger".runs (dataset, target_schema, started_at desc);

-- A run promotes its files in one or more batches, numbered from 1; batch 0 is the run as a whole.
create table :"ledger".steps (
    run_id uuid not null references :"ledger".runs on delete cascade,
    batch integer not null,
    step text not null,
    status text not null check (status in ('running', 'completed', 'failed', 'skipped')),
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    rows bigint,
    bytes bigint,
    details jsonb not null default '{}',
    primary key (run_id, batch, step)
);

create table :"ledger".files (
    file_id bigint generated always as identity primary key,
    run_id uuid not null references :"ledger".runs on delete cascade,
    batch integer not null,
    name text not null,
    source text not null,
    sha256 text,
    size_bytes bigint not null,
    run_date date not null,
    -- Sorts files by the order in which they count; the dataset makes it.
    order_key text not null,
    -- done: read to its end, its good records committed. incomplete: its document breaks off, what
    -- came before is committed. failed: nothing could be read. retried: only some of its records were
    -- read again. pending: not committed (yet).
    status text not null default 'pending' check (status in (
        'pending', 'done', 'done_with_failures', 'incomplete', 'failed', 'retried'
    )),
    -- seen = loaded + failed + superseded + deleted, once committed.
    records_seen bigint,
    records_loaded bigint,
    records_failed bigint,
    records_superseded bigint,
    records_deleted bigint,
    unknown_elements jsonb not null default '{}',
    error text,
    unique (run_id, name)
);
create index on :"ledger".files (name);

create table :"ledger".failed_records (
    failed_record_id bigint generated always as identity primary key,
    run_id uuid not null references :"ledger".runs on delete cascade,
    file_id bigint not null references :"ledger".files on delete cascade,
    record_id text,
    -- The record's place in the document: its number from 1 (0: outside any record), its first byte.
    ordinal bigint not null,
    offset_bytes bigint not null,
    table_name text,
    field text,
    value text,
    reason text not null,
    fragment text,
    failed_at timestamptz not null default clock_timestamp(),
    resolved_by uuid references :"ledger".runs on delete set null,
    resolved_at timestamptz,
    resolution text check (resolution in ('loaded', 'superseded', 'deleted', 'failed_again'))
);
create index on :"ledger".failed_records (run_id);
create index on :"ledger".failed_records (file_id);
create index on :"ledger".failed_records (record_id) where resolved_at is null;

-- rows_after = rows_before + inserted - deleted. A replaced row took the place of one of the same record.
create table :"ledger".table_changes (
    run_id uuid not null references :"ledger".runs on delete cascade,
    batch integer not null,
    table_name text not null,
    rows_before bigint not null,
    inserted bigint not null,
    replaced bigint not null,
    deleted bigint not null,
    rows_after bigint not null,
    primary key (run_id, batch, table_name)
);

create table :"ledger".guards (
    run_id uuid not null references :"ledger".runs on delete cascade,
    batch integer not null,
    name text not null,
    subject text not null default '',
    threshold text not null,
    found text not null,
    passed boolean not null,
    -- Who let a breach through: database user, user and host.
    allowed_by text,
    primary key (run_id, batch, name, subject)
);

-- Where each record in production came from. The file leads to the run.
create table :"ledger".record_origins (
    dataset text not null,
    target_schema text not null,
    record_id text not null,
    file_id bigint not null references :"ledger".files,
    ordinal bigint not null,
    loaded_at timestamptz not null default now(),
    primary key (dataset, target_schema, record_id)
);
