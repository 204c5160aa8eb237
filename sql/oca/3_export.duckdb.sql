-- Purpose: write what PostgreSQL will load, as CSV: NULL is nothing between the commas, empty text
--          is "", an array is a PostgreSQL array literal, made here and nowhere else.
-- Engine:  DuckDB
-- Inputs:  the staging tables; :'dir', the folder that takes the files.
-- Outputs: one CSV a table with a header row, rows in document order.

-- An array literal quotes every element, so commas, braces and the word NULL need no thought.
create or replace macro array_literal(elements) as
    case when elements is not null then
        '{' || array_to_string(list_transform(elements, lambda element:
            case when element is null then 'NULL'
            else '"' || replace(replace(element, '\', '\\'), '"', '\"') || '"' end), ',') || '}'
    end;

-- The winner among the records of one case: the last word of the run, unless it is deleted anywhere
-- in it (rules 2 and 4). The losers' rows are not exported.
create or replace temp table losers as
with good as (
    select record_no, record_id, is_delete from records anti join failed using (record_no)
),
latest as (
    select record_id, max(record_no) as record_no, bool_or(is_delete) as is_deleted
    from good
    group by record_id
)
select good.record_no
from good join latest using (record_id)
where latest.is_deleted or good.record_no < latest.record_no
union all
select record_no from failed;

copy (
    select
        record_id,
        file_id,
        run_date,
        order_key,
        record_no & 4294967295 as ordinal,
        is_delete,
        not is_delete and record_no not in (select record_no from losers) as is_winner
    from records join files on file_no = record_no >> 32
    where record_no not in (select record_no from failed)
    order by record_no
) to (:'dir' || '/oca_records.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        court,
        fileddate,
        propertytype,
        classification,
        array_literal(specialtydesignationtypes) as specialtydesignationtypes,
        status,
        disposeddate,
        disposedreason,
        firstpaper,
        primaryclaimtotal,
        dateofjurydemand
    from oca_index anti join losers using (record_no)
    order by oca_index.rowid
) to (:'dir' || '/oca_index.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        causeofactiontype,
        interestfromdate,
        amount
    from oca_causes anti join losers using (record_no)
    order by oca_causes.rowid
) to (:'dir' || '/oca_causes.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        street1,
        street2,
        city,
        state,
        postalcode
    from oca_addresses anti join losers using (record_no)
    order by oca_addresses.rowid
) to (:'dir' || '/oca_addresses.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        role,
        partytype,
        representationtype,
        undertenant
    from oca_parties anti join losers using (record_no)
    order by oca_parties.rowid
) to (:'dir' || '/oca_parties.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        eventname,
        fileddate,
        feetype,
        array_literal(filingpartiesroles) as filingpartiesroles,
        answertype
    from oca_events anti join losers using (record_no)
    order by oca_events.rowid
) to (:'dir' || '/oca_events.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        appearanceid,
        appearancedatetime,
        appearancepurpose,
        appearancereason,
        appearancepart,
        motionsequence
    from oca_appearances anti join losers using (record_no)
    order by oca_appearances.rowid
) to (:'dir' || '/oca_appearances.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        appearanceid,
        appearanceoutcometype,
        outcomebasedontype
    from oca_appearance_outcomes anti join losers using (record_no)
    order by oca_appearance_outcomes.rowid
) to (:'dir' || '/oca_appearance_outcomes.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        sequence,
        motiontype,
        primaryrelief,
        fileddate,
        array_literal(filingpartiesroles) as filingpartiesroles,
        motiondecision,
        motiondecisiondate
    from oca_motions anti join losers using (record_no)
    order by oca_motions.rowid
) to (:'dir' || '/oca_motions.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        sequence,
        resultof,
        highlight
    from oca_decisions anti join losers using (record_no)
    order by oca_decisions.rowid
) to (:'dir' || '/oca_decisions.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        sequence,
        amendedfromjudgmentsequence,
        judgmenttype,
        fileddate,
        entereddatetime,
        withpossession,
        latestjudgmentstatus,
        latestjudgmentstatusdate,
        totaljudgmentamount,
        array_literal(creditorsroles) as creditorsroles,
        array_literal(debtorsroles) as debtorsroles
    from oca_judgments anti join losers using (record_no)
    order by oca_judgments.rowid
) to (:'dir' || '/oca_judgments.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        judgmentsequence,
        sequence,
        createdreason,
        ordereddate,
        issuancetype,
        issuancestayeddate,
        issuancestayeddays,
        issueddate,
        executiontype,
        executionstayeddate,
        executionstayeddays,
        marshalrequestdate,
        marshalrequestrevieweddate,
        enforcementagency,
        enforcementofficerdocketnumber,
        array_literal(propertiesonwarrantcities) as propertiesonwarrantcities,
        array_literal(propertiesonwarrantstates) as propertiesonwarrantstates,
        array_literal(propertiesonwarrantpostalcodes) as propertiesonwarrantpostalcodes,
        amendeddate,
        vacateddate,
        adultprotectiveservicesnumber,
        returneddate,
        returnedreason,
        executiondate
    from oca_warrants anti join losers using (record_no)
    order by oca_warrants.rowid
) to (:'dir' || '/oca_warrants.csv') (format csv, header, nullstr '');
