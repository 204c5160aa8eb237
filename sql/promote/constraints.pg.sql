-- Purpose: have deferred constraints looked at before the commit: what they refuse can be mended here, and not there.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after the merge
-- Inputs:  none.
-- Outputs: none; an error if one is broken.
set constraints all immediate;
