-- Purpose: where a record is that the database refuses.
-- Engine:  PostgreSQL 14 and later; a statement (prepare), inside the transaction of the probe
-- Inputs:  $1 position; pg_temp.numbered.
-- Outputs: one row: record_id, part_id, ordinal, offset_bytes, is_winner.
select record_id, part_id, ordinal, offset_bytes, is_winner from pg_temp.numbered where position = $1;
