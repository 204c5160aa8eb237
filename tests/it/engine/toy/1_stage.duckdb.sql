-- Purpose: the rates in the local staging store.
-- Engine:  DuckDB
-- Inputs:  none; the parser appends rows, the columns in this order.
-- Outputs: rates.
create table rates (record_no bigint not null, code varchar not null, title varchar, amount varchar);
