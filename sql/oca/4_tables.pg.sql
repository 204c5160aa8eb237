-- Purpose: the tables of the court extract, in production and, without keys, in staging.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: the twelve tables; existing ones are left as they are. Keys and indexes: 5_keys.pg.sql.

create table if not exists :"schema".oca_index (
    indexnumberid text,
    court text,
    fileddate date,
    propertytype text,
    classification text,
    specialtydesignationtypes text[],
    status text,
    disposeddate date,
    disposedreason text,
    firstpaper text,
    primaryclaimtotal numeric,
    dateofjurydemand date
);

create table if not exists :"schema".oca_causes (
    indexnumberid text,
    causeofactiontype text,
    interestfromdate date,
    amount numeric
);

create table if not exists :"schema".oca_addresses (
    indexnumberid text,
    street1 text,
    street2 text,
    city text,
    state text,
    postalcode text,
    status text,
    house_number text,
    street_name text,
    borough_code text,
    place_name text,
    sname text,
    hnum text,
    boro text,
    lat real,
    bin text,
    bbl text,
    cd text,
    ct text,
    council text,
    grc text,
    grc2 text,
    msg text,
    msg2 text,
    lon real,
    zip_code text
);

create table if not exists :"schema".oca_parties (
    indexnumberid text,
    role text,
    partytype text,
    representationtype text,
    undertenant text
);

create table if not exists :"schema".oca_events (
    indexnumberid text,
    eventname text,
    fileddate date,
    feetype text,
    filingpartiesroles text[],
    answertype text
);

create table if not exists :"schema".oca_appearances (
    indexnumberid text,
    appearanceid bigint,
    appearancedatetime timestamp,
    appearancepurpose text,
    appearancereason text,
    appearancepart text,
    motionsequence int
);

create table if not exists :"schema".oca_appearance_outcomes (
    indexnumberid text,
    appearanceid bigint,
    appearanceoutcometype text,
    outcomebasedontype text
);

create table if not exists :"schema".oca_motions (
    indexnumberid text,
    sequence int,
    motiontype text,
    primaryrelief text,
    fileddate date,
    filingpartiesroles text[],
    motiondecision text,
    motiondecisiondate date
);

create table if not exists :"schema".oca_decisions (
    indexnumberid text,
    sequence int,
    resultof text,
    highlight text
);

create table if not exists :"schema".oca_judgments (
    indexnumberid text,
    sequence int,
    amendedfromjudgmentsequence int,
    judgmenttype text,
    fileddate date,
    entereddatetime timestamp,
    withpossession boolean,
    latestjudgmentstatus text,
    latestjudgmentstatusdate date,
    totaljudgmentamount numeric,
    creditorsroles text[],
    debtorsroles text[]
);

create table if not exists :"schema".oca_warrants (
    indexnumberid text,
    judgmentsequence int,
    sequence text,
    createdreason text,
    ordereddate date,
    issuancetype text,
    issuancestayeddate date,
    issuancestayeddays int,
    issueddate date,
    executiontype text,
    executionstayeddate date,
    executionstayeddays int,
    marshalrequestdate date,
    marshalrequestrevieweddate date,
    enforcementagency text,
    enforcementofficerdocketnumber text,
    propertiesonwarrantcities text[],
    propertiesonwarrantstates text[],
    propertiesonwarrantpostalcodes text[],
    amendeddate date,
    vacateddate date,
    adultprotectiveservicesnumber text,
    returneddate date,
    returnedreason text,
    executiondate date
);

create table if not exists :"schema".oca_metadata (
    indexnumberid text,
    initialdate date,
    updatedate date,
    deletedate date
);
