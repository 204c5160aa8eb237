-- Purpose: from here on nobody else writes to a staging table.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"staging".:"table".
-- Outputs: the lock, until the end of the transaction; readers do not notice it.
lock table :"staging".:"table" in share row exclusive mode;
