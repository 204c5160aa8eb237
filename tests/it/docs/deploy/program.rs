//! The manifests against the program: variables, arguments, exit codes and figures.

use std::collections::BTreeSet;
use std::fs;

use clap::{CommandFactory, Parser};
use k8s_openapi::api::core::v1::PodSpec;
use merganser::cli::Cli;
use merganser::error::Exit;
use serde_json::Value;

use super::{Object, container, is_work_queue, job_specs, objects, pod, root, single_jobs};

/// Compares the variables in the manifests with those of the options and of AWS.
#[test]
fn variables_are_ones_that_the_program_knows() {
    const AWS: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"];
    let reference =
        fs::read_to_string(root().join("../docs/reference.md")).expect("the reference can be read");
    let mut known: BTreeSet<String> = AWS.iter().map(|name| (*name).to_owned()).collect();
    for command in Cli::command().get_subcommands() {
        known.extend(
            command.get_arguments().filter_map(|arg| arg.get_env()).map(|name| name.to_string_lossy().into()),
        );
    }
    known.extend(
        Cli::command()
            .get_arguments()
            .filter_map(|arg| arg.get_env())
            .map(|name| name.to_string_lossy().into()),
    );
    let mut seen = BTreeSet::new();
    for (path, object) in objects() {
        let names: Vec<String> = match object {
            Object::ConfigMap(map) => map.data.unwrap_or_default().into_keys().collect(),
            Object::Secret(secret) => {
                assert!(secret.data.is_none(), "{}: an example has no real values", path.display());
                secret.string_data.unwrap_or_default().into_keys().collect()
            }
            _ => continue,
        };
        for name in names {
            // Another test compares the reference with the sources.
            let mut rows = reference.lines().filter(|line| line.starts_with("| "));
            let is_known = known.contains(&name) || rows.any(|row| row.contains(&format!("`{name}`")));
            assert!(is_known, "{}: nothing reads {name}", path.display());
            seen.insert(name);
        }
    }
    for job in job_specs() {
        let pod = pod(&job);
        for variable in container(&pod).env.iter().flatten() {
            assert!(known.contains(&variable.name), "nothing reads {}", variable.name);
            seen.insert(variable.name.clone());
        }
    }
    for needed in [
        "DATABASE_URL",
        "AWS_S3_BUCKET_NAME",
        "MODE",
        "DB_SCHEMA",
        "S3_PREFIX",
        "REPROCESS_GLOB",
        "SFTP_HOST",
        "SFTP_USER",
        "SFTP_DIR",
        "SFTP_PSWD",
        "MERGANSER_SFTP_HOST_KEY",
    ] {
        assert!(seen.contains(needed), "{needed} is missing");
    }
}

#[test]
fn values_come_from_objects_that_exist() {
    let (mut maps, mut secrets, mut accounts) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (_, object) in objects() {
        match object {
            Object::ConfigMap(map) => maps.extend(map.metadata.name),
            Object::Secret(secret) => secrets.extend(secret.metadata.name),
            Object::ServiceAccount(account) => accounts.extend(account.metadata.name),
            _ => {}
        }
    }
    for job in job_specs() {
        let pod = pod(&job);
        assert!(accounts.contains(pod.service_account_name.as_deref().unwrap_or_default()));
        for from in container(&pod).env_from.iter().flatten() {
            let known = match (&from.config_map_ref, &from.secret_ref) {
                (Some(map), _) => maps.contains(&map.name),
                (_, Some(secret)) => secrets.contains(&secret.name),
                _ => false,
            };
            assert!(known, "{from:?}");
        }
    }
}

#[test]
fn arguments_parse_and_all_jobs_have_the_same_pod() {
    let jobs = job_specs().into_iter().map(|job| {
        let pod = pod(&job);
        let args = container(&pod).args.clone().expect("there are arguments");
        let words = ["merganser".to_owned()].into_iter().chain(args.clone());
        Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{args:?}: {error}"));
        (job, pod)
    });
    let jobs: Vec<_> = jobs.collect();
    let bare = |pod: &PodSpec| {
        let mut pod = pod.clone();
        let container = &mut pod.containers[0];
        (container.args, container.image) = (None, None);
        container.env = container
            .env
            .take()
            .map(|all| all.into_iter().filter(|variable| !variable.name.contains("REPROCESS")).collect());
        pod
    };
    let (weekly, others) = jobs.split_first().expect("there is the weekly one");
    for once in others {
        assert_eq!(weekly.0.pod_failure_policy, once.0.pod_failure_policy);
        assert_eq!(bare(&weekly.1), bare(&once.1));
    }
}

