-- Purpose: find a fault that the parser, which sees one record at a time, cannot find: different records with the same key.
-- Engine:  DuckDB
-- Inputs:  nass_facts, records, failed.
-- Outputs: the offending records, added to failed; if none is added, the check has passed. It is unknown which of them is
--          right, so none is loaded. Records that are the same in every column are no fault and count once.
insert into failed by name
-- Keys that occur twice are few and are found first: the comparison must fit into memory, and other records need none.
with nass_facts_twice as materialized (
    select record_id from "nass_facts" group by record_id having count(*) > 1
),
nass_facts_offending as (
    select record_id
    from "nass_facts" semi join nass_facts_twice using (record_id)
    group by record_id
    having count(distinct struct_pack(
        a := short_desc, b := state_ansi, c := state_alpha, d := state_name, e := asd_desc, f := county_ansi,
        g := county_name, h := watershed_desc, i := country_name, j := location_desc, k := load_time,
        l := value, m := value_code, n := cv, o := cv_code
    )) > 1
)
select
    records.record_no,
    records.record_id,
    records.offset_bytes,
    'nass_facts' as table_name,
    null as field,
    null as value,
    'another record has the same key and says something else' as reason,
    null as fragment
from records semi join nass_facts_offending using (record_id)
order by records.record_no;
