-- Purpose: remove a staging table of this or of a dead run.
-- Engine:  PostgreSQL 14 and later
-- Inputs:  :"staging".:"table".
-- Outputs: none.
drop table if exists :"staging".:"table";
