-- Purpose: keep the hash of a name under the user's key, in the place of the plain one of an earlier program: of a plain one anybody can
--          find out the name who has a list of names.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 plain hashes, $2 those in their place; :"schema".git_removed_people.
-- Outputs: one row: how many plain ones went, and how many of the others are there.
with gone as (
    delete from :"schema".git_removed_people
    where email_hash = any ($1::text[])
    returning 1
),
added as (
    insert into :"schema".git_removed_people (email_hash)
    select distinct wanted.email_hash
    from unnest($2::text[]) as wanted (email_hash)
    where not exists (
        select from :"schema".git_removed_people as known where known.email_hash = wanted.email_hash
    )
    returning 1
)
select
    (select count(*) from gone) as gone,
    (select count(*) from added)
        + (select count(*) from :"schema".git_removed_people where email_hash = any ($2::text[])) as there;
