-- Purpose: a job's sample, cleaned, held against its truth; all of it in a transaction that is rolled back.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/test.pg.sql

-- part: truth_table  (script, inside the transaction)
-- Purpose: a table for a truth that is in a file: columns of the clean table.
-- Inputs:  :"schema", :"table", :columns.
-- Outputs: pg_temp.merganser_truth.
create temporary table merganser_truth on commit drop as
select :columns from :"schema".:"table" limit 0;

-- part: truth_copy  (script, after truth_table)
-- Purpose: the truth. An empty text in quotes is a text; without them it is NULL.
-- Inputs:  :columns.
-- Outputs: what the client sends.
copy pg_temp.merganser_truth (:columns) from stdin (format csv, header true);

-- part: cells  (script)
-- Purpose: the cells of a table, as texts.
-- Inputs:  :"schema", :"table", :texts.
-- Outputs: a row each, in the order of its cells.
select :texts from :"schema".:"table" order by :texts;
