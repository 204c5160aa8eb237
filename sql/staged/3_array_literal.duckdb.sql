-- Purpose: how an array is written for PostgreSQL.
-- Engine:  DuckDB
-- Inputs:  none.
-- Outputs: the macro array_literal(elements).

-- An array literal quotes every element, so commas, braces and the word NULL need no thought.
create or replace macro array_literal(elements) as
    case when elements is not null then
        '{' || array_to_string(list_transform(elements, lambda element:
            case when element is null then 'NULL'
            else '"' || replace(replace(element, '\', '\\'), '"', '\"') || '"' end), ',') || '}'
    end;
