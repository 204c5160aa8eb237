-- Purpose: one published CSV, which the server itself writes to S3 in its own role.
-- Engine:  PostgreSQL with the extension aws_s3 (Amazon RDS); a statement (prepare)
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
