-- Purpose: the fingerprint of a table: the same rows give the same number, in whatever order they are stored.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  :"schema".:"table".
-- Outputs: how many rows there are, and the sum of their checksums, as texts.
select count(*)::text, coalesce(sum(hashtextextended(counted::text, 0)), 0)::text
from :"schema".:"table" as counted;
