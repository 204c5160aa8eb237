-- Purpose: make a schema of our own.
-- Engine:  PostgreSQL 14 and later
-- Inputs:  :"name".
-- Outputs: the schema.
create schema :"name";
