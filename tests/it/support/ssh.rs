//! Real OpenSSH servers, each with a folder of its own, and a proxy that hangs or cuts connections.

use std::fs::{self, Permissions};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use merganser::clients::sftp::{KeySource, SftpLimits, SftpOptions};

use super::Janitor;

/// Time that a server may take to answer.
const LIMIT: Duration = Duration::from_secs(30);
/// The password of [`PASSWORD_USER`].
pub const PASSWORD: &str = "sesame";
/// The user of a server that asks for a password.
pub const PASSWORD_USER: &str = "merganser-test";
/// Of [`PASSWORD`], as /etc/shadow has it.
const PASSWORD_HASH: &str =
    "$6$merganser$mHihfWsYpbXuqpjU7kO67a0S2XTTpXXC5JQz8TG/Y4F7F4U0dxIPHq47fmTTTFHEJISOxFSFFNmD3JlSe6XND1";

/// How a server lets people in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    Key,
    Password,
    /// One question, asked by PAM.
    Questions,
}

/// What a server is to be like.
#[derive(Clone, Debug)]
pub struct Setup {
    pub login: Login,
    /// Kinds of its own keys.
    pub host_keys: &'static [&'static str],
    pub has_sftp: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { login: Login::Key, host_keys: &["ed25519"], has_sftp: true }
    }
}

/// A server; it ends when this is dropped.
pub struct SshServer {
    pub port: u16,
    pub user: String,
    /// The folder with the files to offer.
    pub files: PathBuf,
    /// Its own things, and keys to log in with: `user_key` is let in.
    pub dir: PathBuf,
    account: Option<(u32, u32)>,
    process: Child,
    _janitor: Janitor,
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // The number may soon be somebody else's: the janitor must not find it.
        let _ = fs::remove_file(self.dir.join("sshd.pid"));
    }
}

/// Starts a server that lets `user_key` in.
pub fn server() -> SshServer {
    start(Setup::default()).expect("a server with keys needs no rights")
}

