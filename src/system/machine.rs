//! The resources that this process may use: the container's limits, not the host's.

use std::path::Path;
use std::time::Duration;

/// Memory in bytes that this process may use: the smallest limit of its cgroups (version 2, then 1), else the
/// machine's memory.
pub fn memory_bytes() -> u64 {
    let total = rustix::system::sysinfo();
    let total = (total.totalram as u64).saturating_mul(u64::from(total.mem_unit).max(1));
    cgroup_values("memory.max")
        .chain(read_number(Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes")))
        .fold(total, u64::min)
}

/// Processors that this process may use, at least one.
pub fn cpus() -> usize {
    // Takes affinity and cgroup quotas into account.
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Peak resident size of this process in bytes, if the system reports it.
pub fn peak_memory_bytes() -> Option<u64> {
    status_bytes("self", "VmHWM:")
}

/// Resident size of a process in bytes; `None`: it does not exist, or the system does not report it.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    status_bytes(&pid.to_string(), "VmRSS:")
}

/// A size that the system keeps of a process.
fn status_bytes(process: &str, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// Processor time used so far by all threads of this process, including system time.
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// This machine's name, as the ledger shows it.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name of the user who runs this process, from the environment, or else the user's number.
pub fn user() -> String {
    std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| format!("user {}", rustix::process::getuid().as_raw()))
}

/// A limit of this process' cgroup and of all above it.
fn cgroup_values(file: &'static str) -> impl Iterator<Item = u64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or("").to_owned();
    let root = Path::new("/sys/fs/cgroup");
    let folders: Vec<_> =
        root.join(path).ancestors().take_while(|p| p.starts_with(root)).map(Path::to_owned).collect();
    folders.into_iter().filter_map(move |folder| read_number(&folder.join(file)))
}

fn read_number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
