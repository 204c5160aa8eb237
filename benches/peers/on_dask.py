"""The same function in Dask: from the raw table (or from buckets, if PARQUET names a file with their names, one a line), shuffled
by ZIP code, into the clean table."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import dask
import dask.dataframe as dd
import pandas as pd
from clean import RAW, clean
from common import COLUMNS, SOURCE, WORKERS, engine, write
from dask.distributed import Client, LocalCluster


def cleaned(df):
    return clean(df[RAW])[COLUMNS]


@dask.delayed
def written(df):
    connection = engine().raw_connection()
    if len(df):
        write(connection, df)
    connection.commit()
    return len(df)


def main():
    cluster = LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None)
    with Client(cluster):
        if "PARQUET" in os.environ:
            names = Path(os.environ["PARQUET"]).read_text().split("\n")
            df = dd.read_parquet([name for name in names if name], columns=RAW)
        else:
            place = engine().url.render_as_string(hide_password=False)
            df = dd.read_sql_table(SOURCE, place, index_col="company_id", npartitions=WORKERS * 8, columns=RAW[1:])
            df = df.reset_index()
        # A missing key is a partition too, and a shuffle needs a value to go by.
        df["grouped_by"] = df["zip_code"].fillna("(none)")
        empty = pd.DataFrame({column: ["1"] for column in RAW}).astype({"company_id": "int64"})
        meta = clean(empty).iloc[:0]
        out = df.groupby("grouped_by").apply(cleaned, meta=meta)
        print(sum(dask.compute(*[written(part) for part in out.to_delayed()])))


if __name__ == "__main__":
    main()
