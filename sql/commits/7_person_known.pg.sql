-- Purpose: which addresses does a person have?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 the hash of an address, or what git_identities calls the person; :"schema".git_identities.
-- Outputs: hashes of addresses.
select distinct email_hash
from :"schema".git_identities
where email_hash <> ''
    and (
        email_hash = $1::text
        or person = $1::text
        -- Whom somebody has put together is one person.
        or person in (select person from :"schema".git_identities where email_hash = $1::text)
    )
order by email_hash;
