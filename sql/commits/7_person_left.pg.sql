-- Purpose: prove that the tables do not know a person any more.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 hashes of the person's addresses, $2 names of the person, which count where they stand without an address;
--          :"schema" with the tables.
-- Outputs: table_name and rows that are left; none is a pass.
select table_name, rows
from (
    select 'git_commits' as table_name, count(*) as rows
    from :"schema".git_commits
    where author_email_hash = any ($1::text[])
        or committer_email_hash = any ($1::text[])
        or author_email_hash is null and author_name = any ($2::text[])
        or committer_email_hash is null and committer_name = any ($2::text[])
    union all
    select 'git_trailers', count(*)
    from :"schema".git_trailers
    where person_email_hash = any ($1::text[])
        or person_email_hash is null and coalesce(person_name, value) = any ($2::text[])
    union all
    select 'git_identities', count(*)
    from :"schema".git_identities
    where email_hash = any ($1::text[]) or email_hash = '' and name = any ($2::text[])
) as found
where rows > 0
order by table_name;
