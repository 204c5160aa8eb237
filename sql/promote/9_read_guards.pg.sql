-- Purpose: what the guards of a batch found.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 batch; :"ledger".
-- Outputs: one row for each guard and subject.
select name, subject, threshold, found, passed, allowed_by
from :"ledger".guards
where run_id = $1 and batch = $2
order by name, subject;
