-- Purpose: jobs that clean a table in partitions: their versions, partitions, groups and workers.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: transform_versions, transform_groups, transform_partitions, transform_workers; a run may be of the kind transform: the
--          version, which no process holds.
alter table :"ledger".runs drop constraint runs_kind_check;
alter table :"ledger".runs add constraint runs_kind_check check (kind in (
    'run', 'reprocess', 'retry', 'adopt', 'backfill', 'purge', 'reference', 'undo', 'transform'
));

create table :"ledger".transform_versions (
    version_id uuid primary key references :"ledger".runs on delete cascade,
    job text not null,
    -- Of the job's file and all that it names.
    hash text not null,
    -- open: being made. paused: the same, by somebody's wish. swapped: in place. superseded: another version was planned, or has
    -- taken the place. dropped: its table is gone.
    state text not null default 'open' check (state in ('open', 'paused', 'swapped', 'superseded', 'dropped')),
    source_table text not null,
    target_schema text not null,
    target_table text not null,
    -- The table that is filled: the target itself where it is cleaned in place.
    version_table text not null,
    is_in_place boolean not null,
    key_type text not null,
    plan jsonb not null,
    planned_at timestamptz not null default clock_timestamp(),
    swapped_at timestamptz,
    -- Where the version before this one is since then.
    old_table text
);
create unique index transform_versions_open on :"ledger".transform_versions (job) where state in ('open', 'paused');

-- What is claimed. Its rows change often: room is left in each page, so that no index has to follow.
create table :"ledger".transform_groups (
    version_id uuid not null references :"ledger".transform_versions on delete cascade,
    group_no integer not null,
    -- The order of claiming; what has failed goes behind all others.
    position bigint not null,
    status text not null default 'waiting' check (status in ('waiting', 'running', 'done', 'poison', 'split')),
    rows_planned bigint not null,
    -- Pages of the source, the last one excluded, where a giant partition was split.
    first_page bigint,
    end_page bigint,
    -- Counted at the claim. Whoever commits must have the newest token.
    attempts integer not null default 0,
    token bigint not null default 0,
    -- Of the attempts: those whose worker was lost, and those that ended in an error.
    losses integer not null default 0,
    failures integer not null default 0,
    worker_id uuid,
    claimed_at timestamptz,
    finished_at timestamptz,
    -- Its rows were committed once: they must go before others come.
    is_written boolean not null default false,
    bytes_in bigint,
    read_ms bigint,
    clean_ms bigint,
    write_ms bigint,
    peak_memory_bytes bigint,
    error text,
    primary key (version_id, group_no)
) with (fillfactor = 60);
create index transform_groups_waiting on :"ledger".transform_groups (version_id, position) where status = 'waiting';
create index transform_groups_running on :"ledger".transform_groups (version_id, worker_id) where status = 'running';

-- A partition, or a part of a giant one.
create table :"ledger".transform_partitions (
    version_id uuid not null references :"ledger".transform_versions on delete cascade,
    partition_no integer not null,
    part_no integer not null default 0,
    -- As text; null is a key, too.
    key text,
    group_no integer not null,
    rows_planned bigint not null,
    rows_in bigint,
    rows_out bigint,
    -- Of the rows that were read: the sum of the transactions that wrote them. Any row that is put in, changed or taken out changes
    -- it, or the number of rows.
    fingerprint text,
    primary key (version_id, partition_no, part_no)
) with (fillfactor = 80);
create index transform_partitions_group on :"ledger".transform_partitions (version_id, group_no);

create table :"ledger".transform_workers (
    worker_id uuid primary key,
    version_id uuid not null references :"ledger".transform_versions on delete cascade,
    host text not null,
    process_id integer not null,
    program text not null,
    lease_seconds integer not null,
    started_at timestamptz not null default clock_timestamp(),
    lease_until timestamptz not null,
    ended_at timestamptz,
    -- The session that writes, and the one that swaps: they are ended when the lease is over.
    session_id integer,
    session_begin text,
    second_id integer,
    second_begin text
) with (fillfactor = 50);
create index transform_workers_version on :"ledger".transform_workers (version_id);
