//! A person is taken out of answers of a host: name, address and account, wherever the address is the person's.

use std::collections::HashSet;

use serde_json::Value;

use super::email::{EmailHasher, replace_addresses};

/// By what the tables know a person of whom this is said: the hash of an address, or what `git_identities` calls the person.
pub(super) fn known_as(text: &str, key: &str) -> String {
    let hash =
        EmailHasher::new(Some(key)).filter(|_| text.contains('@')).and_then(|hasher| hasher.hash(text));
    hash.unwrap_or_else(|| text.trim().to_owned())
}

/// A line of the archive without the person whose addresses have these hashes; `None`: it does not name the person.
pub(super) fn without(line: &str, hashes: &HashSet<String>, key: &str) -> Option<String> {
    let hasher = EmailHasher::new(Some(key))?;
    let is_one = |email: &str| hasher.hash(email).is_some_and(|hash| hashes.contains(&hash));
    let mut read: Value = serde_json::from_str(line).ok()?;
    let items = read.get_mut("body").and_then(Value::as_array_mut);
    let mut is_changed = false;
    for item in items.into_iter().flatten() {
        is_changed |= clear(item, &is_one);
    }
    is_changed.then(|| read.to_string())
}

/// Takes the person out of one commit; says whether it was there.
fn clear(item: &mut Value, is_one: &dyn Fn(&str) -> bool) -> bool {
    let mut is_named = false;
    for role in ["author", "committer"] {
        let Some(who) = item.pointer_mut(&format!("/commit/{role}")) else { continue };
        if !who.get("email").and_then(Value::as_str).is_some_and(is_one) {
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
        let cleared = without_person(message, is_one);
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

/// A message with `…` in the place of `NAME <ADDRESS>` in its lines, and of the address anywhere.
fn without_person(message: &str, is_one: &dyn Fn(&str) -> bool) -> String {
    let line = |line: &str| {
        let address = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        match address.filter(|(address, _)| is_one(address)) {
            None => replace_addresses(line, is_one),
            Some((_, rest)) => {
                let before = line.split_once(": ").map(|(token, _)| format!("{token}: ")).unwrap_or_default();
                format!("{before}…{}", replace_addresses(rest, is_one))
            }
        }
    };
    message.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_is_taken_out_wherever_the_address_is() {
        let hash = known_as(" Ada@example.org", "key");
        assert_eq!((hash.len(), known_as("ada", "key").as_str()), (64, "ada"));
        let hashes = HashSet::from([hash]);
        let item = json!({"sha": "1", "author": {"login": "ada"}, "committer": {"login": "ben"}, "commit": {
            "author": {"name": "Ada", "email": "ada@example.org", "date": "2020-01-01T00:00:00Z"},
            "committer": {"name": "Ben", "email": "ben@example.org", "date": "2020-01-01T00:00:00Z"},
            "message": "Ask ada@example.org\n\nCo-authored-by: Ada <ADA@example.org>\nReviewed-by: Ben <ben@example.org>",
            "verification": {"payload": "author Ada", "signature": "x"}}});
        let line = json!({"history": 1, "status": 200, "body": [item.clone()]}).to_string();
        let cleared = without(&line, &hashes, "key").unwrap();
        assert!(!cleared.to_lowercase().contains("ada"), "{cleared}");
        let read: Value = serde_json::from_str(&cleared).unwrap();
        let commit = &read["body"][0]["commit"];
        assert_eq!(commit["message"], "Ask …\n\nCo-authored-by: …\nReviewed-by: Ben <ben@example.org>");
        assert_eq!(
            (&commit["author"]["date"], &commit["verification"]["signature"]),
            (&json!("2020-01-01T00:00:00Z"), &json!(""))
        );
        assert_eq!(read["body"][0]["committer"], item["committer"]);
        assert_eq!(without(&cleared, &hashes, "key"), None);
        assert_eq!(without("{\"history\": 1, \"body\": {}}", &hashes, "key"), None);
    }
}