/// Starts a server. `None`: it would need rights that this process has not (passwords are checked by
/// root only, in a file system view of its own, so that no user has to be made on this machine).
pub fn start(setup: Setup) -> Option<SshServer> {
    let as_root = setup.login != Login::Key;
    if as_root && !can_unshare() {
        return None;
    }
    let dir = super::server_dir();
    let path = dir.path().to_owned();
    let files = path.join("files");
    fs::create_dir(&files).expect("a folder can be made");
    for kind in setup.host_keys {
        keygen(&path.join(format!("host_{kind}")), kind, "");
    }
    keygen(&path.join("user_key"), "ed25519", "");
    fs::copy(path.join("user_key.pub"), path.join("authorized_keys")).expect("a key can be copied");
    fs::set_permissions(&path, Permissions::from_mode(0o711)).expect("a folder's mode can be set");
    // sshd that runs as root wants folders of the system; as somebody else it only lets that user in.
    let account = match is_root() {
        true => Some((id("-u", "nobody"), id("-g", "nobody"))),
        false => None,
    };
    let user = match (setup.login, account) {
        (Login::Key, Some(_)) => "nobody".into(),
        (Login::Key, None) => output("id", &["-un"]),
        _ => PASSWORD_USER.to_owned(),
    };
    let pid_file = path.join("sshd.pid");
    let janitor = Janitor::watch(&path, &pid_file, "TERM");
    // A port is free when it is chosen and may be taken when the server asks for it.
    for attempt in 1.. {
        let port = free_port();
        fs::write(path.join("config"), config(&setup, &path, port))
            .expect("the configuration can be written");
        give(&path, account);
        let mut command = match as_root {
            true => unshared(&path, account.expect("root has one")),
            false => Command::new(program()),
        };
        command.arg("-D").arg("-f").arg(path.join("config")).arg("-E").arg(path.join("log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        if let (Some((uid, gid)), false) = (account, as_root) {
            command.uid(uid).gid(gid);
        }
        let mut process = command.spawn().expect("sshd runs");
        fs::write(&pid_file, format!("{}\n", process.id())).expect("the number can be written");
        let deadline = Instant::now() + LIMIT;
        while process.try_wait().expect("a child can be asked").is_none() && Instant::now() < deadline {
            if greets(port) {
                let dir = dir.keep();
                return Some(SshServer { port, user, files, dir, account, process, _janitor: janitor });
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = process.kill();
        let _ = process.wait();
        let said = fs::read_to_string(path.join("log")).unwrap_or_default();
        assert!(attempt < 3 && said.contains("in use"), "sshd did not start:\n{said}");
    }
    unreachable!("the last attempt returns or panics")
}

impl SshServer {
    /// The location of its folder.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The location of its folder behind another port.
    pub fn url_at(&self, port: u16) -> String {
        format!("sftp://{}@127.0.0.1:{port}{}", self.user, self.files.display())
    }

    /// Puts a file into its folder.
    pub fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.files.join(name);
        fs::write(&path, content).expect("a file can be written");
        path
    }

    /// What it takes to get in: the key, and a file that knows the server behind this port. Short limits.
    pub fn options_at(&self, port: u16) -> SftpOptions {
        let known_hosts = self.dir.join(format!("known_hosts_{port}"));
        fs::write(&known_hosts, self.known_hosts_at(port)).expect("a file can be written");
        SftpOptions {
            key: Some(KeySource::File(self.dir.join("user_key"))),
            known_hosts: Some(known_hosts),
            limits: SftpLimits {
                idle: Duration::from_secs(20),
                backoff: Duration::from_millis(10),
                ..SftpLimits::default()
            },
            ..SftpOptions::default()
        }
    }

    /// The same for its own port.
    pub fn options(&self) -> SftpOptions {
        self.options_at(self.port)
    }

    /// The lines that make it known behind a port.
    pub fn known_hosts_at(&self, port: u16) -> String {
        let keys = fs::read_dir(&self.dir).expect("a folder can be read").flatten();
        let keys = keys.filter(|entry| {
            let name = entry.file_name().into_string().unwrap_or_default();
            name.starts_with("host_") && name.ends_with(".pub")
        });
        keys.map(|entry| {
            format!("[127.0.0.1]:{port} {}", fs::read_to_string(entry.path()).unwrap_or_default())
        })
        .collect()
    }

    /// The fingerprint of one of its keys, by kind.
    pub fn fingerprint(&self, kind: &str) -> String {
        fingerprint(&self.dir.join(format!("host_{kind}.pub")))
    }

    /// Gives it another key; connections from now on see it.
    pub fn change_host_key(&self) {
        let key = self.dir.join("host_ed25519");
        for path in [&key, &key.with_extension("pub")] {
            fs::remove_file(path).expect("a key can be removed");
        }
        keygen(&key, "ed25519", "");
        give(&self.dir, self.account);
        // It reads its keys again, and listens again, when told.
        let told = Command::new("kill").args(["-s", "HUP", &self.process.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
        thread::sleep(Duration::from_millis(200));
        let deadline = Instant::now() + LIMIT;
        while !greets(self.port) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Gives what is in its folder to the user that it runs as, so that modes count.
    pub fn own_files(&self) {
        give(&self.files, self.account);
    }
}

/// The fingerprint of a public key's file, as ssh-keygen says it.
pub fn fingerprint(public_key: &Path) -> String {
    let line = output("ssh-keygen", &["-lf", &public_key.display().to_string()]);
    line.split(' ').nth(1).expect("ssh-keygen says it in the second word").to_owned()
}

/// Makes a key, and its public half beside it.
pub fn keygen(path: &Path, kind: &str, passphrase: &str) {
    let _ = fs::remove_file(path);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-C", "", "-t", kind, "-N", passphrase, "-f"]).arg(path);
    if kind == "rsa" {
        command.args(["-b", "2048"]);
    }
    assert!(command.status().expect("ssh-keygen runs").success());
}

fn config(setup: &Setup, dir: &Path, port: u16) -> String {
    let yes = |login: Login| if setup.login == login { "yes" } else { "no" };
    let mut text = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nStrictModes no\nLogLevel ERROR\nMaxStartups 100\n\
         AuthorizedKeysFile {}/authorized_keys\nPasswordAuthentication {}\nKbdInteractiveAuthentication {}\nUsePAM {}\n",
        dir.display(),
        yes(Login::Password),
        yes(Login::Questions),
        // Without PAM, sshd lets nobody in whose account has no password.
        if setup.login == Login::Password { "no" } else { "yes" },
    );
    for kind in setup.host_keys {
        text += &format!("HostKey {}/host_{kind}\n", dir.display());
    }
    if setup.has_sftp {
        text += "Subsystem sftp internal-sftp\n";
    }
    text
}

/// sshd as root, with users and PAM rules that only it and its children see.
fn unshared(dir: &Path, (uid, gid): (u32, u32)) -> Command {
    const SCRIPT: &str = r#"
        set -e
        mount --bind "$1/passwd" /etc/passwd
        mount --bind "$1/shadow" /etc/shadow
        [ ! -e /etc/pam.d/sshd ] || mount --bind "$1/pam" /etc/pam.d/sshd
        mount -t tmpfs tmpfs /run
        mkdir -m 755 /run/sshd
        shift
        exec "$@"
    "#;
    let passwd = fs::read_to_string("/etc/passwd").expect("users can be read");
    fs::write(dir.join("passwd"), format!("{passwd}{PASSWORD_USER}:x:{uid}:{gid}::/:/bin/sh\n"))
        .and_then(|()| {
            fs::write(dir.join("shadow"), format!("{PASSWORD_USER}:{PASSWORD_HASH}:19000::::::\n"))
        })
        .and_then(|()| {
            let rules =
                "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n";
            fs::write(dir.join("pam"), rules)
        })
        .expect("users can be written");
    let mut command = Command::new("unshare");
    command.args(["--mount", "/bin/sh", "-c", SCRIPT, "sh"]).arg(dir).arg(program());
    command
}

/// sshd, by its whole path: it starts itself again for each connection.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(PathBuf::from("/usr/sbin")).chain(std::env::split_paths(&path));
    let mut programs = folders.map(|folder| folder.join("sshd")).filter(|program| program.is_absolute());
    programs.find(|program| program.is_file()).expect("sshd: run scripts/setup test")
}

fn can_unshare() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/run"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Gives a folder, and what is in it, to the account.
fn give(path: &Path, account: Option<(u32, u32)>) {
    let Some((uid, gid)) = account else { return };
    let _ = chown(path, Some(uid), Some(gid));
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).expect("a folder can be read").flatten() {
            give(&entry.path(), account);
        }
    }
}

/// Whether an SSH server says its name there.
fn greets(port: u16) -> bool {
    let ask = || -> std::io::Result<[u8; 4]> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut begin = [0; 4];
        stream.read_exact(&mut begin)?;
        Ok(begin)
    };
    ask().is_ok_and(|begin| &begin == b"SSH-")
}

/// A port of 127.0.0.1 where nobody listens.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn is_root() -> bool {
    output("id", &["-u"]) == "0"
}

fn id(flag: &str, name: &str) -> u32 {
    output("id", &[flag, name]).parse().expect("id says a number")
}

fn output(program: &str, args: &[&str]) -> String {
    let said = Command::new(program).args(args).output().expect("the program runs");
    assert!(said.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}
