//! A cleaning function in a real Python with a real pandas: what it receives, what it returns, and how it fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use merganser::transform::python::{Cleaned, Function, Python, PythonError};

use crate::support::tools;

const PLENTY: u64 = 4 << 30;

/// A table of one partition: names, PostgreSQL types, values.
struct Rows(Vec<(&'static str, &'static str, ArrayRef)>);

impl Rows {
    fn batch(&self) -> (SchemaRef, RecordBatch) {
        let fields =
            self.0.iter().map(|(name, _, values)| Field::new(*name, values.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let values = self.0.iter().map(|(_, _, values)| values.clone()).collect();
        (schema.clone(), RecordBatch::try_new(schema, values).unwrap())
    }

    fn types(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, kind, _)| ((*name).into(), (*kind).into())).collect()
    }
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// Two columns, which most functions here take.
fn two() -> Rows {
    Rows(vec![
        ("id", "bigint", numbers(&[Some(1), Some(2), Some(3)])),
        ("name", "text", texts(&[Some("a"), None, Some("ü")])),
    ])
}

fn function(folder: &Path, source: &Rows, target: &[(&str, &str)], code: &str) -> Function {
    fs::write(folder.join("clean.py"), code).unwrap();
    Function {
        interpreter: tools::python(),
        folder: folder.to_owned(),
        module: "clean".into(),
        function: "clean".into(),
        source: source.types(),
        target: target.iter().map(|(name, kind)| ((*name).into(), (*kind).into())).collect(),
    }
}

async fn clean(rows: &Rows, target: &[(&str, &str)], code: &str) -> Result<Cleaned, PythonError> {
    let folder = tempfile::tempdir().unwrap();
    let mut python = Python::start(&function(folder.path(), rows, target, code)).await?;
    let (schema, batch) = rows.batch();
    let cleaned = python.clean("10001", (&schema, vec![batch]), PLENTY).await;
    python.stop().await;
    cleaned
}

/// All values as texts, by the column's name.
fn shown(cleaned: &Cleaned) -> BTreeMap<String, Vec<Option<String>>> {
    let mut columns = BTreeMap::<String, Vec<Option<String>>>::new();
    for batch in &cleaned.rows {
        for (field, values) in cleaned.schema.fields().iter().zip(batch.columns()) {
            let plain = match values.data_type() {
                DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, None),
                other => other.clone(),
            };
            let values = arrow::compute::cast(values, &plain).unwrap();
            let values = arrow::compute::cast(&values, &DataType::Utf8).unwrap();
            let values: Vec<_> =
                values.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect();
            columns.entry(field.name().clone()).or_default().extend(values);
        }
    }
    columns
}

fn raised(result: Result<Cleaned, PythonError>) -> (String, String) {
    match result {
        Err(error @ PythonError::Raised { .. }) => (error.to_string(), error.traceback().to_owned()),
        other => panic!("expected an exception: {other:?}"),
    }
}

#[tokio::test]
async fn the_frame_has_the_types_that_read_sql_gives_but_for_three() {
    let rows = Rows(vec![
        ("whole", "integer", numbers(&[Some(1), Some(2)])),
        ("holes", "bigint", numbers(&[Some(8_123_456_789_012_345_678), None])),
        ("price", "numeric", texts(&[Some("12345678901234.5678"), None])),
        ("share", "double precision", Arc::new(Float64Array::from(vec![Some(0.5), None]))),
        ("name", "text", texts(&[Some(""), None])),
        ("yes", "boolean", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("day", "date", Arc::new(Date32Array::from(vec![Some(0), None]))),
        (
            "at",
            "timestamp with time zone",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None]).with_timezone("UTC")),
        ),
        (
            "local",
            "timestamp without time zone",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(-62_135_596_800_000_000), None])),
        ),
        ("more", "jsonb", texts(&[Some("{\"a\": [1]}"), None])),
    ]);
    let code = r#"
import datetime, decimal
import pandas as pd

