-- Purpose: what a table holds, in one number: the same rows give the same, in whatever order they lie.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  :"schema".:"table".
-- Outputs: how many rows there are, and the sum of their checksums, as texts.
select count(*)::text, coalesce(sum(hashtextextended(counted::text, 0)), 0)::text
from :"schema".:"table" as counted;
