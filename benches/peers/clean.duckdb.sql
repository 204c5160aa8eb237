-- Does the same as clean.py, as a query. raw holds several whole ZIP codes at once.
with told as (
    select
        company_id,
        zip_code,
        nullif(trim(zip_code), '') as zip,
        upper(regexp_replace(trim(name), '\s+', ' ', 'g')) as name,
        coalesce(
            try_strptime(founded, '%Y-%m-%d')::date,
            try_strptime(founded, '%m/%d/%Y')::date,
            case when founded ~ '^\d{4}$' then make_date(founded::integer, 1, 1) end
        ) as founded,
        try_cast(replace(ltrim(revenue, '$'), ',', '') as decimal(14, 2)) as revenue
    from raw
    where name is not null
)
select
    *,
    row_number() over (partition by zip_code order by revenue desc nulls last, company_id) = 1 as is_largest
from told
