//! How to install PostgreSQL on a machine that does not have it.

/// The command that installs PostgreSQL with this machine's package manager, for this user.
pub(super) fn install_command() -> String {
    const MANAGERS: [(&str, &str); 6] = [
        ("apt-get", "apt-get install postgresql"),
        ("dnf", "dnf install postgresql-server"),
        ("zypper", "zypper install postgresql-server"),
        ("apk", "apk add postgresql"),
        ("pacman", "pacman -S postgresql"),
        ("brew", "brew install postgresql"),
    ];
    let found = MANAGERS.iter().find(|(manager, _)| is_there(manager));
    match found {
        None => "install PostgreSQL with the system's package manager".into(),
        Some(("brew", command)) => (*command).into(),
        Some((_, command)) if rustix::process::geteuid().is_root() => (*command).into(),
        Some((_, command)) => format!("sudo {command}"),
    }
}

/// Whether a program is in the search path.
pub(super) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
