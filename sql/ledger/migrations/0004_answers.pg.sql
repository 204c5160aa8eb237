-- Purpose: the memory of enrichments: what was answered once is not asked again.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: answers. A key is a checksum of the question; an answer may be as private as the question is.
create table :"ledger".answers (
    dataset text not null,
    enrichment text not null,
    key text not null,
    -- Who answered, and in which edition.
    way text not null,
    version text not null,
    -- Without what is null.
    answer jsonb not null,
    run_id uuid references :"ledger".runs on delete set null,
    answered_at timestamptz not null default clock_timestamp(),
    primary key (dataset, enrichment, key, way)
);
comment on table :"ledger".answers is
'Private: answers to questions that were asked of production rows, such as where an address is.';
