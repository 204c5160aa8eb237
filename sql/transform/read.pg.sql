-- Purpose: raw rows go out.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/read.pg.sql

-- part: by_key  (script)
-- Purpose: all rows of some partitions.
-- Inputs:  :"schema", :"table", :expressions (what of a row is wanted), :"key", :key_type, :'keys' (an array's text),
--          :'with_null' (true or false), :condition (the job's, in brackets).
-- Outputs: the rows, in PostgreSQL's binary format.
copy (
    select :expressions
    from :"schema".:"table"
    where (:"key" = any (cast(:'keys' as :key_type[])) or (:'with_null'::boolean and :"key" is null)) and :condition
) to stdout (format binary);

-- part: by_pages  (script)
-- Purpose: those rows of one partition that lie in some pages.
-- Inputs:  :"schema", :"table", :expressions, :"key", :key_type, :'keys', :'with_null', :condition; :first_page, :end_page, which
--          is not among them.
-- Outputs: the rows, in PostgreSQL's binary format.
copy (
    select :expressions
    from :"schema".:"table"
    where ctid >= format('(%s,0)', :first_page)::tid and ctid < format('(%s,0)', :end_page)::tid
        and (:"key" = any (cast(:'keys' as :key_type[])) or (:'with_null'::boolean and :"key" is null))
        and :condition
) to stdout (format binary);
