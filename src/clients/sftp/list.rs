//! What is in a folder.

use jiff::Timestamp;

use super::protocol::{Attributes, Name};
use super::session::{Broken, SftpSession};
use crate::clients::store::{Listing, ObjectInfo};

const TYPE_MASK: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// The type of an entry, as far as the server reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryKind {
    File,
    Link,
    Other,
}

/// The regular files of a folder, by name; links count as what they lead to. What else is there is listed apart.
/// `prefix` comes before each name.
pub(super) async fn list(session: &mut SftpSession, folder: &str, prefix: &str) -> Result<Listing, Broken> {
    let handle = session.open_folder(folder).await?;
    let mut found = Listing::default();
    let mut links = Vec::new();
    let mut odd = 0u64;
    while let Some(names) = session.read_folder(&handle).await? {
        for entry in &names {
            let Some(name) = usable(&entry.name) else {
                odd += u64::from(!matches!(entry.name.as_ref(), b"." | b".."));
                continue;
            };
            match (kind(entry), entry.attributes.size_bytes) {
                (EntryKind::File, Some(_)) => found.files.push(info(prefix, name, entry.attributes)),
                // For a link, the size given here is that of the link itself.
                (EntryKind::Link, _) | (EntryKind::File, None) => links.push(name.to_owned()),
                (EntryKind::Other, _) => {
                    found.odd.push((format!("{prefix}{name}"), "it is not a regular file"));
                }
            }
        }
    }
    session.close(&handle).await?;
    for name in links {
        let path = if folder.ends_with('/') { format!("{folder}{name}") } else { format!("{folder}/{name}") };
        match session.attributes(&path).await {
            Ok(attributes) if is_file(attributes) => found.files.push(info(prefix, &name, attributes)),
            Ok(_) => found
                .odd
                .push((format!("{prefix}{name}"), "it is a link to something that is not a regular file")),
            // Or it has just been removed.
            Err(Broken::Status { .. }) => {
                let what = "it is a link to nothing, or to a place this user may not enter";
                found.odd.push((format!("{prefix}{name}"), what));
            }
            Err(broken) => return Err(broken),
        }
    }
    if odd > 0 {
        tracing::warn!(odd, "{odd} names that are not UTF-8, or have control characters, are left out");
    }
    found.files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

/// The name as text, if a file of ours can have it.
fn usable(name: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(name).ok()?;
    let bad = matches!(name, "" | "." | "..") || name.contains('/') || name.chars().any(char::is_control);
    (!bad).then_some(name)
}

fn kind(entry: &Name) -> EntryKind {
    match entry.attributes.mode.map_or(0, |mode| mode & TYPE_MASK) {
        REGULAR => EntryKind::File,
        LINK => EntryKind::Link,
        // Servers that know no modes still show a line as `ls -l` does, or nothing but a size.
        0 => match entry.long_name.first() {
            Some(b'l') => EntryKind::Link,
            Some(b'd' | b'p' | b's' | b'c' | b'b') => EntryKind::Other,
            _ => EntryKind::File,
        },
        _ => EntryKind::Other,
    }
}

fn is_file(attributes: Attributes) -> bool {
    let file_type = attributes.mode.map_or(0, |mode| mode & TYPE_MASK);
    matches!(file_type, REGULAR | 0) && attributes.size_bytes.is_some()
}

fn info(prefix: &str, name: &str, attributes: Attributes) -> ObjectInfo {
    ObjectInfo {
        key: format!("{prefix}{name}"),
        size_bytes: attributes.size_bytes.unwrap_or(0),
        modified: attributes.modified.and_then(|seconds| Timestamp::from_second(seconds.into()).ok()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn the_type_is_told_by_the_mode_else_by_the_line() {
        let of = |mode, long_name: &'static str| {
            let attributes = Attributes { mode, ..Attributes::default() };
            kind(&Name {
                name: Bytes::new(),
                long_name: Bytes::from_static(long_name.as_bytes()),
                attributes,
            })
        };
        assert_eq!(of(Some(0o100_644), "drwx"), EntryKind::File);
        assert_eq!(of(Some(0o120_777), ""), EntryKind::Link);
        assert_eq!(of(Some(0o040_755), ""), EntryKind::Other);
        assert_eq!(of(Some(0o644), "drwxr-xr-x 1 u g"), EntryKind::Other);
        assert_eq!(of(None, "-rw-r--r-- 1 u g"), EntryKind::File);
        assert_eq!(of(None, "lrwxrwxrwx 1 u g"), EntryKind::Link);
        assert_eq!(of(None, "a.zip"), EntryKind::File);
    }

    #[test]
    fn names_that_could_do_harm_are_not_usable() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\nb", b"a\xff"] {
            assert_eq!(usable(bad), None, "{bad:?}");
        }
        assert_eq!(usable("Ä b.zip".as_bytes()), Some("Ä b.zip"));
    }
}
