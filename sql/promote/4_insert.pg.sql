-- Purpose: put the staged rows into a child table.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"schema".:"table", :"staging".:"table", :columns; only rows that are to be loaded are left.
-- Outputs: the child table.

insert into :"schema".:"table" (:columns)
select :columns from :"staging".:"table";
