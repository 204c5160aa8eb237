-- Purpose: an attempt with few records finds their staged rows at once.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the probe
-- Inputs:  :"staging".:"table", :"key".
-- Outputs: an index that goes with the transaction.
create index on :"staging".:"table" (:"key");
