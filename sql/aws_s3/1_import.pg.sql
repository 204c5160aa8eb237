-- Purpose: load one staging CSV, which the server itself reads from S3 in its own role.
-- Engine:  PostgreSQL with the extension aws_s3 (Amazon RDS); a statement (prepare)
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
