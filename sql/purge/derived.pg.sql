-- Purpose: take out of a derived table what is left of records that are gone.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the purge, after the dataset's own
-- Inputs:  :"schema".:"table", a derived table; :"schema".:"parent", the table of the records; :"key" of both.
-- Outputs: the table, with rows of records alone; a row of pg_temp.purged.
with gone as (
    delete from :"schema".:"table" as derived
    where not exists (select from :"schema".:"parent" as parent where parent.:"key" = derived.:"key")
    returning 1
)
insert into pg_temp.purged (table_name, rows)
select :'table', count(*) from gone;
