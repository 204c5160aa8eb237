-- Purpose: the run that a person means.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 a run_id, its beginning or its end, or `last`; $2 a run that is not meant, or null;
--          :"ledger".
-- Outputs: the run_ids that fit, the newest first; three say that it fits too many.
select run_id
from :"ledger".runs
where ($1 = 'last' or starts_with(run_id::text, lower($1)) or right(run_id::text, length($1)) = lower($1))
    and run_id is distinct from $2
order by started_at desc
limit case when $1 = 'last' then 1 else 3 end;
