//! The manifests of `deploy/` are valid for Kubernetes and fit the program: names of variables, arguments, exit codes,
//! folders. To find fields that Kubernetes would drop as unknown, each object is written out again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use k8s_openapi::api::batch::v1::{CronJob, Job, JobSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Container, Namespace, PodSpec, Secret, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use merganser::cli::Cli;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::documents::files;

mod program;

/// One object of a manifest.
enum Object {
    CronJob(Box<CronJob>),
    Job(Box<Job>),
    ConfigMap(ConfigMap),
    Secret(Secret),
    ServiceAccount(ServiceAccount),
    Namespace(Namespace),
    NetworkPolicy(NetworkPolicy),
    Kustomization(Kustomization),
}

/// The fields of it that we use.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kustomization {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Vec<Value>,
    resources: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    images: Vec<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    patches: Vec<BTreeMap<String, String>>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// Every object of every manifest, with its file.
fn objects() -> Vec<(PathBuf, Object)> {
    let mut found = Vec::new();
    for path in files(&root(), "yaml") {
        let text = fs::read_to_string(&path).expect("a manifest can be read");
        for document in serde_norway::Deserializer::from_str(&text) {
            let value = Value::deserialize(document).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            found.push((path.clone(), object(&path, value)));
        }
    }
    assert!(found.len() > 10);
    found
}

fn object(path: &Path, value: Value) -> Object {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    match (text("apiVersion").as_str(), text("kind").as_str()) {
        ("batch/v1", "CronJob") => Object::CronJob(Box::new(typed(path, value))),
        ("batch/v1", "Job") => Object::Job(Box::new(typed(path, value))),
        ("v1", "ConfigMap") => Object::ConfigMap(typed(path, value)),
        ("v1", "Secret") => Object::Secret(typed(path, value)),
        ("v1", "ServiceAccount") => Object::ServiceAccount(typed(path, value)),
        ("v1", "Namespace") => Object::Namespace(typed(path, value)),
        ("networking.k8s.io/v1", "NetworkPolicy") => Object::NetworkPolicy(typed(path, value)),
        ("kustomize.config.k8s.io/v1beta1", "Kustomization") => Object::Kustomization(typed(path, value)),
        (version, kind) => panic!("{}: no type for {version} {kind}", path.display()),
    }
}

/// The value as an object of its type, with no field lost.
fn typed<T: DeserializeOwned + Serialize>(path: &Path, value: Value) -> T {
    let object: T =
        serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let again = serde_json::to_value(&object).expect("an object can be written");
    assert_kept(&value, &again, &path.display().to_string());
    object
}

/// Fails if a field of `given` is missing in `kept`.
fn assert_kept(given: &Value, kept: &Value, at: &str) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (name, value) in given {
                let at = format!("{at}: {name}");
                assert_kept(value, kept.get(name).unwrap_or_else(|| panic!("{at} is not known")), &at);
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            assert_eq!(given.len(), kept.len(), "{at}");
            given.iter().zip(kept).for_each(|(given, kept)| assert_kept(given, kept, at));
        }
        _ => assert_eq!(given, kept, "{at}"),
    }
}

fn base_cron_job() -> CronJob {
    let found = objects().into_iter().find_map(|(path, object)| match object {
        Object::CronJob(job) if path.ends_with("base/cronjob.yaml") => Some(*job),
        _ => None,
    });
    found.expect("the base has a CronJob")
}

fn single_jobs() -> Vec<Job> {
    let jobs = objects().into_iter().filter_map(|(_, object)| match object {
        Object::Job(job) => Some(*job),
        _ => None,
    });
    jobs.collect()
}

/// A work queue has many pods and no number of completions.
fn is_work_queue(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|spec| spec.parallelism > Some(1) && spec.completions.is_none())
}

/// The jobs with a single pod, which is the same as the weekly run's.
fn one_off_jobs() -> Vec<Job> {
    single_jobs().into_iter().filter(|job| !is_work_queue(job)).collect()
}

