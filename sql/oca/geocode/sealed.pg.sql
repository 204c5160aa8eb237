-- Purpose: which cases are sealed: their addresses leave the house no more.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  :"schema" of production, with its tables; $1, identities of cases.
-- Outputs: those of them that are deleted.
select indexnumberid
from :"schema".oca_metadata
where deletedate is not null and indexnumberid = any ($1::text[]);
