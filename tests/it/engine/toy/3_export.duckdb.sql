-- Purpose: write the rates as CSV for PostgreSQL.
-- Engine:  DuckDB
-- Inputs:  rates, losers; :'dir', the folder that takes the file.
-- Outputs: rates.csv, with a header row.
copy (
    select code, title, amount from rates where record_no not in (select record_no from losers) order by record_no
) to (:'dir' || '/rates.csv') (format csv, header, nullstr '');
