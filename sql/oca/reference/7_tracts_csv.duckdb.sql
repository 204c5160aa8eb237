-- Purpose: the tracts for the database.
-- Engine:  DuckDB
-- Inputs:  tracts of 6_tracts; :'csv', the file to write.
-- Outputs: the CSV, with a header row and the columns of filling in 8_tracts_rows.
copy (
    select geoid, geoid[3:5] as countyfp, geometry as geom from tracts order by geoid
) to :'csv' (format csv, header true);
