//! Jobs that clean with a pandas function.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::world::World;
use crate::support::tools;

/// Does the same as `World`'s query.
const CLEAN: &str = r#"
import pandas as pd

def clean(df):
    assert df["zip_code"].nunique(dropna=False) <= 1, "one partition"
    df = df[df["name"].notna()].copy()
    df["zip"] = df["zip_code"].str.strip(" ")
    df["name"] = df["name"].str.strip(" ").str.upper()
    day = df["founded"].where(df["founded"] != "unknown")
    df["founded"] = pd.to_datetime(day, format="%Y-%m-%d")
    df["rank"] = df["id"].rank(method="first")
    df["version"] = 1
    print("cleaned", len(df))
    return df.drop(columns="extra")
"#;

fn pandas(world: &World, code: &str) {
    let python = format!("python = \"clean.py:clean\"\ninterpreter = \"{}\"", tools::python().display());
    world.edit("job.toml", "sql = \"clean.duckdb.sql\"", &python);
    world.put("clean.py", code);
}

#[tokio::test]
async fn a_function_of_pandas_makes_the_same_table_as_one_piece() {
    let world = World::new("transform_pandas", 5_000).await;
    pandas(&world, CLEAN);
    assert!(world.expect(0, &["plan"]).contains("companies"));
    let said = world.expect(0, &["work"]);
    world.assert_whole().await;
    // The function's output goes to the log, with the partition's name.
    assert!(said.contains("the function printed: cleaned"), "{said}");
    assert_eq!(world.status()["state"], "swapped");
}

/// A frame has the type below a domain, and no modifier changes what a type is.
#[tokio::test]
async fn domains_and_modifiers_change_no_value() {
    let world = World::new("transform_domains", 2_000).await;
    let more = "create domain code as bigint;
        alter table companies_raw add column code code, add column moment timestamptz(3);
        update companies_raw set code = 8123456789012345678 + id, moment = seen where id % 3 <> 0;";
    world.client.batch_execute(more).await.unwrap();
    world.edit(
        "companies_clean.pg.sql",
        "version integer not null",
        "version integer not null, code bigint, moment timestamptz(3)",
    );
    let code = CLEAN.replace(
        "    print(",
        "    assert str(df['code'].dtype) in ('Int64', 'int64', 'object') and str(df['moment'].dtype) == 'datetime64[us, UTC]'\n    print(",
    );
    pandas(&world, &code);
    world.expect(0, &["run", "--workers", "1"]);
    let differ = "select count(*) from companies_clean join companies_raw as raw using (id)
        where (companies_clean.code, companies_clean.moment) is distinct from (raw.code::bigint, raw.moment)";
    assert_eq!(world.one(differ).await, "0");
    assert_eq!(world.one("select count(code) > 1000 from companies_clean").await, "true");
}

#[tokio::test]
async fn a_partition_that_the_function_cannot_clean_is_poison_and_the_others_go_on() {
    let world = World::new("transform_poison", 3_000).await;
    let code = CLEAN.replace("    df = df[", "    if len(df) and df['zip_code'].iloc[0] == ' 10001':\n        raise ValueError('no such place')\n    df = df[");
    pandas(&world, &code);
    let said = world.expect(3, &["run", "--workers", "1"]);
    assert!(said.contains("no such place"), "{said}");
    let status = world.status();
    assert_eq!(status["partitions"]["poison"], 1, "{status}");
    // The ledger keeps the message of the exception and its place.
    let error = world.one("select max(error) from etl.transform_groups where status = 'poison'").await;
    assert!(error.contains("ValueError: no such place") && error.contains("clean.py\", line"), "{error}");
    assert_eq!(world.one("select to_regclass('companies_clean') is null").await, "true");
}

#[tokio::test]
async fn a_partition_that_kills_the_process_or_fills_the_memory_stops_no_other() {
    for (name, harm) in [
        ("transform_crash", "import ctypes; ctypes.string_at(0)"),
        ("transform_memory", "held = [b'x' * (16 << 20) for _ in range(10_000)]"),
    ] {
        let world = World::new(name, 3_000).await;
        let code = CLEAN.replace(
            "    df = df[",
            &format!("    if len(df) and df['zip_code'].iloc[0] == ' 10001':\n        {harm}\n    df = df["),
        );
        pandas(&world, &code);
        world.expect(3, &["run", "--workers", "1", "--memory", "800"]);
        let status = world.status();
        assert_eq!(status["partitions"]["poison"], 1, "{status}");
        assert_eq!(status["partitions"]["failed"], 0, "{status}");
    }
}