/// The specs of the jobs that the manifests make, the weekly one first.
fn job_specs() -> Vec<JobSpec> {
    let weekly = base_cron_job().spec.job_template.spec;
    let all = std::iter::once(weekly).chain(one_off_jobs().into_iter().map(|job| job.spec));
    let all: Vec<_> = all.map(|spec| spec.expect("a job has a spec")).collect();
    assert!(all.len() > 2, "{}", all.len());
    all
}

fn pod(job: &JobSpec) -> PodSpec {
    job.template.spec.clone().expect("a job has a pod")
}

fn container(pod: &PodSpec) -> &Container {
    let [container] = pod.containers.as_slice() else { panic!("one container: {:?}", pod.containers) };
    container
}

#[test]
fn every_manifest_is_an_object_of_its_type() {
    objects();
}

#[test]
#[should_panic(expected = "concurrencyPolcy is not known")]
fn a_name_that_kubernetes_would_drop_is_found() {
    let text =
        "{apiVersion: batch/v1, kind: CronJob, spec: {schedule: '* * * * *', concurrencyPolcy: Forbid}}";
    object(Path::new("x"), serde_norway::from_str(text).expect("the text is YAML"));
}

#[test]
fn kustomizations_name_files_that_exist_and_leave_none_out() {
    let mut used = BTreeSet::new();
    for (path, object) in objects() {
        let Object::Kustomization(kustomization) = object else { continue };
        let folder = path.parent().expect("a file is in a folder");
        let patches = kustomization.patches.iter().map(|patch| &patch["path"]);
        for name in kustomization.resources.iter().chain(patches) {
            let file = folder.join(name);
            assert!(file.exists(), "{}: {name} does not exist", path.display());
            used.insert(fs::canonicalize(file).expect("it exists"));
        }
        used.insert(fs::canonicalize(path).expect("it exists"));
    }
    let is_single =
        |path: &PathBuf| path.ends_with("secret.example.yaml") || path.parent().unwrap().ends_with("jobs");
    let unused: Vec<_> = files(&root(), "yaml")
        .into_iter()
        .map(|path| fs::canonicalize(path).expect("it exists"))
        .filter(|path| !used.contains(path) && !is_single(path))
        .collect();
    assert!(unused.is_empty(), "no kustomization uses {unused:?}");
}

/// The site's pod has the rights of the weekly run's pod. Only its arguments and one more read-only folder differ.
#[test]
fn the_site_is_built_by_a_pod_like_the_weekly_one() {
    let found = objects().into_iter().find_map(|(path, object)| match object {
        Object::CronJob(job) if path.ends_with("jobs/site.yaml") => Some(*job),
        _ => None,
    });
    let spec = found.expect("the site has a CronJob").spec;
    assert_eq!(spec.concurrency_policy.as_deref(), Some("Forbid"));
    let job = spec.job_template.spec.expect("a job has a spec");
    let weekly = &job_specs()[0];
    assert_eq!(job.pod_failure_policy, weekly.pod_failure_policy);
    let (built, weekly) = (pod(&job), pod(weekly));
    let args = container(&built).args.clone().expect("there are arguments");
    let words = ["merganser".to_owned()].into_iter().chain(args.clone());
    Cli::try_parse_from(words).expect("they are arguments");
    let bare = |pod: &PodSpec| {
        let mut pod = pod.clone();
        let container = &mut pod.containers[0];
        (container.args, container.image) = (None, None);
        container.volume_mounts.iter_mut().for_each(|mounts| mounts.retain(|mount| mount.name != "site"));
        pod.volumes.iter_mut().for_each(|volumes| volumes.retain(|volume| volume.name != "site"));
        pod
    };
    assert_eq!(bare(&built), bare(&weekly));
    let own = container(&built).volume_mounts.iter().flatten().find(|mount| mount.name == "site");
    assert_eq!(own.expect("site.toml is mounted").read_only, Some(true));
    assert!(args[1].starts_with("/site/"), "{args:?}");
}

