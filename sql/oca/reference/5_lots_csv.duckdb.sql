-- Purpose: the lots for the database.
-- Engine:  DuckDB
-- Inputs:  lots of 3_lots; :'csv', the file to write.
-- Outputs: the CSV, with a header row and the columns of oca_lots in their order.
copy (
    select bbl, unitsres, cd, council, bct2020, bctcb2020, ct2010, cb2010 from lots order by bbl
) to :'csv' (format csv, header true);
