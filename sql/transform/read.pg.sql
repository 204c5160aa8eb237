-- Purpose: read raw rows.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/read.pg.sql

-- part: by_key  (script)
-- Purpose: read rows of some partitions.
-- Inputs:  :"schema", :"table", :expressions (the values to read from a row), :"key", :key_type, :'keys' (the text of an
--          array), :'with_null' (true or false), :condition (the job's, in parentheses), :limit (a number of rows, or all).
-- Outputs: the rows, in PostgreSQL's binary format.
copy (
    select :expressions
    from :"schema".:"table"
    where (:"key" = any (cast(:'keys' as :key_type[])) or (:'with_null'::boolean and :"key" is null)) and :condition
    limit :limit
) to stdout (format binary);

-- part: by_pages  (script)
-- Purpose: read the rows of one partition that lie in some pages.
-- Inputs:  :"schema", :"table", :expressions, :"key", :key_type, :'keys', :'with_null', :condition; :first_page and :end_page,
--          the page after the last one.
-- Outputs: the rows, in PostgreSQL's binary format.
copy (
    select :expressions
    from :"schema".:"table"
    where ctid >= format('(%s,0)', :first_page)::tid and ctid < format('(%s,0)', :end_page)::tid
        and (:"key" = any (cast(:'keys' as :key_type[])) or (:'with_null'::boolean and :"key" is null))
        and :condition
) to stdout (format binary);
