-- Purpose: is anything remembered of an enrichment?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 enrichment; :"ledger".
-- Outputs: true if so.
select exists (select from :"ledger".answers where dataset = $1 and enrichment = $2);
