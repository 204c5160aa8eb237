-- Does the same as clean.py, as a query. raw holds several whole ZIP codes at once.
with told as (
    select
        company_id,
        zip_code,
        nullif(trim(zip_code), '') as zip,
        nullif(upper(regexp_replace(trim(name), ' +', ' ', 'g')), '') as name,
        nullif(upper(regexp_replace(trim(street), ' +', ' ', 'g')), '') as street,
        nullif(upper(regexp_replace(trim(city), ' +', ' ', 'g')), '') as city,
        nullif(trim(trade_name), '') as trade_name,
        nullif(trim(unit), '') as unit,
        nullif(trim(county), '') as county,
        nullif(trim(contact), '') as contact,
        nullif(trim(title), '') as title,
        nullif(trim(legal_form), '') as legal_form,
        nullif(trim(status), '') as status,
        nullif(trim(remarks), '') as remarks,
        nullif(trim(naics), '') as naics,
        nullif(trim(sic), '') as sic,
        nullif(trim(website), '') as website,
        replace(upper(trim(state)), '.', '') as state,
        case when country in ('US', 'United States', '') then 'USA' else country end as country,
        nullif(regexp_replace(phone, '\D+', '', 'g'), '') as phone,
        nullif(regexp_replace(fax, '\D+', '', 'g'), '') as fax,
        nullif(nullif(lower(trim(email)), ''), 'n/a') as email,
        try_cast(replace(employees, ',', '') as bigint) as employees,
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
