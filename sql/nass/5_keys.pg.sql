-- Purpose: add the key of the facts, and an index of their years.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".nass_facts
-- Outputs: the key, a hash of the 26 columns that identify a fact, which are too many for an index.
alter table :"schema"."nass_facts" add primary key (record_id);
create index nass_facts_year_idx on :"schema"."nass_facts" (year, state_alpha);
