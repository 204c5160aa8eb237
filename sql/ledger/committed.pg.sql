-- Purpose: the connection broke while COMMIT was under way: what happened?
-- Engine:  PostgreSQL 14 and later; a statement (prepare), after lock_promotion
-- Inputs:  $1 run_id, $2 batch; :"ledger".
-- Outputs: true if the batch was committed.
select exists (
    select from :"ledger".steps
    where run_id = $1 and batch = $2 and step = 'promote' and status = 'completed'
);
