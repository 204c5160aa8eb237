//! `scripts/setup` on a machine whose PostgreSQL is serving somebody, with an apt that only says what it would do.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// The actions of apt, with the server's packages and without.
const UPGRADE: &str = "Inst postgresql-15 [15.3-0] (15.9-0 Debian:12.0/stable [amd64]) []
Inst postgresql-15-postgis-3 (3.3.2 Debian:12.0/stable [amd64])
Inst libpq5 [15.3-0] (15.9-0 Debian:12.0/stable [amd64])";
const NEW: &str = "Inst postgresql-15-postgis-3 (3.3.2 Debian:12.0/stable [amd64])
Inst zlib1g [1.2.12] (1.2.13 Debian:12.0/stable [amd64])";

fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file can be written");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("its mode can be set");
}

/// Runs the script where PostgreSQL's programs are missing. Commands that would change the system fail or do nothing.
fn setup(simulated: &str, clusters: &str, upgrade: &str) -> (Output, bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let apt = format!(
        "case \"$*\" in *--simulate*) cat <<'END'\n{simulated}\nEND\n;; update*) ;; *) touch {}/installed; exit 100 ;; esac",
        path.display()
    );
    program(path, "apt-get", &apt);
    program(path, "apt-cache", "echo '  Candidate: 15+248'");
    program(path, "pg_lsclusters", &format!("printf '%s' '{clusters}'"));
    program(path, "pgrep", "exit 1");
    program(path, "sudo", "exec \"$@\"");
    for name in ["tee", "chmod", "mkdir", "rm"] {
        program(path, name, "cat >/dev/null 2>&1 </dev/null");
    }
    let old = std::env::var("PATH").expect("there is a PATH");
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/setup"))
        .arg("test")
        .env("PATH", format!("{}:{old}", path.display()))
        .env("MERGANSER_PG_BIN", path)
        .env("MERGANSER_SETUP_UPGRADE", upgrade)
        .output()
        .expect("the script runs");
    let installed = path.join("installed").exists();
    (output, installed)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_server_that_serves_somebody_is_not_exchanged_without_a_word() {
    let online = "15 main 5432 online postgres /var/lib/postgresql/15/main /log\n";
    let (output, installed) = setup(UPGRADE, online, "");
    let text = said(&output);
    assert!(!output.status.success() && !installed, "{text}");
    for words in [
        "15/main, port 5432",
        "postgresql-15 15.3-0 -> 15.9-0",
        "libpq5 15.3-0 -> 15.9-0",
        "Nothing was installed",
        "MERGANSER_SETUP_UPGRADE=yes scripts/setup test",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    // Setup continues if the user allows the upgrade, if the server does not run, or if only new packages are added.
    let down = "15 main 5432 down postgres /var/lib/postgresql/15/main /log\n";
    for (simulated, clusters, upgrade, told) in
        [(UPGRADE, online, "yes", true), (UPGRADE, down, "", true), (NEW, online, "", false)]
    {
        let (output, installed) = setup(simulated, clusters, upgrade);
        let text = said(&output);
        assert!(installed, "{text}");
        assert_eq!(text.contains("apt exchanges packages of PostgreSQL:"), told, "{text}");
    }
}
