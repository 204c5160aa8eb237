-- Purpose: take typed lines apart: several names of one building, house numbers, streets, what is behind them.
-- Engine:  DuckDB
-- Inputs:  questioned of 3_places; the macros of 1_words.
-- Outputs: the views lines, one a question: q, key, place, has_line, has_number, n1 (its number), rest (street or name of a
--          place), has_more (not just one number), beyond (what follows a comma); other_lines, further addresses that
--          questions name, with the same columns but for the key, and part, from 2 on; line_more: all numbers of those
--          that have more, as they are typed; street_texts: what each rest that was not met before may mean, the
--          likelier first; street_names, for 5_keys.
create or replace table typed_lines as
with plain as (
    select
        q,
        place,
        key,
        address_text(coalesce(street1, '')) as line1,
        case when street2 is null then '' else address_text(street2) end as line2,
        length(coalesce(street1, '')) > 300 or length(coalesce(street2, '')) > 300 as is_long
    from questioned
),
-- A number alone in the first line, or a name there and the address in the second. A second address is another name.
joined as (
    select
        q,
        place,
        key,
        case
            when is_long then 'TOO LONG'
            when line2 = '' then line1
            when line1 = '' then line2
            when regexp_full_match(line1, '[0-9][0-9/ -]*[A-Z]?') then line1 || ' ' || line2
            when regexp_matches(line2, '^[0-9]+[A-Z]?(-[0-9]+[A-Z]?)? .*[A-Z]') then
                case when regexp_matches(line1, '^[0-9]|[ ,#][0-9]') then line1 || ';' || line2 else line2 end
            when regexp_matches(line2, '^\(? ?(AKA|A/K/A)') then line1 || ';' || line2
            else line1
        end as text
    from plain
),
-- Most lines are a number, a blank and the words of a street, and none of those that are looked for below.
marked as (
    select
        q,
        place,
        key,
        text,
        regexp_full_match(text, '[1-9][0-9]{0,6} [A-Z0-9 ]+')
        and not regexp_matches(
            text,
            ' (TO|AND|THRU|AKA|KNOWN|A K A|APT|APA|APR|APP|UNIT|SUI|STE|ROOM|RM|FL|BAS|BSM|PENT|PH|CELL|STORE|DUPL|ENTIRE|'
            'ALL|P O|PO |BOX)') as is_plain
    from joined
)
select
    q,
    place,
    key,
    is_plain,
    case when is_plain then split_part(text, ' ', 1)::integer end as n1,
    case when is_plain then text[instr(text, ' ') + 1:] else text end as rest
from marked;

