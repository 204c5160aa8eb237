-- Purpose: what one way of answering is still to be asked.
-- Engine:  DuckDB
-- Inputs:  all_questions, ways and valid_answers; :'way'.
-- Outputs: questions (key, street1, street2, city, state, postalcode): those that this way has not answered in its edition
--          and no way before it has settled. Where several lots are equally good, asking another way would only hide that;
--          where there is no line, no way knows more. An outside service is asked only about what no other way, named or
--          not, is known to have settled, in any edition: a lot is better than its answer could be.
create or replace table questions as
with settled as (
    select given.key
    from valid_answers as given
    join ways as asked on asked.way = :'way'
    where (given.way = asked.way and given.is_current)
        or (given.is_current and given.number < asked.rowid and given.status in ('match', 'tie', 'no_line'))
        or (
            asked.way <> 'pad'
            and given.way <> asked.way
            and (
                given.bbl is not null
                or given.status in ('tie', 'no_line')
                -- GeoSearch knows only the city, and the directory knows best what is outside it.
                or (
                    asked.way = 'geosearch' and given.way = 'pad' and given.status = 'outside'
                    -- An answer by older rules is withdrawn by GeoSearch itself, and no request is sent for that.
                    and not exists (
                        select 1
                        from valid_answers as own
                        where own.key = given.key and own.way = asked.way and not own.is_current
                    )
                )
                -- The Census also knows points, but no lots.
                or (given.lat is not null and asked.way = 'census')
            )
        )
)
select key, street1, street2, city, state, postalcode
from all_questions
where key not in (select key from settled)
order by key;
