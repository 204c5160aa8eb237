-- Purpose: the summary of every case that a set of tables holds: what is staged, or all of production when the table is new.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after the merge
-- Inputs:  :"source", a schema with oca_index, oca_parties, oca_appearances, oca_motions, oca_judgments and oca_warrants;
--          :"into", the schema of an empty oca_case_summary.
-- Outputs: its rows, one a case.

with parties as (
    select
        indexnumberid,
        count(*) filter (where role = 'Petitioner') as petitioners,
        count(*) filter (where role = 'Petitioner' and representationtype = 'Counsel') as petitioners_with_counsel,
        count(*) filter (where role = 'Respondent') as respondents,
        count(*) filter (where role = 'Respondent' and representationtype = 'Counsel') as respondents_with_counsel
    from :"source".oca_parties
    group by indexnumberid
),
appearances as (
    select
        indexnumberid,
        count(*) as appearances,
        min(appearancedatetime)::date as firstappearancedate,
        max(appearancedatetime)::date as lastappearancedate
    from :"source".oca_appearances
    group by indexnumberid
),
motions as (
    select indexnumberid, count(*) as motions, max(fileddate) as lastmotiondate
    from :"source".oca_motions
    group by indexnumberid
),
amended as (
    select distinct indexnumberid, amendedfromjudgmentsequence as sequence
    from :"source".oca_judgments
    where amendedfromjudgmentsequence is not null
),
-- Of an amended judgment the later version counts, and a vacated one does not count: an award must not be counted
-- twice.
standing as (
    select
        judgment.*,
        coalesce(judgment.entereddatetime::date, judgment.fileddate) as judgmentdate,
        amended.indexnumberid is null and judgment.latestjudgmentstatus is distinct from 'Vacated' as stands
    from :"source".oca_judgments as judgment left join amended using (indexnumberid, sequence)
),
judgments as (
    select
        indexnumberid,
        count(*) as judgments,
        count(*) filter (where withpossession and stands) as judgments_with_possession,
        sum(totaljudgmentamount) filter (where stands) as judgmentamount,
        min(judgmentdate) as firstjudgmentdate,
        max(judgmentdate) as lastjudgmentdate
    from standing
    group by indexnumberid
),
warrants as (
    select
        indexnumberid,
        count(*) as warrants,
        count(issueddate) as warrants_issued,
        count(executiondate) as warrants_executed,
        min(issueddate) as firstwarrantissueddate,
        max(executiondate) as lastwarrantexecutiondate
    from :"source".oca_warrants
    group by indexnumberid
)
insert into :"into".oca_case_summary (
    indexnumberid, fileddate, court, borough, classification, propertytype, firstpaper, status, disposeddate,
    disposedreason, primaryclaimtotal, petitioners, petitioners_with_counsel, respondents, respondents_with_counsel,
    appearances, firstappearancedate, lastappearancedate, motions, lastmotiondate, judgments, judgments_with_possession,
    judgmentamount, firstjudgmentdate, lastjudgmentdate, warrants, warrants_issued, warrants_executed,
    firstwarrantissueddate, lastwarrantexecutiondate
)
select
    indexnumberid,
    main.fileddate,
    main.court,
    -- By the court, not by an address: a case may have several addresses, or none.
    case
        when main.court like 'Bronx %' then 'Bronx'
        when main.court like 'Kings %' or main.court like 'Red%ook %' then 'Brooklyn'
        when main.court like 'New York County %' or main.court like 'Harlem %' then 'Manhattan'
        when main.court like 'Queens %' then 'Queens'
        when main.court like 'Richmond %' then 'Staten Island'
    end as borough,
    main.classification,
    main.propertytype,
    main.firstpaper,
    main.status,
    main.disposeddate,
    main.disposedreason,
    main.primaryclaimtotal,
    coalesce(parties.petitioners, 0),
    coalesce(parties.petitioners_with_counsel, 0),
    coalesce(parties.respondents, 0),
    coalesce(parties.respondents_with_counsel, 0),
    coalesce(appearances.appearances, 0),
    appearances.firstappearancedate,
    appearances.lastappearancedate,
    coalesce(motions.motions, 0),
    motions.lastmotiondate,
    coalesce(judgments.judgments, 0),
    coalesce(judgments.judgments_with_possession, 0),
    judgments.judgmentamount,
    judgments.firstjudgmentdate,
    judgments.lastjudgmentdate,
    coalesce(warrants.warrants, 0),
    coalesce(warrants.warrants_issued, 0),
    coalesce(warrants.warrants_executed, 0),
    warrants.firstwarrantissueddate,
    warrants.lastwarrantexecutiondate
from :"source".oca_index as main
    left join parties using (indexnumberid)
    left join appearances using (indexnumberid)
    left join motions using (indexnumberid)
    left join judgments using (indexnumberid)
    left join warrants using (indexnumberid);
