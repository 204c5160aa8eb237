-- Purpose: enter a file of a reference that is in the store; its version is in use from now on.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 version, $3 name, $4 object, $5 sha256, $6 size, $7 rows, $8 run_id; :"ledger".
-- Outputs: one row of reference_files.
insert into :"ledger".reference_files (dataset, version, name, object, sha256, size_bytes, rows, run_id)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (dataset, version, name) do update set
    object = excluded.object,
    sha256 = excluded.sha256,
    size_bytes = excluded.size_bytes,
    rows = excluded.rows,
    run_id = excluded.run_id,
    made_at = excluded.made_at;
