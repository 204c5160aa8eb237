# Runs a cleaning function, partition after partition, for the program that started this process.
#
# Packets are exchanged over standard input and output: the length of a JSON header (4 bytes, little endian), the header, the
# length of a body (8 bytes) and the body, in Arrow's stream format. The first packet says what to load; each further one is a
# partition. The function's own output goes to standard error. When standard input is closed, the process exits at once, even in
# the middle of a partition, because nobody waits for the result.

import importlib
import json
import os
import queue
import struct
import sys
import threading
import traceback
import warnings

requests = queue.SimpleQueue()


def take_streams():
    """Reserves both streams for packets. The function gets an empty input, and its output goes to the log."""
    frames_in, frames_out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)
    return frames_in, frames_out


def read_requests(frames_in):
    """Hands requests to the main thread; ends the process when standard input is closed."""
    try:
        while length := frames_in.read(4):
            header = json.loads(frames_in.read(struct.unpack("<I", length)[0]))
            body = frames_in.read(struct.unpack("<Q", frames_in.read(8))[0])
            requests.put((header, body))
    finally:
        os._exit(0)


def answer(frames_out, header, body=b""):
    header = json.dumps(header).encode()
    frames_out.write(struct.pack("<I", len(header)))
    frames_out.write(header)
    frames_out.write(struct.pack("<Q", len(body)))
    frames_out.write(body)
    frames_out.flush()


class Refused(Exception):
    """An error that is reported in one sentence, without a traceback."""


def describe(error):
    """The message of an exception, and its traceback in the user's files, without the lines of this file."""
    if isinstance(error, Refused):
        return {"error": str(error), "traceback": ""}
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == main.__code__.co_filename:
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    last = traceback.format_exception_only(type(error), error)[-1].strip()
    return {"error": last[:2000], "traceback": text[-20000:]}


def load(start):
    """Imports the module from the job's folder; returns the function and the versions of the libraries."""
    try:
        import pandas
    except ImportError as error:
        raise Refused(f"{sys.executable} has no pandas ({error}): {sys.executable} -m pip install pandas pyarrow") from None
    try:
        import pyarrow
    except ImportError as error:
        raise Refused(f"{sys.executable} has no pyarrow ({error}): {sys.executable} -m pip install pyarrow") from None
    sys.dont_write_bytecode = True
    sys.path.insert(0, start["folder"])
    module = importlib.import_module(start["module"])
    function = getattr(module, start["function"], None)
    if not callable(function):
        there = ", ".join(sorted(name for name, value in vars(module).items() if callable(value) and name[0] != "_"))
        raise Refused(f"{start['module']}.py has no function {start['function']} (it has: {there or 'none'})")
    versions = {"python": sys.version.split()[0], "pandas": pandas.__version__, "pyarrow": pyarrow.__version__}
    return function, versions


def imported(folder):
    """The imported files of the folder, relative to it."""
    folder = os.path.realpath(folder)
    found = set()
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and os.path.realpath(path).startswith(folder + os.sep):
            found.add(os.path.relpath(os.path.realpath(path), folder))
    return sorted(found)


