-- Purpose: the staging table with one row for each good record of the batch, live or delete.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"staging".:"table".
-- Outputs: the table.
create unlogged table :"staging".:"table" (
    record_id text not null,
    part_id bigint not null,
    -- Null: the part tells of no day.
    as_of date,
    order_key text not null,
    ordinal bigint not null,
    -- Its first byte in the document: for the ledger, should the database refuse it.
    offset_bytes bigint not null,
    is_delete boolean not null,
    -- Of a delete: data stood beside it, and is not loaded.
    has_data boolean not null,
    -- The last word of the batch on a record that it does not delete; only winners have rows in other tables.
    is_winner boolean not null
);
