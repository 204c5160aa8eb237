-- Purpose: the addresses in staged rows that can be checked.
-- Engine:  DuckDB
-- Inputs:  :"view", made by the dataset.
-- Outputs: url, each once.
select distinct url from :"view" order by url;
