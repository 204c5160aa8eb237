-- Purpose: what a run of the demo changed, from the ledger.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :'run_id', :"ledger".parts and table_changes.
-- Outputs: one row: the parts of the run and the records in them; rows before, inserted, replaced, deleted and after.
with part as (
    select count(*) as parts, coalesce(sum(records_seen), 0)::bigint as records
    from :"ledger".parts
    where run_id = :'run_id'
),
change as (
    select
        min(rows_before) as rows_before,
        sum(inserted)::bigint as inserted,
        sum(replaced)::bigint as replaced,
        sum(deleted)::bigint as deleted
    from :"ledger".table_changes
    where run_id = :'run_id'
)
select
    part.parts,
    part.records,
    coalesce(change.rows_before, 0) as rows_before,
    coalesce(change.inserted, 0) as inserted,
    coalesce(change.replaced, 0) as replaced,
    coalesce(change.deleted, 0) as deleted,
    coalesce(change.rows_before + change.inserted - change.deleted, 0) as rows_after
from part cross join change;
