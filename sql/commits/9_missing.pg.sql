-- Purpose: which commits do kept commits of a repository name as parents, without being kept?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 repository_id; :"schema".git_parents and git_commits.
-- Outputs: their SHAs.
select distinct parent.parent_sha
from :"schema".git_parents as parent
    left join :"schema".git_commits as known
        on known.repository_id = parent.repository_id and known.sha = parent.parent_sha
where parent.repository_id = $1::bigint and known.sha is null;
