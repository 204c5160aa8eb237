-- Purpose: enter files that were processed before the ledger was there.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 where they are, $3 a JSON array of files, as text; :"ledger".
-- Outputs: rows of parts, done, without counts; the names of those that were not known before. A file that a
--          run has taken up is known, whatever became of it; a dry run takes up nothing.
insert into :"ledger".parts (run_id, batch, name, source, size_bytes, as_of, order_key, status)
select run.run_id, 0, file.name, $2, file.size_bytes, file.as_of, file.order_key, 'done'
from jsonb_to_recordset($3::text::jsonb) as file (name text, size_bytes bigint, as_of date, order_key text)
    join :"ledger".runs as run on run.run_id = $1
where not exists (
    select
    from :"ledger".parts as known join :"ledger".runs as known_run on known_run.run_id = known.run_id
    where known.name = file.name
        and known_run.dataset = run.dataset
        and known_run.target_schema = run.target_schema
        and not known_run.dry_run
)
order by file.order_key collate "C", file.name collate "C"
returning name;
