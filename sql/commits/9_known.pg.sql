-- Purpose: which of these commits of a repository are kept?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 repository_id, $2 SHAs; :"schema".git_commits.
-- Outputs: the SHAs of those that are, and whether each is without a mark.
select sha, unreachable_since_run is null as is_unmarked
from :"schema".git_commits
where record_id = any (select $1::bigint || ':' || wanted.sha from unnest($2::text[]) as wanted (sha));