class ArrivedJson:
    """The JSON texts of a partition, so that a value which the function leaves as it was goes back digit by digit: a number in
    JSON may have more digits than a float, and a text may look like a number."""

    def __init__(self):
        self.texts = {}

    def objects(self, text):
        value = json.loads(text)
        key = json.dumps(value)
        known = self.texts.setdefault(key, text)
        if known is not None and known != text and exact(known) != exact(text):
            # Two numbers that are one as floats.
            self.texts[key] = None
        return value

    def text_of(self, value, name, row):
        try:
            key = json.dumps(value, default=str)
            if key not in self.texts:
                # A number that is too large for a float arrives as infinity, which goes back as the text that it was.
                json.dumps(value, default=str, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise Refused(f"{name} of row {row} cannot be JSON: {error}") from None
        if key in self.texts:
            if self.texts[key] is None:
                raise Refused(f"{name} of row {row} has a number with more digits than a float holds: make the column a text in the source")
            return self.texts[key]
        if isinstance(value, str):
            try:
                json.loads(value, parse_constant=no_json)
                return value
            except ValueError:
                pass
        return json.dumps(value, ensure_ascii=False, default=str)


def no_json(constant):
    """Python reads `NaN` and `Infinity`, which are not JSON."""
    raise ValueError(constant)


def exact(text):
    import decimal

    return json.loads(text, parse_float=decimal.Decimal)


# --- from Arrow to the function ---------------------------------------------------------------------


def frame_of(table, types, arrived):
    """The same frame as from `pandas.read_sql`, except for integers with NULL (`Int64`), numerics (`Decimal`) and times with
    a zone (`datetime64[us, UTC]`)."""
    import decimal

    import pandas
    import pyarrow

    def series_of(column, kind):
        if kind in BITS:
            column = column.cast(pyarrow.int64())
            return column.to_pandas(types_mapper={pyarrow.int64(): pandas.Int64Dtype()}.get if column.null_count else None)
        if kind == "numeric":
            values = [None if value is None else decimal.Decimal(str(value)) for value in column.to_pylist()]
            return pandas.Series(values, dtype=object)
        if kind in ("json", "jsonb"):
            values = [None if value is None else arrived.objects(value) for value in column.to_pylist()]
            return pandas.Series(values, dtype=object)
        if kind == "timestamp with time zone":
            return column.cast(pyarrow.timestamp("us", "UTC")).to_pandas()
        if kind == "timestamp without time zone":
            return column.cast(pyarrow.timestamp("us")).to_pandas()
        return column.to_pandas()

    frame = pandas.DataFrame(index=pandas.RangeIndex(table.num_rows))
    columns = {}
    for name, column in zip(table.column_names, table.columns):
        try:
            columns[name] = series_of(column, types[name])
        except (ValueError, OverflowError) as error:
            row = unfit_row(column, lambda part: series_of(part, types[name]))
            raise Refused(f"{name} of row {row} has no value in Python ({types[name]}): {error}") from None
    return pandas.DataFrame(columns, index=frame.index, columns=table.column_names)


def unfit_row(column, convert):
    """The first row whose value Python does not have: an infinite date, for example, or the time 24:00."""
    first, rows = 0, len(column)
    while rows > 1:
        half = rows // 2
        try:
            convert(column.slice(first, half))
            first, rows = first + half, rows - half
        except (ValueError, OverflowError):
            rows = half
    return first


# --- from the function to Arrow ---------------------------------------------------------------------


def table_of(frame, types, arrived):
    """An Arrow table of the frame, with the types of the target; an error names the column and the row of a value that does
    not fit."""
    import pandas
    import pyarrow

    if not isinstance(frame, pandas.DataFrame):
        raise Refused(f"the function gave {type(frame).__name__}, and a DataFrame is wanted")
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str):
            raise Refused(f"the frame has a column {name!r}, which is not a text")
        if names.count(name) > 1:
            raise Refused(f"the frame has the column {name} twice")
    columns = {}
    for name in names:
        try:
            columns[name] = column_of(frame[name], name, types.get(name, "text"), arrived)
        except (pyarrow.ArrowException, OverflowError, UnicodeError) as error:
            raise Refused(f"{name} does not fit into {types.get(name, 'text')}: {error}") from None
    return pyarrow.table(columns)


BITS = {"smallint": 15, "integer": 31, "bigint": 63}
ZONES = {"timestamp with time zone": True, "timestamp without time zone": False}


def column_of(series, name, kind, arrived):
    import pandas
    import pyarrow

    series = series.reset_index(drop=True)
    if isinstance(series.dtype, pandas.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype if series.notna().all() else object)
    if kind in BITS and pandas.api.types.is_integer_dtype(series.dtype):
        if len(series) and series.notna().any():
            check_range(int(series.min()), name, kind)
            check_range(int(series.max()), name, kind)
        return pyarrow.array(series, pyarrow.int64(), from_pandas=True)
    if kind in ("real", "double precision") and pandas.api.types.is_numeric_dtype(series.dtype):
        return pyarrow.array(series, pyarrow.float64(), from_pandas=True)
    if kind == "boolean" and pandas.api.types.is_bool_dtype(series.dtype):
        return pyarrow.array(series, pyarrow.bool_(), from_pandas=True)
    if kind in ZONES and pandas.api.types.is_datetime64_any_dtype(series.dtype):
        check_zone(series.dt.tz, name, kind)
        values = pyarrow.array(series, from_pandas=True)
        return values.cast(pyarrow.timestamp("us", "UTC" if series.dt.tz is not None else None))
    if kind.startswith(("text", "character")) and not kind.endswith("[]") and pandas.api.types.infer_dtype(series) in ("string", "empty"):
        return pyarrow.array(series, pyarrow.string(), from_pandas=True)
    return pyarrow.array([text_of(value, name, row, kind, arrived) for row, value in enumerate(series)], pyarrow.string())


