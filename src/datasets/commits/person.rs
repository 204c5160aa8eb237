//! People who were removed are taken out of what is read, and of answers of a host: name, address and account, wherever the address
//! is such a person's, and the name where it stands without an address.

use std::collections::HashSet;

use serde_json::Value;

use super::email::{EmailHasher, name_and_address, replace_addresses, without_addresses};
use super::record::Signature;
use super::trailer::{folded, trailer};
use crate::dataset::SecretInput;
use crate::words::sha256;

/// The people who were removed, and what hashes anybody.
pub(super) struct RemovedPeople<'a> {
    /// Hashes of their addresses and names.
    hashes: &'a HashSet<String>,
    hasher: EmailHasher,
}

impl<'a> RemovedPeople<'a> {
    /// `None`: there is no key.
    pub(super) fn new(secret: SecretInput<'a>) -> Option<Self> {
        let hasher = EmailHasher::new(Some(secret.text))?;
        Some(Self { hashes: secret.removed, hasher })
    }

    /// The hash of an address; `None`: it is empty.
    pub(super) fn hash(&self, email: &str) -> Option<String> {
        self.hasher.hash(email)
    }

    fn is_address(&self, email: &str) -> bool {
        !self.hashes.is_empty() && self.hash(email).is_some_and(|hash| self.hashes.contains(&hash))
    }

    /// Beside another address a name is somebody else's.
    pub(super) fn is_named(&self, name: &str, email: &str) -> bool {
        if !email.trim().is_empty() {
            return self.is_address(email);
        }
        !self.hashes.is_empty() && self.hashes.contains(&keyed_name(&without_addresses(name), &self.hasher))
    }

    /// Clears name and address of a person who was removed; returns whether it was one.
    pub(super) fn take_out(&self, who: &mut Signature) -> bool {
        let is_removed = self.is_named(&who.name, &who.email);
        if is_removed {
            (who.name, who.email) = Default::default();
        }
        is_removed
    }
}

/// By what the tables know a person of whom this is said: the hash of an address, or what `git_identities` calls the person.
pub(super) fn known_as(text: &str, key: &str) -> String {
    let hash =
        EmailHasher::new(Some(key)).filter(|_| text.contains('@')).and_then(|hasher| hasher.hash(text));
    hash.unwrap_or_else(|| text.trim().to_owned())
}

/// What stands before the hash of a name, as an earlier program made it: without the key.
const PLAIN_NAME: &str = "name ";
/// And under the key. A plain hash of a name tells the name to anybody who has a list of names.
const KEYED_NAME: &str = "keyed-name ";
/// What stands before the hash of a name in `git_identities`.
const KEYED_PERSON: &str = "keyed-person ";

/// By what the tables know that a name was taken out.
pub(super) fn hash_name(name: &str, key: &str) -> String {
    keyed_name(name, &EmailHasher::new(Some(key)).expect("a key is not empty"))
}

fn keyed_name(name: &str, hasher: &EmailHasher) -> String {
    let hash = hasher.hash(&format!("{PLAIN_NAME}{}", sha256(name)));
    format!("{KEYED_NAME}{}", hash.expect("the text is not empty"))
}

/// The text by which the tables know that the person with this name in `git_identities` was taken out.
pub(super) fn hash_person(person: &str, key: &str) -> String {
    let hash = EmailHasher::new(Some(key)).and_then(|hasher| hasher.hash(&format!("person {person}")));
    format!("{KEYED_PERSON}{}", hash.expect("a key is not empty"))
}

/// The same of a plain hash; `None`: it is none.
pub(super) fn rekeyed_name(hash: &str, key: &str) -> Option<String> {
    let hasher = EmailHasher::new(Some(key)).filter(|_| hash.starts_with(PLAIN_NAME))?;
    Some(format!("{KEYED_NAME}{}", hasher.hash(hash)?))
}

/// By what the tables recognise the key. The word is no address and no hash of a name, so that nothing else has this hash.
pub(super) fn hash_of_key(key: &str) -> String {
    let hash = EmailHasher::new(Some(key)).and_then(|hasher| hasher.hash("the key of this schema"));
    format!("key {}", hash.expect("a key is not empty"))
}

/// A line of the archive without these people; `None`: it names none of them.
pub(super) fn without(line: &str, removed: &HashSet<String>, key: &str) -> Option<String> {
    let whose = RemovedPeople::new(SecretInput { text: key, removed })?;
    let mut read: Value = serde_json::from_str(line).ok()?;
    let items = read.get_mut("body").and_then(Value::as_array_mut);
    let mut is_changed = false;
    for item in items.into_iter().flatten() {
        is_changed |= clear(item, &whose);
    }
    is_changed.then(|| read.to_string())
}

/// Takes them out of one commit; returns whether one was there.
fn clear(item: &mut Value, whose: &RemovedPeople<'_>) -> bool {
    let mut is_named = false;
    for role in ["author", "committer"] {
        let Some(who) = item.pointer_mut(&format!("/commit/{role}")) else { continue };
        let text = |field: &str| who.get(field).and_then(Value::as_str).unwrap_or_default();
        if !whose.is_named(text("name"), text("email")) {
            continue;
        }
        for field in ["name", "email"] {
            who[field] = "".into();
        }
        // The account.
        item[role] = Value::Null;
        is_named = true;
    }
    if let Some(Value::String(message)) = item.pointer_mut("/commit/message") {
        let cleared = without_person(message, whose);
        is_named |= cleared != *message;
        *message = cleared;
    }
    // What was signed names them, too. That it was signed stays.
    let verification = item.pointer_mut("/commit/verification").and_then(Value::as_object_mut);
    if let Some(verification) = verification.filter(|_| is_named) {
        verification.insert("payload".into(), Value::Null);
        if let Some(signature) = verification.get_mut("signature").filter(|signature| !signature.is_null()) {
            *signature = "".into();
        }
    }
    is_named
}

