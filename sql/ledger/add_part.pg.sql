-- Purpose: a part is taken up by a run.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 batch, $3 name, $4 source, $5 sha256 (null: it could not be fetched), $6 size, $7
--          the day of which it tells, as text, or null, $8 order key, $9 when it was last changed at its source, as text, or null; :"ledger".
-- Outputs: one row of parts; its part_id.
insert into :"ledger".parts (run_id, batch, name, source, sha256, size_bytes, as_of, order_key, modified_at)
values ($1, $2, $3, $4, $5, $6, $7::text::date, $8, $9::text::timestamptz)
returning part_id;
