-- Purpose: clean a job's sample and compare it with the truth, in a transaction that is rolled back.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/test.pg.sql

-- part: truth_table  (script, inside the transaction)
-- Purpose: create a table for a truth from a file, with columns of the clean table.
-- Inputs:  :"schema", :"table", :columns.
-- Outputs: pg_temp.merganser_truth.
create temporary table merganser_truth on commit drop as
select :columns from :"schema".:"table" limit 0;

-- part: truth_copy  (script, after truth_table)
-- Purpose: load the truth. A quoted empty text is a text; without quotes it is NULL.
-- Inputs:  :columns.
-- Outputs: the rows that the client sends, in the table.
copy pg_temp.merganser_truth (:columns) from stdin (format csv, header true);

-- part: cells  (script)
-- Purpose: read the cells of a table as text.
-- Inputs:  :"schema", :"table", :texts.
-- Outputs: a row each, ordered by all of its cells.
select :texts from :"schema".:"table" order by :texts;
