-- Purpose: nothing is left of what the questions were looked up in: what comes next needs the memory.
-- Engine:  DuckDB
-- Inputs:  the tables of 2_reference to 7_answers.
-- Outputs: none.
drop view questioned;
drop table known_cities;
drop table streets;
drop table street_zips;
drop table zip_boroughs;
drop table known_rests;
drop table line_streets;
drop table place_texts;
drop table places;
drop table place_boroughs;
drop table new_rests;
drop table street_texts;
drop table street_names;
drop table street_keys;
drop table known_texts;
drop table beyond_boroughs;
drop table place_answers;
