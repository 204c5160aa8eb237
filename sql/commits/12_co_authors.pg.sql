-- Purpose: who wrote a commit together with its author, as its trailers say.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".git_trailers and git_identities; :"into", the schema that takes the view.
-- Outputs: the view git_co_authors: a row for each of them.
create or replace view :"into".git_co_authors as
select
    trailer.repository_id,
    trailer.sha,
    trailer.person_name as name,
    identity.person
from :"schema".git_trailers as trailer
    left join :"schema".git_identities as identity
        on identity.email_hash = coalesce(trailer.person_email_hash, '')
        and identity.name = coalesce(trailer.person_name, '')
where lower(trailer.token) = 'co-authored-by';
