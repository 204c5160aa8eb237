-- Purpose: the rates, in production and, without keys, in staging.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: the table; an existing one is left as it is.
create table if not exists :"schema".rates (code text, title text, amount numeric);
