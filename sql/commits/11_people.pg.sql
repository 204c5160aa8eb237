-- Purpose: the people behind the identities.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".git_identities; :"into", the schema that takes the view.
-- Outputs: the view git_people: a row a person, with the names it goes by.
create or replace view :"into".git_people as
select
    person,
    array_agg(distinct name order by name) filter (where name <> '') as names,
    bool_or(is_bot) as is_bot,
    count(*) as identities
from :"schema".git_identities
group by person;
