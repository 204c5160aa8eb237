"""The same function in Spark, local mode: JDBC in (or buckets, if PARQUET names a file with their names, one a line), applyInPandas, JDBC
out."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from clean import RAW, clean
from common import COLUMNS, SOURCE, TARGET, WORKERS, parts
from pyspark.sql import SparkSession, functions

TYPES = {"company_id": "long", "employees": "long", "founded": "timestamp", "revenue": "double", "is_largest": "boolean"}


def main():
    here = str(Path(__file__).parent)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = here
    spark = (
        SparkSession.builder.master(f"local[{WORKERS}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "4g")
        .config("spark.jars", os.environ.get("JDBC_JAR", "/usr/share/java/postgresql.jar"))
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", str(WORKERS * 8))
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .getOrCreate()
    )
    host, port, user, password, database = parts()
    place = {
        "url": f"jdbc:postgresql://{host}:{port}/{database}?stringtype=unspecified&reWriteBatchedInserts=true",
        "user": user,
        "password": password,
        "driver": "org.postgresql.Driver",
    }
    if "PARQUET" in os.environ:
        names = [name for name in Path(os.environ["PARQUET"]).read_text().split("\n") if name]
        raw = spark.read.parquet(*names)
    else:
        bounds = spark.read.format("jdbc").options(**place)
        bounds = bounds.option("query", f"select min(company_id), max(company_id) from {SOURCE}").load().first()
        raw = spark.read.format("jdbc").options(**place).option("dbtable", SOURCE).option("fetchsize", 10000)
        raw = raw.option("partitionColumn", "company_id").option("numPartitions", WORKERS * 8)
        raw = raw.option("lowerBound", bounds[0]).option("upperBound", bounds[1] + 1).load()
    schema = ", ".join(f"{column} {TYPES.get(column, 'string')}" for column in COLUMNS)
    out = raw.select(*RAW).groupBy("zip_code").applyInPandas(clean, schema)
    out = out.withColumn("founded", functions.col("founded").cast("date"))
    out = out.withColumn("revenue", functions.col("revenue").cast("decimal(14, 2)")).select(*COLUMNS)
    writer = out.write.format("jdbc").options(**place).option("dbtable", TARGET).option("batchsize", 10000)
    writer.mode("append").save()
    spark.stop()


if __name__ == "__main__":
    main()
