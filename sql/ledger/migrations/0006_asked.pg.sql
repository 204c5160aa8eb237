-- Purpose: parts that are answers to what was asked, and what a run that was cut off had asked so far.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: parts: what was asked for, how many records that has, how many records are there twice; archived: it is in the
--          archive, and no run has taken it up. plans: what was counted and fetched, until the run that asks has committed.
alter table :"ledger".parts add column slice jsonb;
alter table :"ledger".parts add column expected_records bigint;
alter table :"ledger".parts add column records_duplicated bigint;
alter table :"ledger".parts drop constraint parts_status_check;
alter table :"ledger".parts add constraint parts_status_check check (status in (
    'pending', 'done', 'done_with_failures', 'incomplete', 'failed', 'retried', 'archived'
));

create table :"ledger".plans (
    dataset text not null,
    target_schema text not null,
    -- What the run asks for, and of whom.
    want text not null,
    state jsonb not null,
    run_id uuid references :"ledger".runs on delete set null,
    saved_at timestamptz not null default clock_timestamp(),
    primary key (dataset, target_schema, want)
);
