-- Purpose: addresses as everybody may see them: without street lines, coordinates and building numbers.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".oca_addresses; :"into", the schema of the view.
-- Outputs: the view oca_addresses_public.
create or replace view :"into".oca_addresses_public as
select indexnumberid, city, state, postalcode
from :"schema".oca_addresses;
