-- Purpose: some questions of an enrichment, in the order of their keys.
-- Engine:  DuckDB
-- Inputs:  :"table", all_questions or questions; :fields, a list of quoted columns; :'after', the last key that was read;
--          :limit.
-- Outputs: key and the fields.
select key, :fields
from :"table"
where key > :'after'
order by key
limit :limit;
