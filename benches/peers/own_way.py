"""The job as people write it: a table of what is to be done, processes that take a ZIP code each, `read_sql`, a function of
pandas, a CSV in memory, COPY."""

import multiprocessing
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pandas as pd
from clean import clean
from common import SOURCE, WORKERS, engine, write


def work(number):
    place = engine()
    taken = place.raw_connection()
    while True:
        with taken.cursor() as cursor:
            cursor.execute(
                "update own_way set status = 'taken' where number = (select number from own_way where status is null "
                "order by number limit 1 for update skip locked) returning number, zip_code"
            )
            row = cursor.fetchone()
        taken.commit()
        if row is None:
            return
        one, zip_code = row
        if zip_code is None:
            df = pd.read_sql(f"select * from {SOURCE} where zip_code is null", place)
        else:
            df = pd.read_sql(f"select * from {SOURCE} where zip_code = %(zip)s", place, params={"zip": zip_code})
        write(taken, clean(df))
        with taken.cursor() as cursor:
            cursor.execute("update own_way set status = 'done' where number = %s", (one,))
        taken.commit()


if __name__ == "__main__":
    connection = engine().raw_connection()
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists own_way")
        cursor.execute(
            f"create table own_way as select row_number() over (order by count(*) desc) as number, zip_code, "
            f"null::text as status from {SOURCE} group by zip_code"
        )
        cursor.execute("alter table own_way add primary key (number)")
    connection.commit()
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        pool.map(work, range(WORKERS))
