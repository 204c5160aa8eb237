-- Purpose: a published CSV with types, as Parquet.
-- Engine:  DuckDB
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/publish/parquet.duckdb.sql

-- part: array_elements  (script)
-- Purpose: what is in an array as PostgreSQL writes it, of one dimension.
-- Inputs:  none.
-- Outputs: the macro array_elements(text).

-- An element in quotes may hold anything, a quote and a backslash behind a backslash; NULL without quotes is none.
create or replace macro array_elements(literal) as
    case when literal is not null then
        list_transform(
            regexp_extract_all(substr(literal, 2, length(literal) - 2), '(?s)"(?:[^"\\]|\\.)*"|[^,]+'),
            lambda element:
                case
                    when element = 'NULL' then null
                    when starts_with(element, '"')
                        then regexp_replace(substr(element, 2, length(element) - 2), '(?s)\\(.)', '\1', 'g')
                    else element
                end
        )
    end;

-- part: parquet  (script)
-- Purpose: write the Parquet of a CSV, its rows in the same order.
-- Inputs:  array_elements(); :'csv', a file; :texts, its columns as a struct of types that are all texts; :casts, its columns
--          as values of their types; :longest, bytes of its longest row, at least two million; :'parquet', the file to write.
-- Outputs: the file.
copy (
    select :casts
    from read_csv(
        :'csv',
        auto_detect = false,
        header = true,
        delim = ',',
        quote = '"',
        escape = '"',
        nullstr = '',
        allow_quoted_nulls = false,
        max_line_size = :longest,
        columns = :texts
    )
) to :'parquet' (format parquet, compression zstd, row_group_size 40960);

-- part: count  (script)
-- Purpose: how many rows a Parquet has.
-- Inputs:  :'parquet', a file.
-- Outputs: one row and column.
select count(*)::ubigint as counted from read_parquet(:'parquet');