#[test]
fn the_weekly_run_is_alone_and_has_a_time_zone() {
    let spec = base_cron_job().spec;
    assert_eq!(spec.concurrency_policy.as_deref(), Some("Forbid"));
    assert_eq!(spec.time_zone.as_deref(), Some("America/New_York"));
    assert_eq!(spec.schedule.split(' ').count(), 5);
    assert_eq!(spec.schedule.split(' ').skip(2).take(2).collect::<Vec<_>>(), ["*", "*"], "every week");
}

/// The namespace's policy `restricted` is satisfied, and staging is the only place to write to.
#[test]
fn the_pod_has_no_rights_that_it_does_not_need() {
    let namespace = objects().into_iter().find_map(|(_, object)| match object {
        Object::Namespace(namespace) => namespace.metadata.labels,
        _ => None,
    });
    let labels = namespace.expect("the namespace has labels");
    assert_eq!(labels.get("pod-security.kubernetes.io/enforce").map(String::as_str), Some("restricted"));
    for job in job_specs() {
        let pod = pod(&job);
        let all = pod.security_context.as_ref().expect("there is a security context");
        assert!(all.run_as_non_root == Some(true) && all.run_as_user > Some(0));
        assert_eq!(all.seccomp_profile.as_ref().expect("there is a profile").type_, "RuntimeDefault");
        assert_eq!(pod.automount_service_account_token, Some(false));
        let container = container(&pod);
        let own = container.security_context.as_ref().expect("there is a security context");
        assert_eq!(own.allow_privilege_escalation, Some(false));
        assert_eq!(own.read_only_root_filesystem, Some(true));
        let drops = own.capabilities.as_ref().expect("there are capabilities").drop.clone();
        assert_eq!(drops, Some(vec!["ALL".to_owned()]));
        let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        assert!(limits.is_some_and(|limits| limits.contains_key("memory")));
        let writable: Vec<_> = container
            .volume_mounts
            .iter()
            .flatten()
            .filter(|mount| mount.read_only != Some(true))
            .map(|mount| mount.mount_path.as_str())
            .collect();
        let work_dir = container.env.iter().flatten().find(|variable| variable.name == "MERGANSER_WORK_DIR");
        let work_dir = work_dir.and_then(|variable| variable.value.as_deref()).expect("there is a folder");
        assert_eq!(writable, [work_dir]);
        let staging = pod.volumes.iter().flatten().find_map(|volume| volume.empty_dir.as_ref());
        assert!(staging.expect("staging is an empty folder").size_limit.is_some());
    }
}

#[test]
fn the_network_policy_lets_out_what_is_needed() {
    let found = objects().into_iter().find_map(|(_, object)| match object {
        Object::NetworkPolicy(policy) => policy.spec,
        _ => None,
    });
    let policy = found.expect("there is a policy");
    assert_eq!(policy.ingress, None);
    let labels =
        policy.pod_selector.and_then(|selector| selector.match_labels).expect("it selects by labels");
    let ports: BTreeSet<_> = policy
        .egress
        .iter()
        .flatten()
        .flat_map(|rule| rule.ports.iter().flatten())
        .map(|port| match &port.port {
            Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(number)) => *number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ports.into_iter().collect::<Vec<_>>(), [22, 53, 443, 5432]);
    // The kustomization adds the label to the CronJob's pods; one-off jobs have it themselves.
    let base = objects().into_iter().find_map(|(path, object)| match object {
        Object::Kustomization(base) if path.ends_with("base/kustomization.yaml") => Some(base),
        _ => None,
    });
    let label = &base.expect("there is a base").labels[0];
    assert_eq!(label["includeTemplates"], true);
    for (name, value) in &labels {
        assert_eq!(label["pairs"][name], value.as_str());
        for job in single_jobs() {
            let own = job.spec.expect("a job has a spec").template.metadata.and_then(|meta| meta.labels);
            assert_eq!(own.expect("it has labels").get(name), Some(value));
        }
    }
}
