-- Purpose: find faults that the parser, which sees one line at a time, cannot find: a postcode without a place, a day that is
--          in two new files, a day without a good line.
-- Engine:  DuckDB
-- Inputs:  datapoints, datapoint_places_now, records, files, failed; :is_undecided, whether nobody asked for these files: they are
--          new, or what failed in them is tried again.
-- Outputs: the offending lines and days, added to failed; if none is added, the check has passed.
insert into failed
select
    points.record_no,
    -- Another file may replace the day, which settles the line.
    cast(points.date as varchar) || ' line ' || (points.record_no & 4294967295) as record_id,
    0 as offset_bytes,
    'datapoints' as table_name,
    'postcode' as field,
    points.postcode as value,
    case
        when exists (select 1 from datapoint_places_now) then 'no place has this postcode'
        else 'no place is known at all: put places.csv beside the files'
    end as reason,
    null as fragment,
    null as suggestion
from datapoints as points
where points.postcode not in (select postcode from datapoint_places_now)
order by points.record_no;

-- Of two files that were new in the same run, it is unknown which is right, so the day stays as it is until a person decides. Of
-- other files, the one that was posted later is right.
insert into failed
with told as (
    select
        records.record_no,
        records.record_id,
        files.file_no,
        regexp_extract(files.order_key, '^posted [0-9]+ ') as posting,
        regexp_replace(files.order_key, '^posted [0-9]+ ', '') as name
    from records join files on files.file_no = records.record_no >> 32
)
select
    told.record_no,
    told.record_id,
    0 as offset_bytes,
    'datapoint_days' as table_name,
    'date' as field,
    told.record_id as value,
    'the day ' || told.record_id || ' is also in ' || string_agg(other.name, ', ' order by other.name)
        || ', which is as new: merganser reprocess datapoints '
        || case when regexp_full_match(told.name, '[A-Za-z0-9._-]+') then told.name else '''' || replace(told.name, '''', '''\''''') || '''' end
        || ' lets this one count' as reason,
    null as fragment,
    null as suggestion
from told
    join told as other
        on other.record_id = told.record_id and other.file_no <> told.file_no and other.posting = told.posting
where :is_undecided and told.posting <> ''
group by told.record_no, told.record_id, told.name
order by told.record_no;

-- A day whose lines all failed would be replaced by nothing.
insert into failed
with left_over as (
    select distinct record_no >> 32 as file_no, date
    from datapoints
    where record_no not in (select record_no from failed)
)
select
    records.record_no,
    records.record_id,
    0 as offset_bytes,
    'datapoint_days' as table_name,
    'date' as field,
    records.record_id as value,
    'all lines of the day ' || records.record_id || ' failed' as reason,
    null as fragment,
    null as suggestion
from records
    left join left_over
        on left_over.file_no = records.record_no >> 32 and left_over.date = cast(records.record_id as date)
where left_over.date is null and records.record_no not in (select record_no from failed)
order by records.record_no;
