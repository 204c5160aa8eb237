-- Purpose: create, fill and remove staging tables.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/load/load.pg.sql

-- part: drop  (script)
-- Purpose: remove a staging table of this or of a dead run.
-- Inputs:  :"staging".:"table".
-- Outputs: none.
drop table if exists :"staging".:"table";

-- part: records  (script)
-- Purpose: the staging table with one row for each good record of the batch, live or delete.
-- Inputs:  :"staging".:"table".
-- Outputs: the table.
create unlogged table :"staging".:"table" (
    record_id text not null,
    part_id bigint not null,
    -- Null: the part names no day.
    as_of date,
    order_key text not null,
    ordinal bigint not null,
    -- Its first byte in the document, for the ledger if the database refuses the record.
    offset_bytes bigint not null,
    is_delete boolean not null,
    -- The record is a delete that also has data, which is not loaded.
    has_data boolean not null,
    -- The batch's last record of an identity that it does not delete; only winners have rows in other tables.
    is_winner boolean not null
);

-- part: unlogged  (script)
-- Purpose: keep rows that can be loaded again out of the write-ahead log.
-- Inputs:  :"staging".:"table", empty.
-- Outputs: the same table, unlogged.
alter table :"staging".:"table" set unlogged;

-- part: copy  (script)
-- Purpose: load one staging CSV.
-- Inputs:  :"staging".:"table", :columns; the CSV on standard input.
-- Outputs: the rows.
copy :"staging".:"table" (:columns) from stdin with (format csv, header true)

-- part: analyze  (script)
-- Purpose: tell the planner what a table holds.
-- Inputs:  :"schema".:"table".
-- Outputs: statistics.
analyze :"schema".:"table";

-- part: analyze_staged  (script)
-- Purpose: tell the planner what a staging table holds: how many rows, and how often a value repeats. Reading the usual
--          sample of a wide table would take half as long as its load.
-- Inputs:  :"staging".:"table".
-- Outputs: statistics.
set default_statistics_target = 20;
analyze :"staging".:"table";
reset default_statistics_target;

-- part: known  (script)
-- Purpose: rows of production that the checks need.
-- Inputs:  :"schema".:"table", :columns.
-- Outputs: the CSV on standard output.
copy (select :columns from :"schema".:"table") to stdout with (format csv, header true)

-- part: has_rows  (script)
-- Purpose: does a table, or a slice of it, have rows?
-- Inputs:  :"schema".:"table"; :in_slices, which rows count, and pg_temp.slice_tests where it reads them.
-- Outputs: true or false.
select exists (select from :"schema".:"table" where :in_slices);
