-- Purpose: the newest run date that production holds, for people who download the public files.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".oca_metadata, :"ledger".parts and runs.
-- Outputs: one row with one date, as text; null when there is nothing yet.

select greatest(
    (select max(updatedate) from :"schema".oca_metadata),
    (
        select max(as_of)
        from :"ledger".parts join :"ledger".runs using (run_id)
        where dataset = 'oca'
            and target_schema = :'schema'
            and parts.status in ('done', 'done_with_failures', 'incomplete')
    )
)::text as newest;
