-- Purpose: the tables that the local staging store of a run has for every dataset.
-- Engine:  DuckDB
-- Inputs:  none; rows are appended to these tables, the columns in this order.
-- Outputs: files, records, failed.
-- A record number is file_no << 32 | position in the document, and files are numbered in the order
-- in which they count, so a higher number is a later word on the same record.

create table files (
    file_no bigint primary key,
    part_id bigint not null,
    as_of varchar,
    order_key varchar not null
);

-- One row for each good record, live or delete.
create table records (
    record_no bigint not null,
    record_id varchar not null,
    is_delete boolean not null,
    -- Of a delete: data stood beside it, and is not loaded.
    has_data boolean not null,
    offset_bytes bigint not null
);

-- What could not be loaded, and why. A record number that is not in records: the parser refused it.
create table failed (
    record_no bigint not null,
    record_id varchar,
    offset_bytes bigint not null,
    table_name varchar,
    field varchar,
    value varchar,
    reason varchar not null,
    fragment varchar
);
