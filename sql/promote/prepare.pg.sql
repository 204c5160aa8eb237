-- Purpose: before the merge: is everything staged, and how many rows are there?
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/promote/prepare.pg.sql

-- part: staged_lock  (script)
-- Purpose: from here on nobody else writes to a staging table.
-- Inputs:  :"staging".:"table".
-- Outputs: the lock, until the end of the transaction; readers do not notice it.
lock table :"staging".:"table" in share row exclusive mode;

-- part: staged_count  (script, after staged_lock)
-- Purpose: does a staging table still hold what was loaded into it? A server that crashes empties unlogged tables.
-- Inputs:  :"staging".:"table".
-- Outputs: the number of its rows.
select count(*) from :"staging".:"table";

-- part: before  (script)
-- Purpose: how many rows a table has before anything is changed.
-- Inputs:  :"schema".:"table"; :remembered, what the ledger says (remembered in ledger/changes.pg.sql), or null.
-- Outputs: one row: rows. Counting millions of rows for every weekly file would make it as slow as the table is large, so
--          the ledger's number is taken where there is one.
select case
    -- Made anew, or emptied by hand.
    when not exists (select from :"schema".:"table") then 0
    else coalesce(:remembered, (select count(*) from :"schema".:"table"))
end::bigint as rows;

-- part: identify  (script, before the merge is planned)
-- Purpose: give failed records without an identity the one that was read this time.
-- Inputs:  :'dataset', :'schema', :"staging".:"records"; :"ledger".
-- Outputs: record_id of rows of :"ledger".failed_records. Such a record is known by its place in the
--          same bytes: from now on it is settled, and cleared when it is deleted, like any other.
update :"ledger".failed_records as failed
set record_id = record.record_id
from :"ledger".parts as failed_file, :"ledger".runs as failed_run,
    :"ledger".parts as good_file, :"staging".:"records" as record
where failed.record_id is null
    and failed.ordinal > 0
    and failed_file.part_id = failed.part_id
    and failed_run.run_id = failed.run_id
    and failed_run.dataset = :'dataset'
    and failed_run.target_schema = :'schema'
    and good_file.part_id = record.part_id
    and good_file.name = failed_file.name
    and good_file.sha256 = failed_file.sha256
    and record.ordinal = failed.ordinal;
