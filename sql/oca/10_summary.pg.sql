-- Purpose: the summary of each case for analysts: the table, in production and, without its key, in staging.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: oca_case_summary, without rows; an existing one is left as it is. Key: 10_summary_keys.pg.sql.
create table if not exists :"schema".oca_case_summary (
    indexnumberid text,
    fileddate date,
    court text,
    borough text,
    classification text,
    propertytype text,
    firstpaper text,
    status text,
    disposeddate date,
    disposedreason text,
    primaryclaimtotal numeric,
    petitioners int,
    petitioners_with_counsel int,
    respondents int,
    respondents_with_counsel int,
    appearances int,
    firstappearancedate date,
    lastappearancedate date,
    motions int,
    lastmotiondate date,
    judgments int,
    judgments_with_possession int,
    judgmentamount numeric,
    firstjudgmentdate date,
    lastjudgmentdate date,
    warrants int,
    warrants_issued int,
    warrants_executed int,
    firstwarrantissueddate date,
    lastwarrantexecutiondate date
);
