-- Purpose: a published CSV with types, as Parquet.
-- Engine:  DuckDB
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/publish/parquet.duckdb.sql

-- part: array_elements  (script)
-- Purpose: the elements of a one-dimensional array as PostgreSQL writes it.
-- Inputs:  none.
-- Outputs: the macro array_elements(text).

-- A quoted element may hold anything, with quotes and backslashes escaped by a backslash; NULL without quotes is a null.
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
