-- Purpose: what a run found when it promoted is kept for a while, so that it can be taken back.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: undo_batches, undo_images, undo_records, undo_slices and undo_ledger; a run may be of the kind undo, a part and a failed
--          record may be undone. The rows themselves are in tables that a promotion makes (sql/undo/images.pg.sql).
alter table :"ledger".runs drop constraint runs_kind_check;
alter table :"ledger".runs add constraint runs_kind_check
    check (kind in ('run', 'reprocess', 'retry', 'adopt', 'backfill', 'purge', 'reference', 'undo'));

alter table :"ledger".parts drop constraint parts_status_check;
alter table :"ledger".parts add constraint parts_status_check check (status in (
    'pending', 'done', 'done_with_failures', 'incomplete', 'failed', 'retried', 'archived', 'undone'
));
-- What it was before it was undone; null: it is not undone.
alter table :"ledger".parts add column undone_from text;

alter table :"ledger".failed_records drop constraint failed_records_resolution_check;
alter table :"ledger".failed_records add constraint failed_records_resolution_check
    check (resolution in ('loaded', 'superseded', 'deleted', 'failed_again', 'undone'));

-- Every batch that was committed; a later one has a larger number.
create table :"ledger".undo_batches (
    undo_no bigint generated always as identity primary key,
    run_id uuid not null references :"ledger".runs on delete cascade,
    batch integer not null,
    dataset text not null,
    target_schema text not null,
    promoted_at timestamptz not null default now(),
    -- Null: no before-image was kept.
    kept_until timestamptz,
    undone_by uuid references :"ledger".runs on delete set null,
    unique (run_id, batch)
);

-- The tables that hold before-images. One is of the columns that its table had when it was made.
create table :"ledger".undo_images (
    image_no bigint generated always as identity primary key,
    dataset text not null,
    target_schema text not null,
    table_name text not null,
    image text not null unique,
    made_at timestamptz not null default now()
);

-- The records that a batch changed or made new. Of rows, of what is kept beside them, and of the origin: null, not touched;
-- true, it was there before; false, it is new. Of a number of undo_batches, which no constraint asks for: to check it for each row
-- takes three times as long as to write the row.
create table :"ledger".undo_records (
    undo_no bigint not null,
    record_id text not null,
    had_rows boolean,
    had_kept boolean,
    had_origin boolean,
    part_id bigint,
    ordinal bigint,
    loaded_at timestamptz
);
-- Records are looked for only where something was there before.
create index on :"ledger".undo_records (record_id) where had_rows or had_kept or had_origin;
create index on :"ledger".undo_records using brin (undo_no);
-- It has no key, and where all tables are published, the server asks for one.
alter table :"ledger".undo_records replica identity full;

-- Slices of which a batch changed the origin. No part_id: there was none before.
create table :"ledger".undo_slices (
    undo_no bigint not null references :"ledger".undo_batches on delete cascade,
    slice text not null,
    part_id bigint,
    loaded_at timestamptz,
    primary key (undo_no, slice)
);

-- Rows of the ledger that an undo changed, as they were.
create table :"ledger".undo_ledger (
    undo_no bigint not null references :"ledger".undo_batches on delete cascade,
    table_name text not null,
    row_id bigint not null,
    content jsonb not null,
    primary key (undo_no, table_name, row_id)
);