#[tokio::test]
async fn a_partition_that_needs_more_memory_gets_the_double_when_it_is_alone() {
    let world = World::new("transform_double", 3_000).await;
    let harm = "held = [b'x' * (16 << 20) for _ in range(30)]";
    let code = CLEAN.replace(
        "    df = df[",
        &format!("    if len(df) and df['zip_code'].iloc[0] == ' 10001':\n        {harm}\n    df = df["),
    );
    pandas(&world, &code);
    // Python's share is half of the memory: less than the function holds, while the double is more.
    let said = world.expect(0, &["work", "--memory", "800"]);
    assert!(said.contains("of memory, and its share is 419.43 MB"), "{said}");
    world.assert_whole().await;
}

/// A machine that has lost its Python cleans nothing, and that is no fault of the partitions.
#[tokio::test]
async fn an_interpreter_that_is_gone_ends_the_worker_and_poisons_nothing() {
    let world = World::new("transform_gone", 3_000).await;
    let wrapper = world.folder.path().join("python");
    let start = format!("#!/bin/sh\nexec {} \"$@\"\n", tools::python().display());
    let put = || {
        world.put("python", &start);
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    };
    put();
    let gone = format!(
        "    if len(df) and df['zip_code'].iloc[0] == ' 10001':\n        import os\n        os.remove('{0}') if os.path.exists('{0}') else None\n        os._exit(1)\n    df = df[",
        wrapper.display()
    );
    pandas(&world, &CLEAN.replace("    df = df[", &gone));
    world.edit("job.toml", &tools::python().display().to_string(), &wrapper.display().to_string());
    let said = world.expect(1, &["work"]);
    assert!(said.contains("cannot start") && said.contains("/python"), "{said}");
    let status = world.status();
    assert_eq!(
        (&status["partitions"]["poison"], &status["partitions"]["running"]),
        (&0.into(), &0.into()),
        "{status}"
    );
    assert!(status["partitions"]["waiting"].as_i64() > Some(0), "{status}");
}

#[tokio::test]
async fn a_column_that_one_partition_lacks_is_an_error_and_one_that_all_lack_is_named() {
    let world = World::new("transform_lacks", 1_000).await;
    pandas(&world, CLEAN);
    let lacks = "    return df.drop(columns='extra' if len(df) == 0 or df['zip_code'].iloc[0] != '00007' else ['extra', 'zip'])";
    world.put("clean.py", &CLEAN.replace("    return df.drop(columns=\"extra\")", lacks));
    let said = world.expect(3, &["work"]);
    assert!(said.contains("does not give `zip` here"), "{said}");
    assert!(said.contains("1 group"), "{said}");
    world.put("clean.py", &CLEAN.replace("columns=\"extra\"", "columns=[\"extra\", \"zip\"]"));
    let said = world.expect(0, &["plan"]);
    assert!(said.contains("does not give zip, which will be NULL"), "{said}");
    world.expect(0, &["work"]);
    // The first call has no rows, and the message says so.
    world.put("clean.py", "def clean(df):\n    df['zip'] = df['zip_code'].iloc[0]\n    return df\n");
    let said = world.expect(1, &["plan"]);
    assert!(said.contains("called with a frame of no rows") && said.contains("IndexError"), "{said}");
}

#[tokio::test]
async fn what_is_missing_is_said_before_anything_is_planned() {
    let world = World::new("transform_no_pandas", 100).await;
    pandas(&world, CLEAN);
    world.edit("job.toml", &tools::python().display().to_string(), "/nowhere/python");
    let said = world.expect(1, &["plan"]);
    assert!(said.contains("cannot start /nowhere/python"), "{said}");
    world.edit("job.toml", "/nowhere/python", &tools::python().display().to_string());
    world.put("clean.py", "def clean(df):\n    return df.rename(columns={'id': 'ident'})\n");
    let said = world.expect(1, &["plan"]);
    assert!(said.contains("ident"), "{said}");
    world.put("clean.py", "def clean(df)\n");
    let said = world.expect(1, &["plan"]);
    assert!(said.contains("SyntaxError"), "{said}");
    assert_eq!(world.one("select count(*) from etl.transform_versions").await, "0");
    assert_eq!(fs::read_dir(world.folder.path()).unwrap().count(), 4, "nothing is left in the job's folder");
}
