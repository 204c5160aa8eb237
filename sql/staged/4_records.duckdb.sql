-- Purpose: write one row for each good record, for the plan of the promotion.
-- Engine:  DuckDB
-- Inputs:  files, records, failed, losers; :'dir', the folder that takes the file; :'records', its name.
-- Outputs: the CSV, with a header row.
copy (
    select
        record_id,
        part_id,
        as_of,
        order_key,
        record_no & 4294967295 as ordinal,
        offset_bytes,
        is_delete,
        has_data,
        not is_delete and record_no not in (select record_no from losers) as is_winner
    from records join files on file_no = record_no >> 32
    where record_no not in (select record_no from failed)
    order by record_no
) to (:'dir' || '/' || :'records' || '.csv') (format csv, header, nullstr '');
