-- Purpose: find what the parser, which sees one case at a time and trusts it, cannot: values that must be
--          unique within a case or in the whole table, and rows that lost their case.
-- Engine:  DuckDB
-- Inputs:  the staging tables.
-- Outputs: the offending rows, added to failed; none is a pass. A case that is named there is not loaded.

insert into failed
with offending as (
    select record_no, 'oca_decisions' as table_name, 'Decisions/Decision/Sequence' as field,
           sequence::varchar as value, 'the sequence occurs more than once in the case' as reason
    from oca_decisions
    where sequence is not null
    group by record_no, sequence
    having count(*) > 1

    union all

    select record_no, 'oca_judgments', 'Judgments/Judgment/Sequence',
           sequence::varchar, 'the sequence occurs more than once in the case'
    from oca_judgments
    where sequence is not null
    group by record_no, sequence
    having count(*) > 1

    union all

    select record_no, 'oca_warrants', 'Judgments/Judgment/Warrants/Warrant/Sequence',
           judgmentsequence::varchar || '/' || sequence, 'the sequence occurs more than once in the judgment'
    from oca_warrants
    where judgmentsequence is not null and sequence is not null
    group by record_no, judgmentsequence, sequence
    having count(*) > 1

    union all

    -- One number for two cases: the later case gives way (rule 8).
    select max(record_no), 'oca_appearances', 'Appearances/Appearance',
           appearanceid::varchar, 'the appearance number belongs to another case'
    from oca_appearances
    group by appearanceid
    having count(distinct indexnumberid) > 1
)
select
    offending.record_no,
    records.record_id,
    records.offset_bytes,
    table_name,
    field,
    value,
    reason,
    null as fragment
from offending join records using (record_no)
order by record_no, table_name, value;