/// A message with `…` in the place of `NAME <ADDRESS>` in its lines, of a trailer's name, and of the address anywhere.
fn without_person(message: &str, whose: &RemovedPeople<'_>) -> String {
    let is_one = |email: &str| whose.is_address(email);
    let lines: Vec<_> = message.split('\n').collect();
    let mut cleared: Vec<String> = Vec::with_capacity(lines.len());
    for folded in folded(&lines) {
        // The first line is the subject, and no trailer.
        if let Some(trailer) = trailer(folded).filter(|_| !cleared.is_empty()) {
            let (name, address) = trailer.person().unwrap_or((&trailer.value, ""));
            if whose.is_named(name, address) {
                let rest = name_and_address(&trailer.value).map_or("", |(_, _, rest)| rest);
                cleared.push(format!("{}: …{}", trailer.token, replace_addresses(rest, &is_one)));
                continue;
            }
        }
        for line in folded {
            cleared.push(match name_and_address(line) {
                Some((_, address, rest)) if is_one(address) => {
                    let before = line.split_once(": ").map(|(before, _)| format!("{before}: "));
                    format!("{}…{}", before.unwrap_or_default(), replace_addresses(rest, &is_one))
                }
                _ => replace_addresses(line, &is_one),
            });
        }
    }
    cleared.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hash_of_a_name_is_under_the_key_whoever_made_it() {
        // sha256sum of the name.
        let plain = "name 14c64d9a395d3a912318ac49cd8256335038b319c8317ab92c36c5e8eadada61";
        let hash = hash_name("Ada Byron", "key");
        assert_eq!(rekeyed_name(plain, "key"), Some(hash.clone()));
        assert_ne!(hash, hash_name("Ada Byron", "other"));
        assert_eq!(rekeyed_name(&hash, "key"), None);
        assert!(hash.starts_with(KEYED_NAME) && hash.len() == KEYED_NAME.len() + 64);
    }

    #[test]
    fn a_person_is_taken_out_wherever_the_address_is() {
        let hash = known_as(" Ada@example.org", "key");
        assert_eq!((hash.len(), known_as("ada", "key").as_str()), (64, "ada"));
        let person = HashSet::from([hash, hash_name("Ada", "key")]);
        let item = json!({"sha": "1", "author": {"login": "ada"}, "committer": {"login": "ben"}, "commit": {
            "author": {"name": "Ada", "email": "ada@example.org", "date": "2020-01-01T00:00:00Z"},
            "committer": {"name": "Ben", "email": "ben@example.org", "date": "2020-01-01T00:00:00Z"},
            "message": "Ask ada@example.org\n\nCo-authored-by: Ada <ADA@example.org>\nReviewed-by: Ben <ben@example.org>",
            "verification": {"payload": "author Ada", "signature": "x"}}});
        let line = json!({"history": 1, "status": 200, "body": [item.clone()]}).to_string();
        let cleared = without(&line, &person, "key").unwrap();
        assert!(!cleared.to_lowercase().contains("ada"), "{cleared}");
        let read: Value = serde_json::from_str(&cleared).unwrap();
        let commit = &read["body"][0]["commit"];
        assert_eq!(commit["message"], "Ask …\n\nCo-authored-by: …\nReviewed-by: Ben <ben@example.org>");
        assert_eq!(
            (&commit["author"]["date"], &commit["verification"]["signature"]),
            (&json!("2020-01-01T00:00:00Z"), &json!(""))
        );
        assert_eq!(read["body"][0]["committer"], item["committer"]);
        assert_eq!(without(&cleared, &person, "key"), None);
        assert_eq!(without("{\"history\": 1, \"body\": {}}", &person, "key"), None);
        // The name alone is the person's, and beside another address it is not.
        let item = json!({"sha": "2", "commit": {
            "author": {"name": "Ada", "email": ""}, "committer": {"name": "Ada", "email": "other@example.org"},
            "message": "Ada asked\n\nReviewed-by: Ada\nTested-by: Ada ada@example.org\nAcked-by: Ada <other@example.org>\n\
                See:Ada <ada@example.org>\nSigned-off-by: A\n  Da <ada@example.org>\n and ada@example.org\nHelped-by:\n\tAda"}});
        let line = json!({"history": 1, "status": 200, "body": [item]}).to_string();
        let read: Value = serde_json::from_str(&without(&line, &person, "key").unwrap()).unwrap();
        let commit = &read["body"][0]["commit"];
        assert_eq!((&commit["author"]["name"], &commit["committer"]["name"]), (&json!(""), &json!("Ada")));
        assert_eq!(
            commit["message"],
            "Ada asked\n\nReviewed-by: …\nTested-by: …\nAcked-by: Ada <other@example.org>\n\
             See: …\nSigned-off-by: … and …\nHelped-by: …"
        );
    }
}
