-- Purpose: does git_repositories say of this batch's repositories what the plan says?
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, last: only if something stands on it that is
--          not ours
-- Inputs:  :"schema".git_repositories, pg_temp.told.
-- Outputs: one row a table with a difference: table_name; missing, repositories of which it does not say it; unexpected, none.
with missing as (
    select record_id, full_name, state, state_since, seen_at, head_shas, moved_from, moved_at, is_named_by_host
    from pg_temp.told
    except
    select record_id, full_name, state, state_since, seen_at, head_shas, moved_from, moved_at, is_named_by_host
    from :"schema".git_repositories
)
select 'git_repositories' as table_name, count(*) as missing, 0::bigint as unexpected
from missing
having count(*) > 0;
