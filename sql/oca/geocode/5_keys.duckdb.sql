-- Purpose: how a street is written once: the directory's names and typed ones become the same key by the same rules.
-- Engine:  DuckDB
-- Inputs:  the table street_names: name, distinct, as address_text() gives it; the macros of 1_words.
-- Outputs: the table street_keys: name, key; a key is empty where nothing was left of the name.
create or replace table street_keys as
with split as materialized (
    -- 193RD is 193, E193 is EAST 193, and a `193 RD STREET` has an ordinal in two pieces.
    select
        name,
        string_split(trim(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
            name,
            '[^A-Z0-9]+', ' ', 'g'),
            '\b([NSEW])([0-9])', '\1 \2', 'g'),
            '\b0*([0-9]+)(ST|ND|RD|TH)\b', '\1', 'g'),
            '\b([0-9]+) (ST|ND|RD|TH) (STREET|STR|ST|AVENUE|AVE|AV|ROAD|RD|PLACE|PL|DRIVE|DR|LANE|TERRACE|COURT)\b',
            '\1 \3', 'g')), ' ') as words
    from street_names
),
spelled as materialized (
    select name, list_transform(words, lambda word: street_word(word)) as words, len(words) as length
    from split
),
placed as materialized (
    select
        name,
        words,
        length,
        words[1] as first_word,
        length > 1 and not (length = 2 and words[1] = 'AVENUE') as has_directions,
        list_concat(['']::varchar[], words) as before,
        list_concat(words[2:], ['']::varchar[]) as after
    from spelled
),
-- In front and at the end of a name a single letter is a direction, but for AVENUE S. In front ST is a saint, elsewhere a
-- street; in front DR is a doctor.
turned as materialized (
    select
        name,
        list_transform(words, lambda word, place: case
            when word = 'ST' then case
                when place < length
                    and (place = 1 or before[place] = 'FORT' or (place = 2 and is_direction(first_word)))
                    and not is_street_type(after[place]) and not is_direction(after[place])
                    then 'SAINT' else 'STREET' end
            when word = 'DR' and place > 1 then 'DRIVE'
            when has_directions and (place = 1 or place = length) then direction(word)
            else word
        end) as words
    from placed
)
-- MAC DOUGAL and MACDOUGAL are one street: blanks count between numbers alone.
select
    name,
    replace(regexp_replace(array_to_string(words, ' '), '([0-9]) ([0-9])', '\1_\2', 'g'), ' ', '') as key
from turned;
