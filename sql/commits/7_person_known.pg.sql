-- Purpose: which addresses does a person have, and which names?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 the hash of an address, or what git_identities calls the person; :"schema".git_identities.
-- Outputs: a row for each identity: the hash of its address and its name, each an empty text where there is none; and whether somebody
--          with another address has the name too. A name without letters or digits (an address that was left out) counts as none.
with identity as (
    select email_hash, name
    from :"schema".git_identities
    where email_hash = $1::text
        or person = $1::text
        -- Whom somebody has put together is one person.
        or person in (select person from :"schema".git_identities where email_hash = $1::text)
)
select
    email_hash,
    case when translate(name, '… .,;-_<>()[]', '') = '' then '' else name end as name,
    exists (
        select
        from :"schema".git_identities as other
        where other.name = identity.name
            and other.email_hash <> ''
            and other.email_hash not in (select email_hash from identity)
    ) as is_shared
from identity
order by email_hash, name;
