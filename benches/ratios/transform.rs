//! Jobs that clean a table in partitions, against the usual way: `read_sql`, pandas and COPY for each ZIP code, with
//! the same number of processes. Also measured: how evenly workers share the work, what claims cost while an old
//! snapshot is held, whether the remaining time is estimated correctly, memory, and the pages read of a table in
//! another order than its key.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::jobs::{JobBench, rows};
use crate::pipeline::Bench;
use crate::tables::{Ratio, Report};

const ROWS: u64 = 1_000_000;
const ROUNDS: usize = 3;
/// The whole command, with all workers.
const MEMORY_MIB: u64 = 3_200;
/// The number of partitions of the table for the claims.
const PARTITIONS: u64 = 40_000;

/// Measures all of it.
pub fn measure(bench: &Bench) -> Report {
    let (jobs, mut report, rows) = (JobBench::new(bench), Report::new(bench), rows(ROWS));
    eprintln!("a raw table of {rows} rows");
    jobs.make_rows(rows);
    own_way(&jobs, &mut report);
    time_left(&jobs, &mut report);
    scattered(&jobs, &mut report);
    claims(&jobs, &mut report, rows);
    report
}

/// The same work with the same number of processes.
fn own_way(jobs: &JobBench, report: &mut Report) {
    let (mut by_sql, mut by_pandas) = (Vec::new(), Vec::new());
    let memory = ["--memory", &MEMORY_MIB.to_string()];
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}: the job's own way, SQL, pandas");
        let own = jobs.script("own_way.py", ("companies_raw", "own_way_clean"), &[]);
        for (name, is_pandas, ratios) in [("by_sql", false, &mut by_sql), ("by_pandas", true, &mut by_pandas)]
        {
            let job = jobs.job(name, "companies_raw", is_pandas, "");
            let took = jobs.run(&job, &memory);
            jobs.same(name, "own_way_clean");
            ratios.push(Ratio { value: took, floor: own });
            if round == ROUNDS {
                shared(jobs, report, name);
                parts(jobs, report, name);
            }
            jobs.forget(name);
        }
    }
    report.ratio("15. a job by SQL, the whole command / the job's own way", 1.0 / 8.0, &by_sql);
    report.ratio("16. a job by pandas, the whole command / the job's own way", 1.0 / 4.0, &by_pandas);
}

/// The time from the first claim to the last end, and the largest memory of a worker.
fn shared(jobs: &JobBench, report: &mut Report, name: &str) {
    let of = |what: &str| {
        jobs.number(&format!(
            "select {what} from etl.transform_groups join etl.transform_versions using (version_id) where job = '{name}'"
        ))
    };
    let (total, largest) = (
        of("extract(epoch from sum(finished_at - claimed_at))"),
        of("extract(epoch from max(finished_at - claimed_at))"),
    );
    let span = of("extract(epoch from max(finished_at) - min(claimed_at))");
    let least = (total / jobs.workers as f64).max(largest);
    report.share(
        &format!("17. {name}: from first claim to last end / the least that it could be"),
        1.15,
        (span, least),
        "s",
    );
    let peak = of("max(peak_memory_bytes)") / f64::from(1 << 20);
    let share = MEMORY_MIB as f64 / jobs.workers as f64;
    report.share(&format!("18. {name}: peak memory of a worker / its share"), 1.0, (peak, share), "MiB");
}

/// The time of the parts of a job, summed over all workers.
fn parts(jobs: &JobBench, report: &mut Report, name: &str) {
    let sum = |what: &str, kind: &str| {
        jobs.number(&format!(
            "select coalesce(sum({what}), 0)::double precision from etl.transform_groups join etl.transform_versions using (version_id)
            where job = '{name}' and kind = '{kind}'"
        ))
    };
    let rows = sum("rows_planned", "partitions");
    let part = |what: &str, kind: &str| (sum(what, kind) / 1000.0, rows, sum("bytes_in", kind));
    let (filled, read) = (part("read_ms", "range"), part("read_ms", "partitions"));
    let (cleaned, written) = (part("clean_ms", "partitions"), part("write_ms", "partitions"));
    let mut parts = vec![("read", read), ("clean", cleaned), ("write", written)];
    if filled.0 > 0.0 {
        parts.insert(0, ("read pages into buckets", filled));
    }
    let parts: Vec<_> =
        parts.into_iter().map(|(name, (seconds, rows, bytes))| (name, seconds, rows, bytes)).collect();
    report.parts(&format!("the job {name}, all workers together"), &parts);
}

