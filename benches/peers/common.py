"""Shared by the peers: the place of the database, and the way to write clean rows."""

import io
import os
from urllib.parse import unquote, urlsplit

from clean import RAW

URL = os.environ.get("DATABASE_URL", "")
TARGET = os.environ.get("TARGET", "")
SOURCE = os.environ.get("SOURCE", "companies_raw")
WORKERS = int(os.environ.get("WORKERS", "2"))
COLUMNS = [*RAW, "zip", "is_largest"]


def parts():
    """Host, port, user, password and database of the URL."""
    url = urlsplit(URL)
    return url.hostname, url.port or 5432, unquote(url.username or ""), unquote(url.password or ""), url.path[1:]


def engine():
    """The engine that pandas reads with."""
    import sqlalchemy

    host, port, user, password, database = parts()
    place = sqlalchemy.URL.create("postgresql+psycopg2", user, password, host, port, database)
    return sqlalchemy.create_engine(place)


def write(connection, df):
    """Writes clean rows by COPY from a CSV in memory, the fastest way that pandas has."""
    rows = io.StringIO()
    df.to_csv(rows, index=False, header=False, columns=COLUMNS, na_rep="\\N")
    rows.seek(0)
    with connection.cursor() as cursor:
        cursor.copy_expert(f"copy {TARGET} ({', '.join(COLUMNS)}) from stdin (format csv, null '\\N')", rows)
