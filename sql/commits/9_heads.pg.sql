-- Purpose: which heads does production have of a repository? They may come from a clone or from other branches since a host was last asked.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 repository_id; :"schema".git_repositories.
-- Outputs: their SHAs.
select unnest(head_shas) as sha
from :"schema".git_repositories
where record_id = ($1::bigint)::text;
