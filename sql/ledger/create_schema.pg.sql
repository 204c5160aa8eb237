-- Purpose: make a schema of our own.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"name".
-- Outputs: the schema.
create schema :"name";
