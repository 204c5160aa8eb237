-- Purpose: a raw table that lies in another order than its key is read once, by ranges of pages, into buckets in the store.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: transform_bucket_files; versions know their buckets, and groups whether they are a range of pages or partitions.
alter table :"ledger".transform_versions
    -- How many buckets the rows are read into; null: none, and partitions are read by their key.
    add column buckets integer,
    -- Where the buckets are; null: there are none, or they have been removed.
    add column bucket_store text,
    -- They stay when the version is in place, for other programs.
    add column keeps_buckets boolean not null default false,
    -- When all ranges were in the buckets: partitions are claimed from then on.
    add column filled_at timestamptz;

alter table :"ledger".transform_groups
    add column kind text not null default 'partitions' check (kind in ('partitions', 'range')),
    -- The bucket that the group's partitions are read from; null: they are read by their key.
    add column bucket_no integer,
    -- Of a range: rows that could not be put into a bucket, because a value of theirs cannot be read.
    add column rows_skipped bigint;
drop index :"ledger".transform_groups_waiting;
create index transform_groups_waiting on :"ledger".transform_groups (version_id, kind, position) where status = 'waiting';
create index transform_groups_bucket on :"ledger".transform_groups (version_id, bucket_no, position)
    where status = 'waiting' and bucket_no is not null;

-- The files that count: each was written under one claim of its range, and entered with the range's end.
create table :"ledger".transform_bucket_files (
    version_id uuid not null references :"ledger".transform_versions on delete cascade,
    bucket_no integer not null,
    -- The range, and the token of the claim that the file was written under.
    group_no integer not null,
    token bigint not null,
    rows bigint not null,
    size_bytes bigint not null,
    sha256 text not null,
    primary key (version_id, bucket_no, group_no)
);