-- The lines that have more than a number and a street.
create or replace table hard_lines as
with named as (
    select
        q,
        place,
        key,
        case
            -- A line of no letter and no digit is none.
            when not regexp_matches(rest, '[A-Z0-9]') then ['']
            when contains(rest, ';') or regexp_matches(rest, 'AKA|A/K/A|KNOWN AS|A K A')
                then list_filter(
                    string_split(regexp_replace(rest, '\b(AKA|A/K/A|A K A|ALSO KNOWN AS|KNOWN AS)\b', ';', 'g'), ';'),
                    lambda part: regexp_matches(part, '[A-Z0-9]'))
            else [rest]
        end as named
    from typed_lines
    where not is_plain
),
parts as (
    select q, place, key, generate_subscripts(texts, 1)::integer as part, unnest(texts) as text
    from (select *, case when named = [] then [''] else named end as texts from named)
),
-- 65 1/2 is one number. Brackets say nothing.
spaced as (
    select
        * replace (case
            when contains(text, '/') or contains(text, '(') then
                regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
                    text,
                    '[()]', ' ', 'g'),
                    '([0-9])[ -]*1/2\b', '\1~H', 'g'),
                    '([0-9])[ -]*1/3\b', '\1~T', 'g'),
                    '([0-9])[ -]*1/4\b', '\1~Q', 'g'),
                    '([0-9])[ -]*3/4\b', '\1~R', 'g'),
                    '([0-9])[ -]*1/5\b', '\1~F', 'g'),
                    '^[^A-Z0-9]+| {2,}', ' ', 'g')
            else text
        end as text)
    from parts
),
fractions as (
    select
        * replace (case
            when starts_with(text, ' ') or starts_with(text, ',') or starts_with(text, '-')
                or ends_with(text, ' ') or ends_with(text, ',') or ends_with(text, '-') then trim(text, ' ,-')
            else text
        end as text)
    from spaced
),
-- An apartment in front of the number or right behind it.
fronts as (
    select
        * replace (case
            when regexp_matches(text, '^(APT|APARTMENT|UNIT|SUITE|STE|ROOM|RM|FLOOR|FL|#)') then
                regexp_replace(text, '^(?:APT|APARTMENT|UNIT|SUITE|STE|ROOM|RM|FLOOR|FL)? ?#? ?[A-Z0-9-]+ ?,? ([0-9].*)$', '\1')
            when regexp_matches(text, '^[0-9~A-Z-]+ ?,? ?(APT|APARTMENT|UNIT|#)') then
                regexp_replace(
                    text, '^([0-9]+[0-9~A-Z-]*) ?,? ?(?:APT|APARTMENT|UNIT)? ?#? ?([0-9]+[A-Z]?|[A-Z][0-9]*) ?,? (.+)$', '\1 \3')
            when contains(text, ',') then regexp_replace(text, '^([^0-9,]+), ?([0-9]+[0-9A-Z-]* .*[A-Z].*)$', '\2')
            else text
        end as text)
    from fractions
),
-- One number or two with a hyphen, a blank and something else are taken apart without the long expression below.
seen as (
    select
        *,
        regexp_matches(text, '^[0-9]{1,7}(-[0-9]{1,7})? [^-/&~, ]')
        and not regexp_matches(text, '^[0-9-]+ (TO|AND|THRU) [0-9]') as is_simple
    from fronts
),
taken as (
    select
        * exclude (is_simple),
        case when is_simple then {
            'n1': split_part(split_part(text, ' ', 1), '-', 1), 's1': '', 'f1': '',
            'n2': split_part(split_part(text, ' ', 1), '-', 2), 's2': '', 'f2': '', 'n3': '', 'm3': '', 's3': '',
            'f3': '', 'rest': text[instr(text, ' ') + 1:]
        } else regexp_extract(
            text,
            '^([0-9]{1,7})-?([A-Z]{1,2})?(?:~([HTQRF]))?'
            '(?: ?- ?([0-9]{1,7})-?([A-Z]{1,2})?(?:~([HTQRF]))?)?'
            '(?:(?: ?[-/&] ?| TO | AND | THRU )([0-9]{1,7})(?:-([0-9]{1,7}))?([A-Z]{1,2})?(?:~([HTQRF]))?)?'
            '(?: ?, ?| |$)(.*)$',
            ['n1', 's1', 'f1', 'n2', 's2', 'f2', 'n3', 'm3', 's3', 'f3', 'rest']
        ) end as taken
    from seen
),
-- 65TH STREET has no house number.
numbered as (
    select
        *,
        taken.n1 <> '' and taken.s1 not in ('ST', 'ND', 'RD', 'TH')
        and taken.s2 not in ('ST', 'ND', 'RD', 'TH') and taken.s3 not in ('ST', 'ND', 'RD', 'TH')
        and taken.rest <> '' as has_number
    from taken
),
resting as (
    select
        q, part, place, key, has_number, taken, text <> '' as has_line,
        case when has_number then taken.rest else text end as rest
    from numbered
),
-- What is behind a street: an apartment, a floor, a box.
cut as (
    select
        * replace (
            case
                when regexp_matches(rest, '[ ,](APT|APA|APR|APP|UNIT|SUI|STE|ROOM|RM|FL|BAS|BSM|PENT|PH|CELL|STORE|DUPL|ENTIRE|ALL|P O|PO |BOX)|#|UNIT')
                    then trim(regexp_replace(
                        rest,
                        '( ?,? \(?-?([0-9]+|[0-9]*(ST|ND|RD|TH)|FIRST|SECOND|THIRD|FOURTH|FIFTH|TOP|GROUND|PARLOR|WHOLE|ENTIRE)? (FLOOR|FLR|FL)\b'
                        '| ?[ ,]\(?(APT|APTS|APARTMENT|APARTMENTS|APRT|APPT|APRTMENT|UNIT|UNITS|SUITE|STE|ROOM|ROOMS|RM|FLOOR|FLR|FL|BASEMENT|BSMT|BSMNT|BASMENT|PENTHOUSE|PH|CELLAR|STORE|STOREFRONT|DUPLEX|ENTIRE|ALL ROOMS|P O BOX|PO BOX|BOX)\b'
                        '| ?[ ,](APT|UNIT|FL|FLR|RM|PH|STE)[0-9]'
                        '| ?#).*$', ''), ' ,-')
                else rest
            end as rest
        )
    from resting
),
split as (
    select
        * replace (
            case
                when not contains(rest, ',') then rest
                -- PARK AVENUE, SOUTH is not PARK AVENUE.
                when regexp_matches(rest, ', ?(N|S|E|W|NO|SO|NORTH|SOUTH|EAST|WEST)\b') then replace(rest, ',', ' ')
                else trim(split_part(rest, ',', 1))
            end as rest
        ),
        case when contains(rest, ',') then trim(rest[instr(rest, ',') + 1:]) else '' end as beyond
    from cut
)
select
    q,
    part,
    place,
    key,
    has_line,
    has_number,
    case when has_number then try_cast(taken.n1 as integer) end as n1,
    rest,
    has_number and (concat(taken.s1, taken.f1, taken.n2, taken.n3) <> '' or starts_with(taken.n1, '0')) as has_more,
    taken,
    nullif(beyond, '') as beyond