def clean(df):
    assert list(df.columns) == ["whole", "holes", "price", "share", "name", "yes", "day", "at", "local", "more"]
    assert df.whole.dtype == "int64" and df.holes.dtype == "Int64"
    assert df.holes[0] == 8123456789012345678 and df.holes[1] is pd.NA
    assert df.price[0] == decimal.Decimal("12345678901234.5678") and df.price[1] is None
    assert df.share.dtype == "float64" and df.name[0] == "" and pd.isna(df.name[1])
    assert df.yes[0] is True and df.yes[1] is None
    assert df.day[0] == datetime.date(1970, 1, 1) and df.day[1] is None
    assert str(df["at"].dtype) == "datetime64[us, UTC]" and df["at"][0].microsecond == 1
    assert df.local.dtype == "datetime64[us]" and df.local[0].year == 1
    assert df.more[0] == {"a": [1]}
    return df.set_index("whole", drop=False)
"#;
    let target: Vec<_> = rows.0.iter().map(|(name, kind, _)| (*name, *kind)).collect();
    let shown = shown(&clean(&rows, &target, code).await.unwrap());
    let value = |column: &str| shown[column].iter().map(|value| value.as_deref()).collect::<Vec<_>>();
    assert_eq!(value("whole"), [Some("1"), Some("2")]);
    assert_eq!(value("holes"), [Some("8123456789012345678"), None]);
    assert_eq!(value("price"), [Some("12345678901234.5678"), None]);
    assert_eq!(value("share"), [Some("0.5"), None]);
    assert_eq!(value("name"), [Some(""), None]);
    assert_eq!(value("yes"), [Some("true"), None]);
    assert_eq!(value("day"), [Some("1970-01-01"), None]);
    assert_eq!(value("at"), [Some("1970-01-01T00:00:00.000001"), None]);
    assert_eq!(value("local"), [Some("0001-01-01T00:00:00"), None]);
    assert_eq!(value("more"), [Some("{\"a\": [1]}"), None]);
}