/// The estimate of `status` after a tenth, against the real time.
fn time_left(jobs: &JobBench, report: &mut Report) {
    eprintln!("the time that is left, after a tenth");
    let job = jobs.job("time_left", "companies_raw", true, "group_rows = 5000");
    let workers = jobs.workers.to_string();
    let mut run = jobs.command("run", &job, &["--workers", &workers]).spawn().expect("merganser runs");
    let number = |value: &serde_json::Value| value.as_f64().unwrap_or(0.0);
    let told = loop {
        assert!(run.try_wait().expect("it can be asked").is_none(), "it was done before a tenth was seen");
        if let Some(status) = jobs.status(&job)
            && number(&status["rows"]["in"]) * 10.0 >= number(&status["rows"]["planned"]).max(1.0)
            && let Some(left) = status["eta_s"].as_f64()
        {
            break left;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let now = Instant::now();
    assert!(run.wait().expect("it ends").success());
    // From the last look to the last partition; the swap is not part of it.
    let after = jobs.number(
        "select extract(epoch from clock_timestamp() - max(finished_at)) from etl.transform_groups
        join etl.transform_versions using (version_id) where job = 'time_left'",
    );
    let came = now.elapsed().as_secs_f64() - after;
    report.share(
        "19. time left after a tenth: how far it was off / what came",
        0.2,
        ((told - came).abs(), came),
        "s",
    );
    jobs.forget("time_left");
}

/// Pages of a table in random order, with buckets, and the times of both ways.
fn scattered(jobs: &JobBench, report: &mut Report) {
    jobs.scatter("scattered_raw");
    let correlation = jobs.number(
        "select correlation from pg_stats where tablename = 'scattered_raw' and attname = 'zip_code'",
    );
    let pages = jobs.number("select relpages from pg_class where relname = 'scattered_raw'");
    eprintln!("a table in another order (correlation {correlation:.3}), {pages:.0} pages");
    let read = || {
        settled(|| {
            jobs.number(
            "select heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit from pg_statio_user_tables
            where relname = 'scattered_raw'",
        )
        })
    };
    let url = format!("file:{}", jobs.bench.folder.join("buckets").display());
    let job = jobs.job("scattered", "scattered_raw", false, "");
    let before = read();
    let by_buckets = jobs.run(&job, &["--store", &url, "--bucket-mib", "16"]);
    let found = read() - before;
    report.share(
        "20. pages read of a table at correlation 0, plan and index among them / its pages",
        1.3,
        (found, pages),
        "pages",
    );
    jobs.same("scattered", "own_way_clean");
    parts(jobs, report, "scattered");
    jobs.forget("scattered");
    let before = read();
    let by_key = jobs.run(&job, &[]);
    let found = read() - before;
    report.share("21. the same by key, without buckets / its pages", f64::INFINITY, (found, pages), "pages");
    jobs.forget("scattered");
    let times = [Ratio { value: by_buckets, floor: by_key }];
    report.ratio("22. by buckets / by key, where all pages are in memory", f64::INFINITY, &times);
}

/// Reads a counter until it stands still.
fn settled(count: impl Fn() -> f64) -> f64 {
    let mut last = -1.0;
    loop {
        std::thread::sleep(Duration::from_millis(1_500));
        let now = count();
        if now == last {
            return now;
        }
        last = now;
    }
}

/// The share of claims in the workers' time, with as many partitions as there are ZIP codes, and an open snapshot.
fn claims(jobs: &JobBench, report: &mut Report, rows: u64) {
    let partitions = PARTITIONS.min(rows / 25);
    eprintln!("{partitions} partitions, an old snapshot");
    let each = rows / partitions;
    jobs.bench.psql(&[
        "-c",
        "create table many_raw as select * from companies_raw",
        "-c",
        &format!("update many_raw set zip_code = (company_id / {each})::text"),
        "-c",
        "create index on many_raw (zip_code)",
        "-c",
        "cluster many_raw using many_raw_zip_code_idx",
        "-c",
        "vacuum analyze many_raw",
        "-c",
        "create extension if not exists pg_stat_statements",
    ]);
    let hold =
        "begin isolation level repeatable read; select count(*) from companies_raw; select pg_sleep(100000)";
    let mut holder = jobs.bench.psql_command(&["-c", hold]).stdout(Stdio::null()).spawn().expect("psql runs");
    std::thread::sleep(Duration::from_secs(2));
    for (name, more, number) in [("packed", "", 23), ("each_alone", "group_rows = 1", 24)] {
        let job = jobs.job(name, "many_raw", false, more);
        jobs.bench.psql(&["-c", "select pg_stat_statements_reset()"]);
        jobs.run_without_swap(&job, name);
        let claiming = jobs.number(
            "select coalesce(sum(total_exec_time), 0) / 1000 from pg_stat_statements
            where query like '%transform_groups%for update skip locked%'",
        );
        let working = jobs.number(&format!(
            "select extract(epoch from sum(finished_at - claimed_at)) from etl.transform_groups
            join etl.transform_versions using (version_id) where job = '{name}'"
        ));
        let words = match more {
            "" => "packed into groups",
            _ => "each claimed by itself",
        };
        report.share(
            &format!(
                "{number}. {partitions} partitions, {words}, a snapshot held open: claims / the workers' time"
            ),
            0.02,
            (claiming, claiming + working),
            "s",
        );
        jobs.forget(name);
    }
    let _ = holder.kill();
    let _ = holder.wait();
}