from split;

create or replace view lines as
select q, key, place, true as has_line, true as has_number, n1, rest, false as has_more, null::varchar as beyond
from typed_lines
where is_plain
union all
select q, key, place, has_line, has_number, n1, rest, has_more, beyond from hard_lines where part = 1;

create or replace view other_lines as
select q, part, place, has_number, n1, rest, has_more, beyond from hard_lines where part > 1;

create or replace view line_more as
select
    q,
    part,
    taken.n1 as typed1,
    taken.n2,
    taken.n3,
    taken.m3,
    taken.s1 || fraction_text(taken.f1) as s1,
    taken.s2 || fraction_text(taken.f2) as s2,
    taken.s3 || fraction_text(taken.f3) as s3
from hard_lines
where has_more;

create or replace table new_rests as
select distinct rest
from (select rest from lines union all select rest from other_lines)
where rest <> '' and rest not in (select rest from known_rests);

insert into known_rests select rest from new_rests;

-- The street as it is typed comes first. Then without what looks like an apartment at its end, once and twice; then with
-- a word in front that belongs to the number (`111 A BROADWAY`), and with `REAR` behind it, which is a house of its own.
create or replace table street_texts as
with typed as (
    select rest from new_rests
),
without as (
    select
        rest,
        regexp_replace(rest, '[ -]+([0-9]+-?[A-Z]{0,2}|[A-Z]{1,2}-?[0-9]{1,4}[A-Z]?|[A-DF-MO-RT-VX-Z]|[0-9]+ ?(REAR|FRONT|RIGHT|LEFT|[FRL]))$', '')
            as once,
        regexp_extract(rest, '^([A-DF-MO-RT-VX-Z]|REAR|FRONT|GARAGE) (.+)$', ['suffix', 'name']) as front,
        regexp_extract(rest, '^(.+) (REAR|FRONT|GARAGE)$', ['name', 'suffix']) as back
    from typed
),
again as (
    select
        *,
        regexp_replace(once, '[ -]+([0-9]+-?[A-Z]{0,2}|[A-Z]{1,2}-?[0-9]{1,4}[A-Z]?|[A-DF-MO-RT-VX-Z])$', '') as twice,
        regexp_replace(front.name, '[ -]+([0-9]+-?[A-Z]{0,2}|[A-Z]{1,2}-?[0-9]{1,4}[A-Z]?|[A-DF-MO-RT-VX-Z])$', '') as front_once
    from without
)
select rest, 1 as turn, rest as name, '' as suffix from again where rest <> ''
union all
select rest, 2 as turn, once as name, '' as suffix from again where once <> rest and once <> ''
union all
select rest, 3 as turn, twice as name, '' as suffix from again where twice <> once and twice <> ''
union all
select rest, 4 as turn, back.name as name, back.suffix from again where back.name <> ''
union all
select rest, 5 as turn, front.name as name, front.suffix from again where front.name <> ''
union all
select rest, 6 as turn, front_once as name, front.suffix from again where front_once <> front.name;

create or replace table street_names as
select distinct name from street_texts;
