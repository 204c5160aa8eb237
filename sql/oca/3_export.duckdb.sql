-- Purpose: write what PostgreSQL will load, as CSV: NULL is nothing between the commas, empty text
--          is "", an array is a PostgreSQL array literal, made here and nowhere else.
-- Engine:  DuckDB
-- Inputs:  the staging tables, losers and array_literal() of sql/staged; :'dir', the folder that takes the files.
-- Outputs: one CSV a table with a header row. The rows keep the order in which they were staged, the document's:
--          DuckDB promises it for a COPY of one table with a WHERE, and a sort would cost a sixth of the export.
--          The statements run beside each other: none needs another.

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
    from oca_index
    where record_no not in (select record_no from losers)
) to (:'dir' || '/oca_index.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        causeofactiontype,
        interestfromdate,
        amount
    from oca_causes
    where record_no not in (select record_no from losers)
) to (:'dir' || '/oca_causes.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        street1,
        street2,
        city,
        state,
        postalcode,
        status,
        house_number,
        street_name,
        borough_code,
        place_name,
        sname,
        hnum,
        boro,
        lat,
        bin,
        bbl,
        cd,
        ct,
        council,
        grc,
        grc2,
        msg,
        msg2,
        lon,
        zip_code
    from oca_addresses_geocoded
    where record_no not in (select record_no from losers)
) to (:'dir' || '/oca_addresses.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        role,
        partytype,
        representationtype,
        undertenant
    from oca_parties
    where record_no not in (select record_no from losers)
) to (:'dir' || '/oca_parties.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        eventname,
        fileddate,
        feetype,
        array_literal(filingpartiesroles) as filingpartiesroles,
        answertype
    from oca_events
    where record_no not in (select record_no from losers)
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
    from oca_appearances
    where record_no not in (select record_no from losers)
) to (:'dir' || '/oca_appearances.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        appearanceid,
        appearanceoutcometype,
        outcomebasedontype
    from oca_appearance_outcomes
    where record_no not in (select record_no from losers)
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
    from oca_motions
    where record_no not in (select record_no from losers)
) to (:'dir' || '/oca_motions.csv') (format csv, header, nullstr '');

copy (
    select
        indexnumberid,
        sequence,
        resultof,
        highlight
    from oca_decisions
    where record_no not in (select record_no from losers)
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
    from oca_judgments
    where record_no not in (select record_no from losers)
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
    from oca_warrants
    where record_no not in (select record_no from losers)
) to (:'dir' || '/oca_warrants.csv') (format csv, header, nullstr '');
