//! Do the links of the pages lead somewhere?

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use quick_xml::escape::unescape;

use super::render::SiteFile;

/// Links within the site that lead nowhere, each in a sentence.
pub fn broken(files: &[SiteFile]) -> Vec<String> {
    let texts: BTreeMap<&str, &str> = files
        .iter()
        .map(|file| (file.path.as_str(), std::str::from_utf8(&file.bytes).unwrap_or_default()))
        .collect();
    let mut found = BTreeSet::new();
    for (page, text) in texts.iter().filter(|(path, _)| path.ends_with(".html")) {
        for link in links(text) {
            if let Some(why) = leads(page, &link, &texts) {
                found.insert(format!("{page}: {link}: {why}"));
            }
        }
    }
    found.into_iter().collect()
}

/// What is wrong with a link; `None`: nothing, or it leaves the site.
fn leads(page: &str, link: &str, texts: &BTreeMap<&str, &str>) -> Option<String> {
    let scheme = link.split(['/', '#', '?']).next().unwrap_or_default();
    if scheme.contains(':') {
        return None;
    }
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    let path = path.split('?').next().unwrap_or_default();
    let target = match path {
        "" => page.to_owned(),
        path => match resolve(page, path) {
            None => return Some("it leads out of the site".into()),
            Some(target) => target,
        },
    };
    let Some(text) = texts.get(target.as_str()) else { return Some(format!("there is no {target}")) };
    let is_there = fragment.is_empty() || text.contains(&format!(" id=\"{fragment}\""));
    (!is_there).then(|| format!("{target} has nothing of this name"))
}

/// A path from the site's root; `None`: it is none.
fn resolve(page: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What the attributes `href` and `src` of a page say.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in [" href=\"", " src=\""] {
        for rest in text.split(attribute).skip(1) {
            let link = rest.split('"').next().unwrap_or_default();
            found.push(unescape(link).map_or_else(|_| link.to_owned(), Cow::into_owned));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_named_with_its_page() {
        let files: Vec<_> = [
            ("index.html", "<a href=\"x&#x2f;a.html\"> <a href=\"#main\"> <p id=\"main\"> <a href=\"https:&#x2f;&#x2f;b.example\">"),
            ("x/o'b.html", ""),
            ("x/a.html", "<a href=\"../index.html#main\"> <a href=\"b.html\"> <a href=\"../../up.html\"> <a href=\"o&#39;b.html\"> <img src=\"../index.html#no\">"),
        ]
        .into_iter()
        .map(|(path, text)| SiteFile::new(path, text))
        .collect();
        assert_eq!(
            broken(&files),
            [
                "x/a.html: ../../up.html: it leads out of the site",
                "x/a.html: ../index.html#no: index.html has nothing of this name",
                "x/a.html: b.html: there is no x/b.html",
            ]
        );
    }
}