#[tokio::test]
async fn what_comes_back_fits_the_target_or_is_named() {
    let target = [
        ("id", "bigint"),
        ("count", "integer"),
        ("price", "numeric"),
        ("day", "date"),
        ("tags", "text[]"),
        ("kind", "text"),
        ("code", "text"),
        ("at", "timestamp with time zone"),
        ("local", "timestamp without time zone"),
    ];
    let code = r#"
import datetime, decimal
import numpy as np
import pandas as pd

def clean(df):
    df["count"] = [1.0, np.nan, 3.0]
    df["price"] = [decimal.Decimal("1.10"), decimal.Decimal("NaN"), np.float64("nan")]
    df["day"] = pd.to_datetime(["2024-02-29", None, "1999-12-31"])
    df["tags"] = [["a", 'b"c\\'], [], None]
    df["kind"] = pd.Categorical(["x", None, "x"])
    df["code"] = [7, "seven", None]
    df["at"] = pd.to_datetime(["2024-01-01T12:00:00+05:00"] * 3, utc=True)
    return df.drop(columns="name")
"#;
    let shown = shown(&clean(&two(), &target, code).await.unwrap());
    let value = |column: &str| shown[column].iter().map(|value| value.as_deref()).collect::<Vec<_>>();
    assert_eq!(value("count"), [Some("1"), None, Some("3")]);
    assert_eq!(value("price"), [Some("1.10"), None, None]);
    assert_eq!(value("day"), [Some("2024-02-29"), None, Some("1999-12-31")]);
    assert_eq!(value("tags"), [Some(r#"{"a","b\"c\\"}"#), Some("{}"), None]);
    assert_eq!(value("kind"), [Some("x"), None, Some("x")]);
    assert_eq!(value("code"), [Some("7"), Some("seven"), None]);
    assert_eq!(value("at")[0], Some("2024-01-01T07:00:00"));

    for (line, words) in [
        ("df['count'] = [1.0, 2.5, 3.0]; return df", "count of row 1 is 2.5, and the target's is integer"),
        (
            "df['count'] = [2**64, 1, 2]; return df",
            "count has the value 18446744073709551616, which does not fit into integer",
        ),
        ("df['count'] = [2**31, 1, 2]; return df", "which does not fit into integer"),
        ("df['day'] = [datetime.datetime(2024, 1, 1, 9)] * 3; return df", "and the target's is date"),
        ("df['at'] = [datetime.datetime(2024, 1, 1)] * 3; return df", "at has no time zone"),
        (
            "utc = datetime.timezone.utc; days = [datetime.datetime(2024, 1, 1, tzinfo=utc), datetime.datetime(2024, 1, 1), None]; \
             import pandas; return df.assign(at=pandas.Series(days, dtype=object))",
            "at of row 1 has no time zone, and the target's is timestamp with time zone",
        ),
        (
            "utc = datetime.timezone.utc; day = datetime.datetime(2024, 1, 1, tzinfo=utc); \
             import pandas; return df.assign(local=pandas.Series([None, day, None], dtype=object))",
            "local of row 1 has a time zone, and the target's is timestamp without time zone",
        ),
        ("df['kind'] = [{}] * 3; return df", "kind of row 0 is a dict, and the target's is text"),
        ("df.columns = ['id', 'id']; return df", "the frame has the column id twice"),
        ("df.columns = [1, 2]; return df", "the frame has a column 1, which is not a text"),
        ("return None", "the function gave NoneType, and a DataFrame is wanted"),
    ] {
        let code = format!("import datetime\n\ndef clean(df):\n    {line}\n");
        let (error, _) = raised(clean(&two(), &target, &code).await);
        assert!(error.contains(words), "{line}: {error}");
    }
}

/// What the function leaves as it was goes back digit by digit.
#[tokio::test]
async fn json_and_arrays_pass_through_unchanged() {
    let json = [
        r#""5""#,
        r#""abc""#,
        "12345678901234567.891",
        "1.10",
        r#"{"b": 1.10, "a": [null, "7"]}"#,
        "true",
        "[]",
    ];
    let whole = |texts_of: &[&str]| texts(&texts_of.iter().map(|text| Some(*text)).collect::<Vec<_>>());
    let numbers = ["{1.50,NULL}"; 7];
    let times = ["{\"2024-01-01 00:00:00\"}"; 7];
    let rows = Rows(vec![
        ("more", "jsonb", whole(&json)),
        ("sums", "numeric[]", whole(&numbers)),
        ("days", "timestamp without time zone[]", whole(&times)),
        ("at", "timestamp with time zone[]", whole(&times)),
    ]);
    let target: Vec<_> = rows.0.iter().map(|(name, kind, _)| (*name, *kind)).collect();
    let code = "def clean(df):\n    assert df.more[0] == '5' and df.more[4]['a'] == [None, '7']\n    return df.iloc[::-1]\n";
    let shown = shown(&clean(&rows, &target, code).await.unwrap());
    let value =
        |column: &str| shown[column].iter().rev().map(|value| value.as_deref().unwrap()).collect::<Vec<_>>();
    assert_eq!(value("more"), json);
    assert_eq!(value("sums"), numbers);
    assert_eq!(value("days"), times);
    assert_eq!(value("at"), times);

    // What the function makes is JSON: a text that is JSON already, or any other value.
    let code =
        "def clean(df):\n    return df.assign(more=['{\"a\": 1}', 'plain', {'n': 2}, 3, None, [4], True])\n";
    let made = shown_of(&rows, &target, code).await;
    let made: Vec<_> = made["more"].iter().map(Option::as_deref).collect();
    let expected = [r#"{"a": 1}"#, r#""plain""#, r#"{"n": 2}"#, "3", "[4]", "true"];
    assert_eq!(made.iter().flatten().copied().collect::<Vec<_>>(), expected);
    assert_eq!(made[4], None);

    let code = "def clean(df):\n    return df.assign(more='NaN')\n";
    let made = shown_of(&rows, &target, code).await;
    assert_eq!(made["more"][0].as_deref(), Some("\"NaN\""));

    let close = Rows(vec![("more", "jsonb", whole(&["0.1", "0.10000000000000000001", "0.1"]))]);
    let (error, _) = raised(clean(&close, &[("more", "jsonb")], "def clean(df):\n    return df\n").await);
    assert!(error.contains("more of row 0 has a number with more digits than a float holds"), "{error}");

    // These are infinite as floats.
    let large = Rows(vec![("more", "jsonb", whole(&["1e400", r#"{"a": -1e999}"#]))]);
    let made = shown_of(&large, &[("more", "jsonb")], "def clean(df):\n    return df\n").await;
    assert_eq!(made["more"], [Some("1e400".to_owned()), Some(r#"{"a": -1e999}"#.to_owned())]);
}

#[tokio::test]
async fn a_date_or_a_time_that_python_lacks_is_named() {
    let days: ArrayRef = Arc::new(Date32Array::from(vec![1, i32::MAX, 2]));
    let times: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![1, 2, 86_400_000_000]));
    for (column, row) in [(("day", "date", days), 1), (("at", "time without time zone", times), 2)] {
        let (name, kind, _) = column;
        let rows = Rows(vec![column]);
        let (error, _) = raised(clean(&rows, &[(name, kind)], "def clean(df):\n    return df\n").await);
        assert!(error.contains(&format!("{name} of row {row} has no value in Python ({kind})")), "{error}");
    }
}

async fn shown_of(rows: &Rows, target: &[(&str, &str)], code: &str) -> BTreeMap<String, Vec<Option<String>>> {
    shown(&clean(rows, target, code).await.unwrap())
}

#[tokio::test]
async fn an_empty_partition_has_columns_and_types() {
    let rows = Rows(vec![("id", "bigint", numbers(&[])), ("name", "text", texts(&[]))]);
    let code = "def clean(df):\n    assert df.id.dtype == 'int64'\n    return df.assign(double=df.id * 2)\n";
    let cleaned =
        clean(&rows, &[("id", "bigint"), ("double", "bigint"), ("name", "text")], code).await.unwrap();
    assert_eq!(cleaned.schema.fields().len(), 3);
    assert_eq!(cleaned.rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
}

#[tokio::test]
async fn an_exception_fails_its_partition_and_the_process_goes_on() {
    let code = r#"
import sys
import helper

def clean(df):
    what = df.name[0]
    if what == "raise":
        return helper.divide(df)
    if what == "exit":
        sys.exit(3)
    if what == "read":
        assert sys.stdin.read() == "" and input
    print("hello")
    return df
"#;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("helper.py"), "def divide(df):\n    return 1 // 0\n").unwrap();
    let one =
        |what| Rows(vec![("id", "bigint", numbers(&[Some(1)])), ("name", "text", texts(&[Some(what)]))]);
    let target = [("id", "bigint"), ("name", "text")];
    let mut python = Python::start(&function(folder.path(), &one(""), &target, code)).await.unwrap();
    assert!(python.versions().pandas.starts_with(char::is_numeric), "{:?}", python.versions());
    assert_eq!(python.files().collect::<Vec<_>>(), [Path::new("clean.py"), Path::new("helper.py")]);
    for (what, words) in [("raise", "ZeroDivisionError"), ("exit", "SystemExit: 3")] {
        let (schema, batch) = one(what).batch();
        let (error, traceback) = raised(python.clean("1", (&schema, vec![batch]), PLENTY).await);
        assert!(error.starts_with(words) && traceback.contains("clean.py\", line"), "{error} {traceback}");
        assert!(!traceback.contains("<string>"), "{traceback}");
    }
    for what in ["", "read"] {
        let (schema, batch) = one(what).batch();
        let cleaned = python.clean("2", (&schema, vec![batch]), PLENTY).await.unwrap();
        assert_eq!(shown(&cleaned)["name"], [Some(what.to_owned())]);
        assert!(cleaned.peak_bytes > 10 << 20);
    }
    assert_eq!(python.partitions(), 2);
    python.stop().await;
    let written: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(written.len(), 2, "nothing is left in the job's folder: {written:?}");
}

#[tokio::test]
async fn a_process_that_dies_says_how() {
    let crash =
        "import ctypes\n\ndef clean(df):\n    print('last words', flush=True)\n    ctypes.string_at(0)\n";
    let error = clean(&two(), &[("id", "bigint")], crash).await.unwrap_err();
    let said = error.to_string();
    assert!(error.is_dead() && said.contains("segmentation fault (signal 11)"), "{said}");
    assert!(said.contains("last words"), "{said}");
    let leave = "import os\n\ndef clean(df):\n    os._exit(7)\n";
    let said = clean(&two(), &[("id", "bigint")], leave).await.unwrap_err().to_string();
    assert!(said.contains("exit code 7"), "{said}");
    // The kernel kills the process this way in a container whose memory is full.
    let killed = "import os\n\ndef clean(df):\n    os.kill(os.getpid(), 9)\n";
    assert!(matches!(clean(&two(), &[], killed).await, Err(PythonError::Memory { .. })));
}

#[tokio::test]
async fn a_function_that_takes_too_much_memory_is_ended() {
    let code = "def clean(df):\n    held = []\n    while True:\n        held.append(b'x' * (16 << 20))\n";
    let folder = tempfile::tempdir().unwrap();
    let rows = two();
    let mut python = Python::start(&function(folder.path(), &rows, &[], code)).await.unwrap();
    let (schema, batch) = rows.batch();
    let limit = 400 << 20;
    let error = python.clean("big", (&schema, vec![batch]), limit).await.unwrap_err();
    let PythonError::Memory { limit_bytes, peak_bytes } = error else { panic!("{error}") };
    assert!(limit_bytes == limit && peak_bytes > limit && peak_bytes < 4 * limit, "{peak_bytes}");
}

#[tokio::test]
async fn what_is_missing_is_said_before_the_first_partition() {
    let rows = two();
    let start = async |change: &dyn Fn(&mut Function), code: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut function = function(folder.path(), &rows, &[], code);
        change(&mut function);
        match Python::start(&function).await {
            Ok(_) => panic!("it started"),
            Err(error) => (error.to_string(), error.traceback().to_owned()),
        }
    };
    let code = "def clean_all(df):\n    return df\n";
    let (said, _) = start(&|_| (), code).await;
    assert_eq!(said, "clean.py has no function clean (it has: clean_all)");
    let (said, _) = start(&|function| function.module = "klean".into(), code).await;
    assert_eq!(said, "ModuleNotFoundError: No module named 'klean'");
    let (said, traceback) = start(&|_| (), "def clean(df:\n    return df\n").await;
    assert!(said.contains("SyntaxError") && traceback.contains("clean.py\", line 1"), "{said} {traceback}");
    let (said, _) = start(&|function| function.interpreter = "/nowhere/python".into(), code).await;
    assert!(said.starts_with("cannot start /nowhere/python"), "{said}");
    let bare = tempfile::tempdir().unwrap();
    let made = std::process::Command::new(tools::python())
        .args(["-m", "venv", "--without-pip"])
        .arg(bare.path())
        .status();
    assert!(made.unwrap().success());
    let (said, _) = start(&|function| function.interpreter = bare.path().join("bin/python"), code).await;
    assert!(said.contains("has no pandas") && said.contains("-m pip install pandas pyarrow"), "{said}");
}

/// A progress bar ends no line, or ends it by going back to its start.
#[tokio::test]
async fn a_line_without_an_end_is_not_kept() {
    let code = "def clean(df):\n    for n in range(2_000):\n        print('x' * 10_000, end='')\n    print('\\r half done', end='\\r')\n    raise ValueError('here')\n";
    let (error, _) = raised(clean(&two(), &[("id", "bigint")], code).await);
    assert!(error.contains("here"), "{error}");
}

#[tokio::test]
async fn a_million_lines_do_not_fill_the_log_nor_stop_the_function() {
    let code = "import warnings\n\ndef clean(df):\n    for n in range(1_000_000):\n        print('x' * 20)\n    warnings.warn('once')\n    return df\n";
    let begun = Instant::now();
    let cleaned = clean(&two(), &[("id", "bigint"), ("name", "text")], code).await.unwrap();
    assert_eq!(shown(&cleaned)["id"].len(), 3);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_worker_that_gives_up_leaves_nobody_behind_who_goes_on() {
    let code = "import time\n\ndef clean(df):\n    open('pid', 'w').write(str(__import__('os').getpid()))\n    time.sleep(600)\n";
    let folder = tempfile::tempdir().unwrap();
    let rows = two();
    let function = function(folder.path(), &rows, &[], code);
    let (schema, batch) = rows.batch();
    let mut python = Python::start(&function).await.unwrap();
    let working = python.clean("1", (&schema, vec![batch.clone()]), PLENTY);
    let _ = tokio::time::timeout(Duration::from_secs(5), working).await;
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    drop(python);
    let process = PathBuf::from(format!("/proc/{pid}/stat"));
    let gone = || fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z "));
    for _ in 0..100 {
        if gone() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("process {pid} still works");
}
