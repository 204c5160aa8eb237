-- Purpose: how many rows a table has before anything is changed.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"schema".:"table"; :remembered, what the ledger says (ledger/remembered.pg.sql), or null.
-- Outputs: one row: rows. Counting millions of rows for every weekly file would make it as slow as the table is large, so
--          the ledger's number is taken where there is one.
select case
    -- Made anew, or emptied by hand.
    when not exists (select from :"schema".:"table") then 0
    else coalesce(:remembered, (select count(*) from :"schema".:"table"))
end::bigint as rows;
