-- Purpose: the ledger speaks of parts: what a run takes in from its source in one piece. A file is one kind of part.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: parts in the place of files, known by part_id, as_of (the day of which it tells, if it says so) in the place of
--          run_date, unknown in that of unknown_elements; slice_origins, which part a replaced slice of production is what it says. Names alone change: no table
--          is written anew.
alter table :"ledger".files rename to parts;
alter table :"ledger".parts rename column file_id to part_id;
alter table :"ledger".parts rename column run_date to as_of;
alter table :"ledger".parts alter column as_of drop not null;
alter table :"ledger".parts rename column unknown_elements to unknown;
alter table :"ledger".failed_records rename column file_id to part_id;
alter table :"ledger".record_origins rename column file_id to part_id;

alter index :"ledger".files_pkey rename to parts_pkey;
alter index :"ledger".files_name_idx rename to parts_name_idx;
alter index :"ledger".files_run_id_name_key rename to parts_run_id_name_key;
alter index :"ledger".failed_records_file_id_idx rename to failed_records_part_id_idx;
alter sequence :"ledger".files_file_id_seq rename to parts_part_id_seq;
alter table :"ledger".parts rename constraint files_run_id_fkey to parts_run_id_fkey;
alter table :"ledger".parts rename constraint files_status_check to parts_status_check;
alter table :"ledger".failed_records rename constraint failed_records_file_id_fkey to failed_records_part_id_fkey;
alter table :"ledger".record_origins rename constraint record_origins_file_id_fkey to record_origins_part_id_fkey;

-- Of a table that each part replaces: the part that it is what it says. The slice '' is the whole table.
create table :"ledger".slice_origins (
    dataset text not null,
    target_schema text not null,
    slice text not null,
    part_id bigint not null references :"ledger".parts,
    loaded_at timestamptz not null default now(),
    primary key (dataset, target_schema, slice)
);
