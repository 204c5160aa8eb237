-- Purpose: which commits do kept commits of a repository name as parents, without being kept?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 repository_id; :"schema".git_parents and git_commits.
-- Outputs: their SHAs.
select distinct parent.parent_sha
from :"schema".git_parents as parent
where parent.repository_id = $1::bigint
    -- By the key: of a repository that the statistics do not know yet, a join by SHA would compare all with all.
    and not exists (
        select from :"schema".git_commits as known
        where known.record_id = parent.repository_id || ':' || parent.parent_sha
    );
