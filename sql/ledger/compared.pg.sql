-- Purpose: a file that was posted again was compared, and is the one that is known.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 part_id of the posting that is known, $2 when the file was last changed at its source, as
--          text; :"ledger".
-- Outputs: the time is entered: the next run need not fetch it to compare.
update :"ledger".parts set modified_at = $2::text::timestamptz where part_id = $1;
