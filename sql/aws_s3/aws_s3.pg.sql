-- Purpose: the server itself reads and writes S3.
-- Engine:  PostgreSQL 14 and later with the extension aws_s3 (Amazon RDS); `functions` runs without it, too
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/aws_s3/aws_s3.pg.sql

-- part: functions  (script)
-- Purpose: whether the server can read and write S3 by itself, and whether this role may ask it to. The catalogues
--          are read because to_regprocedure() fails, instead of giving null, without the right to use the schema.
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

-- part: import  (statement)
-- Purpose: load one staging CSV, which the server itself reads from S3 in its own role.
-- Inputs:  $1 schema, $2 table, $3 columns in the CSV's order; $4 bucket, $5 key, $6 region.
-- Outputs: the rows, and what the server says of them: `7 rows imported into relation …`.
select
    aws_s3.table_import_from_s3(
        pg_catalog.format('%I.%I', $1::text, $2::text),
        (
            select pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' order by place)
            from pg_catalog.unnest($3::text[]) with ordinality as columns (name, place)
        ),
        '(format csv, header true)',
        aws_commons.create_s3_uri($4::text, $5::text, $6::text)
    )::text

-- part: export  (statement)
-- Purpose: one published CSV, which the server itself writes to S3 in its own role.
-- Inputs:  $1 schema, $2 table, $3 columns (null: what COPY takes by itself, all but generated ones);
--          $4 bucket, $5 key, $6 region; :kms_key nothing, or `, kms_key := $7::text` for a key to encrypt with.
-- Outputs: the object (past some 6 GB several), and one row: rows, objects, bytes.
with columns (name, place) as (
    select name, place
    from pg_catalog.unnest($3::text[]) with ordinality as given (name, place)
    union all
    select attname::text, attnum
    from pg_catalog.pg_attribute
    where $3 is null
        and attrelid = pg_catalog.format('%I.%I', $1::text, $2::text)::pg_catalog.regclass
        and attnum > 0
        and not attisdropped
        and attgenerated = ''
),
query (text) as (
    select
        pg_catalog.format(
            'select %s from %I.%I',
            pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' order by place), $1::text, $2::text
        )
    from columns
)
select exported.rows_uploaded::bigint, exported.files_uploaded::bigint, exported.bytes_uploaded::bigint
from query
cross join lateral aws_s3.query_export_to_s3(
    query.text,
    aws_commons.create_s3_uri($4::text, $5::text, $6::text),
    options := 'format csv, header true' :kms_key
) as exported
