-- Purpose: a look at the result of the demo.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".oca_index and oca_judgments.
-- Outputs: for each court its cases, judgments and largest claim.
select
    court,
    count(*) as cases,
    coalesce(sum(judgments.n), 0)::bigint as judgments,
    to_char(max(primaryclaimtotal), 'FM999,999,990.00') as largest_claim
from :"schema".oca_index
left join (
    select indexnumberid, count(*) as n from :"schema".oca_judgments group by indexnumberid
) as judgments using (indexnumberid)
group by court
order by cases desc, court
limit 5;
