-- Purpose: whether the server can read and write S3 by itself, and whether this role may ask it to. The catalogues
--          are read because to_regprocedure() fails, instead of giving null, without the right to use the schema.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  none.
-- Outputs: a row for each function that is needed: its name, is it there, may it be called.
with needed (schema_name, function_name) as (
    values
        ('aws_commons', 'create_s3_uri'),
        ('aws_s3', 'query_export_to_s3'),
        ('aws_s3', 'table_import_from_s3')
),
-- Of several functions of one name, those that take or give the address of an object.
candidates as (
    select
        namespace.nspname as schema_name,
        function.proname as function_name,
        pg_catalog.has_schema_privilege(namespace.oid, 'usage')
        and pg_catalog.has_function_privilege(function.oid, 'execute') as is_allowed
    from pg_catalog.pg_proc as function
    join pg_catalog.pg_namespace as namespace on namespace.oid = function.pronamespace
    where exists (
        select
        from pg_catalog.pg_type as address
        where address.typname = '_s3_uri_1'
            and (address.oid = function.prorettype or address.oid = any (function.proargtypes))
    )
)
select
    needed.schema_name || '.' || needed.function_name as name,
    pg_catalog.count(candidates.function_name) > 0 as is_there,
    coalesce(pg_catalog.bool_or(candidates.is_allowed), false) as is_allowed
from needed
left join candidates using (schema_name, function_name)
group by needed.schema_name, needed.function_name
order by name
