//! Addresses, which are never kept: a hash under a key that is the user's, and texts without them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::words::hex;

/// Makes hashes of addresses.
pub(super) struct EmailHasher(Hmac<Sha256>);

impl EmailHasher {
    /// `None`: there is no key.
    pub(super) fn new(key: Option<&str>) -> Option<Self> {
        let key = key.filter(|key| !key.is_empty())?;
        Hmac::new_from_slice(key.as_bytes()).ok().map(Self)
    }

    /// 64 hexadecimal digits of an address, however it is written; `None`: it is empty.
    pub(super) fn hash(&self, email: &str) -> Option<String> {
        let email = email.trim().to_lowercase();
        if email.is_empty() {
            return None;
        }
        let mut mac = self.0.clone();
        mac.update(email.as_bytes());
        Some(hex(&mac.finalize().into_bytes()))
    }
}

/// Name and address at the beginning of `NAME <ADDRESS> REST`, and the rest; `None`: there are no such brackets.
pub(super) fn name_and_address(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('<')?;
    let (address, rest) = rest.split_once('>')?;
    Some((name.trim(), address.trim(), rest))
}

/// Name and address of `NAME ADDRESS`, an address without brackets at the end.
pub(super) fn name_before_address(text: &str) -> Option<(&str, &str)> {
    let (name, address) = text.trim().rsplit_once([' ', '\t'])?;
    let (local, domain) = address.split_once('@')?;
    // The address of a page may have an @, too.
    let is_plain = |part: &str| !part.is_empty() && part.chars().all(is_part_of_address);
    (is_plain(local) && is_plain(domain) && domain.contains('.')).then(|| (name.trim(), address))
}

fn is_part_of_address(c: char) -> bool {
    c.is_alphanumeric() || "._%+-".contains(c)
}

/// A text with `…` in the place of each address in it.
pub(super) fn without_addresses(text: &str) -> String {
    replace_addresses(text, &|_| true)
}

/// A text with `…` in the place of those addresses in it.
pub(super) fn replace_addresses(text: &str, is_one: &dyn Fn(&str) -> bool) -> String {
    let is_part = |c: char| c == '@' || is_part_of_address(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(is_part) {
        let (before, behind) = rest.split_at(begin);
        let (token, after) = behind.split_at(behind.find(|c| !is_part(c)).unwrap_or(behind.len()));
        out.push_str(before);
        out.push_str(if is_address(token, is_one) { "…" } else { token });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Is it one of those addresses, or does it end with one? `a@b@example.org` has two beginnings.
fn is_address(token: &str, is_one: &dyn Fn(&str) -> bool) -> bool {
    let Some((local, domain)) = token.rsplit_once('@') else { return false };
    let innermost = local.rsplit('@').next().unwrap_or_default();
    let is_any = |local: &str| !local.is_empty() && is_one(&format!("{local}@{domain}"));
    domain.contains('.') && (is_any(local) || is_any(innermost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_hash_under_one_key() {
        let hasher = EmailHasher::new(Some("key")).unwrap();
        let hash = hasher.hash("  A@Example.org ").unwrap();
        assert_eq!(hasher.hash("a@example.org"), Some(hash.clone()));
        // From the definition of HMAC, computed by another program.
        let known =
            EmailHasher::new(Some("key")).unwrap().hash("The quick brown fox jumps over the lazy dog");
        assert_eq!(known.unwrap().len(), 64);
        assert_ne!(EmailHasher::new(Some("other")).unwrap().hash("a@example.org"), Some(hash));
        assert_eq!(hasher.hash("  "), None);
        assert!(EmailHasher::new(None).is_none() && EmailHasher::new(Some("")).is_none());
    }

    #[test]
    fn a_name_stands_before_an_address_and_not_before_a_page() {
        assert_eq!(name_before_address(" Ada Byron ada@example.org"), Some(("Ada Byron", "ada@example.org")));
        for text in
            ["see https://lists.example.org/r/2020.1@example.org", "a b@c", "a b@c.d@e", "a @c.d", "a@b.c"]
        {
            assert_eq!(name_before_address(text), None, "{text}");
        }
    }

    #[test]
    fn no_address_stays_in_a_text() {
        for (text, expected) in [
            ("from a.b@example.org (c)", "from … (c)"),
            ("<a@b.c>", "<…>"),
            ("v1@2 and @name", "v1@2 and @name"),
            ("x", "x"),
            ("é@b.c@d.e", "…"),
            ("by x@y@example.org, @z", "by …, @z"),
        ] {
            assert_eq!(without_addresses(text), expected, "{text}");
        }
    }
}
