-- Purpose: nobody may be at work on a ledger whose tables are about to be renamed under his statements.
-- Engine:  PostgreSQL 14 and later; a statement (prepare), inside the transaction of the migrations
-- Inputs:  $1 what the name of each dataset's lock begins with (see lock.pg.sql); :"ledger".
-- Outputs: the datasets whose lock somebody holds; the locks of the others are taken until the end of the transaction.
select dataset
from (select distinct dataset from :"ledger".runs order by dataset) as known
where not pg_try_advisory_xact_lock(hashtextextended($1 || dataset, 0));
