-- Purpose: the tables of the court extract in the local staging store of one run.
-- Engine:  DuckDB
-- Inputs:  none; the parser appends rows to these tables, the columns in this order.
-- Outputs: one table for each production table that the parser fills, and oca_addresses_geocoded, a view of the addresses with the columns that
--          geocode/apply.duckdb.sql fills; files, records and failed are in the part tables of staged/staged.duckdb.sql.
-- Numerics are text: they keep the digits and the scale that they came with (rule 6).

create table oca_index (
    record_no bigint not null,
    indexnumberid varchar not null,
    court varchar,
    fileddate date,
    propertytype varchar,
    classification varchar,
    specialtydesignationtypes varchar[],
    status varchar,
    disposeddate date,
    disposedreason varchar,
    firstpaper varchar,
    primaryclaimtotal varchar,
    dateofjurydemand date
);

create table oca_causes (
    record_no bigint not null,
    indexnumberid varchar not null,
    causeofactiontype varchar,
    interestfromdate date,
    amount varchar
);

create table oca_addresses (
    record_no bigint not null,
    indexnumberid varchar not null,
    street1 varchar,
    street2 varchar,
    city varchar,
    state varchar,
    postalcode varchar
);

create table oca_parties (
    record_no bigint not null,
    indexnumberid varchar not null,
    role varchar,
    partytype varchar,
    representationtype varchar,
    undertenant varchar
);

create table oca_events (
    record_no bigint not null,
    indexnumberid varchar not null,
    eventname varchar,
    fileddate date,
    feetype varchar,
    filingpartiesroles varchar[],
    answertype varchar
);

create table oca_appearances (
    record_no bigint not null,
    indexnumberid varchar not null,
    appearanceid bigint,
    appearancedatetime timestamp,
    appearancepurpose varchar,
    appearancereason varchar,
    appearancepart varchar,
    motionsequence integer
);

create table oca_appearance_outcomes (
    record_no bigint not null,
    indexnumberid varchar not null,
    appearanceid bigint,
    appearanceoutcometype varchar,
    outcomebasedontype varchar
);

create table oca_motions (
    record_no bigint not null,
    indexnumberid varchar not null,
    sequence integer,
    motiontype varchar,
    primaryrelief varchar,
    fileddate date,
    filingpartiesroles varchar[],
    motiondecision varchar,
    motiondecisiondate date
);

create table oca_decisions (
    record_no bigint not null,
    indexnumberid varchar not null,
    sequence integer,
    resultof varchar,
    highlight varchar
);

create table oca_judgments (
    record_no bigint not null,
    indexnumberid varchar not null,
    sequence integer,
    amendedfromjudgmentsequence integer,
    judgmenttype varchar,
    fileddate date,
    entereddatetime timestamp,
    withpossession boolean,
    latestjudgmentstatus varchar,
    latestjudgmentstatusdate date,
    totaljudgmentamount varchar,
    creditorsroles varchar[],
    debtorsroles varchar[]
);

create table oca_warrants (
    record_no bigint not null,
    indexnumberid varchar not null,
    judgmentsequence integer,
    sequence varchar,
    createdreason varchar,
    ordereddate date,
    issuancetype varchar,
    issuancestayeddate date,
    issuancestayeddays integer,
    issueddate date,
    executiontype varchar,
    executionstayeddate date,
    executionstayeddays integer,
    marshalrequestdate date,
    marshalrequestrevieweddate date,
    enforcementagency varchar,
    enforcementofficerdocketnumber varchar,
    propertiesonwarrantcities varchar[],
    propertiesonwarrantstates varchar[],
    propertiesonwarrantpostalcodes varchar[],
    amendeddate date,
    vacateddate date,
    adultprotectiveservicesnumber varchar,
    returneddate date,
    returnedreason varchar,
    executiondate date
);

-- Used if there is no geocoding.
create view oca_addresses_geocoded as
select
    *,
    null::varchar as status,
    null::varchar as house_number,
    null::varchar as street_name,
    null::varchar as borough_code,
    null::varchar as place_name,
    null::varchar as sname,
    null::varchar as hnum,
    null::varchar as boro,
    null::varchar as lat,
    null::varchar as bin,
    null::varchar as bbl,
    null::varchar as cd,
    null::varchar as ct,
    null::varchar as council,
    null::varchar as grc,
    null::varchar as grc2,
    null::varchar as msg,
    null::varchar as msg2,
    null::varchar as lon,
    null::varchar as zip_code
from oca_addresses;