def text_of(value, name, row, kind, arrived):
    """A value in PostgreSQL's text form; None for a missing value."""
    import datetime

    import numpy

    if isinstance(value, numpy.generic):
        value = value.item()
    if is_missing(value):
        return None
    if kind in ("json", "jsonb"):
        return arrived.text_of(value, name, row)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and kind in BITS:
        if not value.is_integer():
            raise Refused(f"{name} of row {row} is {value!r}, and the target's is {kind}")
        value = int(value)
    if isinstance(value, int) and kind in BITS:
        check_range(value, name, kind)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, datetime.datetime):
        if kind in ZONES:
            check_zone(value.tzinfo, f"{name} of row {row}", kind)
        if kind == "date" and value.time() != datetime.time():
            raise Refused(f"{name} of row {row} is {value}, and the target's is date")
        return str(value.date()) if kind == "date" else value.isoformat(sep=" ")
    if isinstance(value, (list, tuple, set, numpy.ndarray)) and kind.endswith("[]"):
        return array_text(value, name, row, kind, arrived)
    if isinstance(value, (list, tuple, set, dict, numpy.ndarray)):
        raise Refused(f"{name} of row {row} is a {type(value).__name__}, and the target's is {kind}")
    return str(value)


def check_range(value, name, kind):
    if not -(2 ** BITS[kind]) <= value < 2 ** BITS[kind]:
        raise Refused(f"{name} has the value {value}, which does not fit into {kind}")


def check_zone(zone, name, kind):
    """PostgreSQL would drop a zone that its column does not take, and guess one that is not there."""
    if (zone is not None) != ZONES[kind]:
        has = "a" if zone is not None else "no"
        raise Refused(f"{name} has {has} time zone, and the target's is {kind}")


def array_text(values, name, row, kind, arrived):
    """An array of any number of dimensions in PostgreSQL's text form."""
    items = []
    for value in values:
        if isinstance(value, (list, tuple, set)) or type(value).__name__ == "ndarray":
            items.append(array_text(value, name, row, kind, arrived))
            continue
        text = text_of(value, name, row, kind.removesuffix("[]"), arrived)
        items.append("NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + ",".join(items) + "}"


def is_missing(value):
    import pandas

    if value is None or value is pandas.NA or value is pandas.NaT:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError, ArithmeticError):
        return type(value).__name__ == "Decimal" and value.is_nan()


def clean(function, header, body, types):
    import pyarrow

    table = pyarrow.ipc.open_stream(body).read_all()
    arrived = ArrivedJson()
    frame = frame_of(table, types["source"], arrived)
    del table
    made = table_of(function(frame), types["target"], arrived)
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)
    return {"rows": made.num_rows}, sink.getvalue()


def main():
    frames_in, frames_out = take_streams()
    threading.Thread(target=read_requests, args=(frames_in,), daemon=True).start()
    start, _ = requests.get()
    try:
        function, versions = load(start)
    except BaseException as error:
        answer(frames_out, describe(error))
        return
    answer(frames_out, {**versions, "files": imported(start["folder"])})
    warnings.simplefilter("default")
    while True:
        header, body = requests.get()
        try:
            said, made = clean(function, header, body, start["types"])
        # BaseException, because a function that calls sys.exit has not cleaned its partition either.
        except BaseException as error:
            said, made = describe(error), b""
        del body
        sys.stdout.flush()
        answer(frames_out, said, made)


main()
