-- Purpose: a run begins.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 dataset, $3 target schema, $4 kind, $5 dry run, $6 options, $7 versions, $8 host;
--          :"ledger".
-- Outputs: one row of runs.
insert into :"ledger".runs (run_id, dataset, target_schema, kind, dry_run, options, versions, host)
values (
    $1, $2, $3, $4, $5, $6,
    $7::jsonb || jsonb_build_object('postgresql', current_setting('server_version')),
    $8
);
