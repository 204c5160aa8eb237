-- Purpose: the reference that is in use.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset; :"ledger".
-- Outputs: version, name, object, sha256, rows and size_bytes of each of its files; no row if there is no reference.
select version, name, object, sha256, rows, size_bytes
from :"ledger".reference_files
where dataset = $1
    and version = (
        select version
        from :"ledger".reference_files
        where dataset = $1
        order by made_at desc, version desc
        limit 1
    )
order by name;
