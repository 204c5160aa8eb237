//! A mailmap: who people are who commit under several names or addresses, in files as git has them.

use std::collections::HashMap;

use super::email::name_and_address;
use super::record::Signature;

/// What is put right, by the address of a commit in small letters.
#[derive(Debug, Default)]
pub(super) struct Mailmap(HashMap<String, Vec<MailmapEntry>>);

/// A line of it.
#[derive(Debug)]
struct MailmapEntry {
    /// Only of commits with this name, in small letters.
    of_name: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

impl Mailmap {
    /// Reads lines such as `NAME <ADDRESS> OTHER NAME <OTHER ADDRESS>`, of which the first name, the first address with a second
    /// behind it, and the second name may be left out.
    ///
    /// # Errors
    /// The line that has no address, for the person who wrote it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut map = Self::default();
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong =
                || format!("line {number}: it has no address in brackets: NAME <ADDRESS> <OTHER ADDRESS>");
            let (name, email, rest) = name_and_address(line).ok_or_else(wrong)?;
            let (of_name, of_email, email) = match name_and_address(rest) {
                Some((of_name, of_email, _)) => (of_name, of_email, Some(email)),
                None => ("", email, None),
            };
            let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let entry = MailmapEntry {
                of_name: given(&of_name.to_lowercase()),
                name: given(name),
                email: email.map(str::to_owned),
            };
            map.0.entry(of_email.to_lowercase()).or_default().push(entry);
        }
        Ok(map)
    }

    /// Puts name and address right, if a line says how; of several the last one, and one with the name before others.
    pub(super) fn apply(&self, who: &mut Signature) {
        let Some(entries) = self.0.get(&who.email.to_lowercase()) else { return };
        let name = who.name.to_lowercase();
        let of_name = entries.iter().rev().find(|entry| entry.of_name.as_deref() == Some(name.as_str()));
        let Some(entry) = of_name.or_else(|| entries.iter().rev().find(|entry| entry.of_name.is_none()))
        else {
            return;
        };
        if let Some(name) = &entry.name {
            who.name.clone_from(name);
        }
        if let Some(email) = &entry.email {
            who.email.clone_from(email);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailmap_is_applied_as_git_does() {
        let map = Mailmap::read(
            "# People\n\nAda <ada@a>\n<ada@a> <ADA@b>\nBen <ben@a> <ben@b>\nCleo <cleo@a> Root <root@c>\nDee <dee@a> <root@c>\n",
        )
        .unwrap();
        for (before, after) in [
            (("ada b", "ada@a"), ("Ada", "ada@a")),
            (("x", "Ada@B"), ("x", "ada@a")),
            (("x", "ben@b"), ("Ben", "ben@a")),
            (("ROOT", "root@c"), ("Cleo", "cleo@a")),
            (("x", "root@c"), ("Dee", "dee@a")),
            (("x", "y"), ("x", "y")),
        ] {
            let mut who = Signature { name: before.0.into(), email: before.1.into(), ..Signature::default() };
            map.apply(&mut who);
            assert_eq!((who.name.as_str(), who.email.as_str()), after, "{before:?}");
        }
        let wrong = Mailmap::read("Ada <a@b>\nBen\n").unwrap_err();
        assert!(wrong.starts_with("line 2: it has no address"), "{wrong}");
    }
}
