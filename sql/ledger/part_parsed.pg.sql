-- Purpose: what the parser and the checks found in a part.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 part_id, $2 status (pending, or failed: nothing of it can be used), $3 records seen, $4
--          records failed, $5 unknown elements, $6 error; :"ledger".
-- Outputs: its row of parts.
update :"ledger".parts
set status = $2, records_seen = $3, records_failed = $4, unknown = $5, error = $6
where part_id = $1;
