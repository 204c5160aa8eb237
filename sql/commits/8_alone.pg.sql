-- Purpose: which names stand without an address in the commits that a batch loads, where somebody was taken out by a name?
-- Engine:  PostgreSQL 14 and later; a statement (prepare), inside the transaction of the promotion, after the merge
-- Inputs:  none; :"schema" with the tables; pg_temp.completed: record_id of the commits that the batch loads.
-- Outputs: the names, each once. Whose they are is told by a hash under a key that the database does not have.
with named as (
    select author_name as name
    from :"schema".git_commits join pg_temp.completed using (record_id)
    where author_email_hash is null
    union all
    select committer_name
    from :"schema".git_commits join pg_temp.completed using (record_id)
    where committer_email_hash is null
    union all
    select coalesce(person_name, value)
    from :"schema".git_trailers join pg_temp.completed using (record_id)
    where person_email_hash is null
)
select distinct name
from named
where name <> ''
    and exists (select from :"schema".git_removed_people where email_hash like 'keyed-name %');
