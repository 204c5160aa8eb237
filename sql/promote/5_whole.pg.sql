-- Purpose: the change of a derived table that was made as a whole, for the ledger.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :'table'; :inserted, its rows; :rows_before (none); :"ledger", :'run_id', :batch.
-- Outputs: one row of :"ledger".table_changes.
insert into :"ledger".table_changes (
    run_id, batch, table_name, rows_before, inserted, replaced, deleted, rows_after
)
values (:'run_id', :batch, :'table', :rows_before, :inserted, 0, 0, :rows_before + :inserted);
