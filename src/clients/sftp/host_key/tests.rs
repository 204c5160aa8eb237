use super::*;

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsEhz2nVM9lzv+cUnuNZR2rlLTPFNdqYy8shZDhH3vz";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAaRpIpZ8CkmEfsGoS3sjkvuMP8AtJFdKVNZKhPsStFz";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBBbfHvDN5xV1/l8cQglpbSgvKBORmbd4l71+gIBdwcIimZ0HWRsCkdaWkdasxThfP4M9TkJQk/8vjvU0W/AlLB8=";
const ED25519_PRINT: &str = "SHA256:H6xurL+MU9wpbY7jss7THeBung1pKwTcDvhPsjIPaZI";
const ECDSA_PRINT: &str = "SHA256:JbpHYLK4YoQ6gB3Zz+fXhex998ctkakEovV2T2015lM";
/// `host` and `[host]:2222`, hashed by ssh-keygen -H.
const HASHED: &str = "|1|EK+N+4hNeK0NFIMpYhMF50VrMRk=|wWJi5YcPvBDmtN7rntu8PyKHeIw=";
const HASHED_2222: &str = "|1|2MX8e0ZKKjH6UX7s/P4X2BAmzrM=|UUhSS0bUPzvO3VxC0vjx7kgmNWI=";

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).unwrap()
}

fn with(name: &str, lines: &str, pins: &[&str]) -> HostKeys {
    let mut known = Vec::new();
    read_lines(Path::new("/kh"), lines, name, &mut known);
    HostKeys {
        name: name.into(),
        pins: pins.iter().map(|pin| pin.parse().unwrap()).collect(),
        known: Mutex::new(known),
        files: vec!["/kh".into()],
        enters_new: false,
    }
}

fn problem(keys: &HostKeys, offered: &str) -> HostKeyProblem {
    match keys.check(&key(offered)) {
        Err(Refusal::Key(problem)) => *problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn patterns_name_servers_as_in_ssh() {
    for (patterns, name, expected) in [
        ("host", "host", true),
        ("HOST", "host", true),
        ("a,host", "host", true),
        ("host", "[host]:2222", false),
        ("[host]:2222", "[host]:2222", true),
        ("[host]:*", "[host]:2222", true),
        ("*.org", "a.b.org", true),
        ("*.org,!b.org", "b.org", false),
        ("!b.org,*", "b.org", false),
        ("h?st", "host", true),
        ("h?st", "hst", false),
        ("*a*b", "xaxxaxb", true),
        ("*a*b", "xaxxaxbc", false),
        ("", "host", false),
        (HASHED, "host", true),
        (HASHED, "hose", false),
        (HASHED_2222, "[host]:2222", true),
        (HASHED_2222, "host", false),
        ("|1|EK+N|x", "host", false),
    ] {
        assert_eq!(names(patterns, name), expected, "{patterns} {name}");
    }
}

#[test]
fn a_known_key_is_accepted_and_another_is_not() {
    let lines = format!("# {OTHER}\n\nelse {OTHER}\n  host\t{ED25519} comment\nhost ssh-ed25519 AAAA\n");
    let keys = with("host", &lines, &[]);
    assert!(keys.check(&key(ED25519)).is_ok());
    for offered in [OTHER, ECDSA] {
        let HostKeyProblem::Changed { offered, expected, .. } = problem(&keys, offered) else { panic!() };
        assert_eq!((expected[0].fingerprint.as_str(), expected[0].place.as_str()), (ED25519_PRINT, "/kh:4"));
        assert!(offered.line.starts_with("host "));
    }
    let HostKeyProblem::Unknown { offered, .. } = problem(&with("[host]:22", &lines, &[]), ED25519) else {
        panic!()
    };
    assert_eq!((offered.fingerprint.as_str(), offered.line), (ED25519_PRINT, format!("[host]:22 {ED25519}")));
}

#[test]
fn a_revoked_key_is_refused_even_if_it_is_known_or_pinned() {
    let lines = format!("* {ED25519}\n@revoked * {ED25519}\n@cert-authority * {OTHER}\n");
    for pins in [&[][..], &[ED25519_PRINT]] {
        let HostKeyProblem::Revoked { place, .. } = problem(&with("host", &lines, pins), ED25519) else {
            panic!()
        };
        assert_eq!(place, "/kh:2");
    }
    // The key of a certificate authority is not a key of the server.
    assert!(matches!(problem(&with("host", &lines, &[]), OTHER), HostKeyProblem::Changed { .. }));
}

#[test]
fn pins_alone_decide_where_there_are_any() {
    let keys = with("host", &format!("host {ED25519}\n"), &[ECDSA_PRINT]);
    assert!(keys.check(&key(ECDSA)).is_ok());
    let HostKeyProblem::NotPinned { expected, .. } = problem(&keys, ED25519) else { panic!() };
    assert_eq!(expected, [ECDSA_PRINT]);
}

#[test]
fn the_kinds_that_are_known_are_asked_for_first() {
    let keys = with("host", &format!("host {ECDSA}\n"), &[]);
    assert_eq!(keys.algorithms(&[])[0], key(ECDSA).algorithm());
    assert_eq!(keys.algorithms(&[]).len(), Preferred::DEFAULT.key.len());
    let rsa = Algorithm::Rsa { hash: None };
    assert!(!keys.algorithms(std::slice::from_ref(&rsa)).iter().any(|a| same_kind(a, &rsa)));
}

#[test]
fn on_first_use_the_key_is_entered_once_and_then_expected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/known_hosts");
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "other ssh-ed25519 AAAA").unwrap();
    let mut keys = with("host", "", &[]);
    keys.files = vec![path.clone()];
    keys.enters_new = true;
    assert!(keys.check(&key(&format!("{ED25519} root@x"))).is_ok());
    assert!(keys.check(&key(ED25519)).is_ok());
    assert!(matches!(problem(&keys, OTHER), HostKeyProblem::Changed { .. }));
    assert_eq!(fs::read_to_string(path).unwrap(), format!("other ssh-ed25519 AAAA\nhost {ED25519}\n"));
}