/// A retry must not hide that records failed, but an evicted pod must be retried.
#[test]
fn the_failure_policy_fits_the_exit_codes() {
    let job = &job_specs()[0];
    let rules = job.pod_failure_policy.as_ref().expect("there is a policy").rules.clone();
    let [first, second] = rules.as_slice() else { panic!("{rules:?}") };
    assert_eq!(first.action, "Ignore");
    assert_eq!(first.on_pod_conditions.as_ref().expect("it is of conditions")[0].type_, "DisruptionTarget");
    assert_eq!(second.action, "FailJob");
    let codes = second.on_exit_codes.as_ref().expect("it is of codes");
    let expected = [Exit::Usage, Exit::SomeFailed, Exit::NotPublished, Exit::Locked].map(|exit| exit as i32);
    assert_eq!((codes.operator.as_str(), codes.values.as_slice()), ("In", expected.as_slice()));
    let pod = pod(job);
    assert_eq!(codes.container_name.as_ref(), Some(&container(&pod).name));
    assert_eq!(pod.restart_policy.as_deref(), Some("Never"), "a policy of failures needs it");
    assert!(pod.termination_grace_period_seconds > Some(15), "clearing up takes as long");
}

/// A worker that succeeds ends the Job. So the codes of a failed worker must never look like success, nor be retried
/// for ever where a person is needed.
#[test]
fn the_work_queue_fits_the_exit_codes_of_a_worker() {
    let queues: Vec<_> = single_jobs().into_iter().filter(is_work_queue).collect();
    let [queue] = queues.as_slice() else { panic!("one work queue") };
    let spec = queue.spec.as_ref().expect("a job has a spec");
    assert_eq!(spec.completion_mode, None);
    let rules = &spec.pod_failure_policy.as_ref().expect("there is a policy").rules;
    let [first, second] = rules.as_slice() else { panic!("{rules:?}") };
    assert_eq!(first.action, "Ignore");
    assert_eq!(second.action, "FailJob");
    let codes = second.on_exit_codes.as_ref().expect("it is of codes");
    let expected = [Exit::Usage, Exit::SomeFailed, Exit::Locked].map(|exit| exit as i32);
    assert_eq!((codes.operator.as_str(), codes.values.as_slice()), ("In", expected.as_slice()));
    let (queued, weekly) = (pod(spec), pod(&job_specs()[0]));
    let args = container(&queued).args.clone().expect("there are arguments");
    Cli::try_parse_from(["merganser".to_owned()].into_iter().chain(args.clone()))
        .expect("they are arguments");
    let memory =
        args.iter().position(|word| word == "--memory").map(|at| args[at + 1].parse::<u64>().unwrap());
    let limit = container(&queued).resources.as_ref().unwrap().limits.as_ref().unwrap()["memory"].0.clone();
    let limit: u64 = limit.strip_suffix("Mi").expect("MiB").parse().unwrap();
    assert!(memory.is_some_and(|memory| memory <= limit * 3 / 4), "{memory:?} of {limit}");
    assert_eq!(container(&queued).env_from, container(&weekly).env_from);
    assert_eq!(container(&queued).security_context, container(&weekly).security_context);
    assert_eq!(queued.security_context, weekly.security_context);
    assert_eq!(queued.restart_policy, weekly.restart_policy);
    assert_eq!(queued.service_account_name, weekly.service_account_name);
}

/// The rules use names of the program's figures, and all of them.
#[test]
fn the_alert_rules_go_by_figures_that_there_are() {
    let text =
        fs::read_to_string(root().join("monitoring/merganser.rules.yml")).expect("the rules can be read");
    let rules: Value = serde_norway::from_str(&text).expect("YAML");
    let mut used = BTreeSet::new();
    for rule in
        rules["groups"].as_array().into_iter().flatten().flat_map(|group| group["rules"].as_array()).flatten()
    {
        let expression = rule["expr"].as_str().expect("an expression");
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        used.extend(words.filter(|word| word.starts_with("merganser_")).map(str::to_owned));
        for field in ["summary", "description"] {
            assert!(rule["annotations"][field].is_string(), "{rule} has no {field}");
        }
        assert!(
            ["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap_or_default()),
            "{rule}"
        );
    }
    let known = merganser::commands::metrics::METRICS.iter().map(|(name, _)| (*name).to_owned());
    assert_eq!(used, known.collect());
    assert!(
        text.contains("time() - merganser_last_success_timestamp_seconds") && text.contains("absent("),
        "silence is an alarm"
    );
    let operations = fs::read_to_string(root().join("../docs/operations.md")).expect("it can be read");
    for (name, _) in merganser::commands::metrics::METRICS {
        assert!(
            operations.contains(&format!("`{name}{{dataset")),
            "docs/operations.md does not mention {name}"
        );
    }
}
