-- Purpose: give failed records without an identity the one that was read this time.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, before the merge is planned
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
