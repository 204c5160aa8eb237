//! `site.toml` as its author writes it. Paths in it are relative to the file.

use std::fs;
use std::path::{Path, PathBuf};

use super::facts::month;
use super::pages::SiteTitle;
use crate::error::Cause;
use crate::fields::TomlFields;

/// The name of the file in messages.
pub const SITE_FILE: &str = "site.toml";

/// The settings of a site, read and checked on their own.
#[derive(Clone, Debug)]
pub struct SiteSettings {
    pub title: SiteTitle,
    /// The last month that counts, `YYYY-MM`; `None`: the last complete one.
    pub as_of: Option<String>,
    /// Where the sheets are; `None`: the tables stay as they are.
    pub sheets: Option<String>,
    /// The histories that are asked for; `None`: those in the database stay as they are.
    pub histories: Option<HistorySettings>,
    /// The folder that becomes the site.
    pub out: PathBuf,
    /// The folder with the site's own templates.
    pub templates: Option<PathBuf>,
}

/// Where histories come from.
#[derive(Clone, Debug)]
pub struct HistorySettings {
    pub source: String,
    /// The most requests that one build sends.
    pub requests: Option<u64>,
}

impl SiteSettings {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Cause::Usage`] with the section, the field and a similar known name.
    pub fn read(file: &Path) -> Result<Self, Cause> {
        let text = fs::read_to_string(file).map_err(|error| Cause::Usage {
            message: format!("{} cannot be read: {error}", file.display()),
            hint: Some("see docs/site.md for what a site.toml says".into()),
        })?;
        let file = std::path::absolute(file).map_err(Cause::io("find site.toml"))?;
        Self::parse(file.parent().unwrap_or(Path::new("/")), &text)
    }

    fn parse(folder: &Path, text: &str) -> Result<Self, Cause> {
        let known = ["title", "base_url", "as_of", "catalog", "commits", "site"];
        let mut root = TomlFields::parse(SITE_FILE, text, &known)?;
        let title = SiteTitle { title: root.text("title")?, base_url: base_url(&root.text("base_url")?)? };
        let as_of = root.optional_text("as_of")?;
        if let Some(text) = &as_of
            && month(text).is_err()
        {
            return Err(Cause::usage(format!("{SITE_FILE}: as_of: {text:?} is not a month as YYYY-MM")));
        }
        let sheets = match root.optional_section("catalog", &["source"])? {
            Some(mut section) => Some(located(folder, &section.text("source")?)),
            None => None,
        };
        let histories = match root.optional_section("commits", &["source", "requests"])? {
            Some(mut section) => Some(HistorySettings {
                source: located(folder, &section.text("source")?),
                requests: section.optional_number("requests")?,
            }),
            None => None,
        };
        let mut section = root.section("site", &["out", "templates"])?;
        let out = folder.join(section.text("out")?);
        let templates = section.optional_text("templates")?.map(|templates| folder.join(templates));
        Ok(Self { title, as_of, sheets, histories, out, templates })
    }
}

/// An address without a slash at its end.
fn base_url(text: &str) -> Result<String, Cause> {
    let url = url::Url::parse(text).ok();
    let is_usable = |url: &url::Url| {
        matches!(url.scheme(), "http" | "https")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    match url.filter(is_usable) {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => Err(Cause::Usage {
            message: format!("{SITE_FILE}: base_url {text:?} is not the address of a site"),
            hint: Some("write https://HOST/FOLDER, without a query".into()),
        }),
    }
}

/// A source on this disk, resolved from the folder of the file.
fn located(folder: &Path, source: &str) -> String {
    for scheme in ["dir:", "git:"] {
        if let Some(path) = source.strip_prefix(scheme) {
            return format!("{scheme}{}", folder.join(path).display());
        }
    }
    source.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "title = \"Birds\"\nbase_url = \"https://birds.example/all/\"\nas_of = \"2026-10\"\n\
        [catalog]\nsource = \"dir:curated\"\n[commits]\nsource = \"https://api.example\"\nrequests = 4000\n\
        [site]\nout = \"public_html\"\ntemplates = \"templates\"\n";

    fn parse(text: &str) -> Result<SiteSettings, Cause> {
        SiteSettings::parse(Path::new("/srv"), text)
    }

    fn refused(from: &str, to: &str) -> String {
        let error = parse(&SITE.replace(from, to)).unwrap_err();
        format!("{error} / {}", error.hint().unwrap_or_default())
    }

    #[test]
    fn places_are_relative_to_the_file() {
        let site = parse(SITE).unwrap();
        assert_eq!((site.sheets.as_deref(), site.out), (Some("dir:/srv/curated"), "/srv/public_html".into()));
        assert_eq!(
            (site.templates.unwrap(), site.histories.unwrap().requests),
            ("/srv/templates".into(), Some(4000))
        );
        assert_eq!(site.title.base_url, "https://birds.example/all");
        let short = "title = \"a\"\nbase_url = \"https://a.example\"\n[site]\nout = \"/abs\"\n";
        let site = parse(short).unwrap();
        assert_eq!((site.out, site.sheets, site.as_of), ("/abs".into(), None, None));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_near() {
        assert!(
            refused("templates =", "template =")
                .contains("[site] has no field `template` / did you mean `templates`?")
        );
        assert!(refused("[catalog]", "[catalogue]").contains("did you mean `catalog`?"));
        assert!(refused("base_url", "baseurl").contains("did you mean `base_url`?"));
        assert!(refused("4000", "\"4000\"").contains("[commits] requests must be a number"));
        assert!(refused("https://birds.example/all/", "birds.example").contains("not the address of a site"));
        assert!(refused("2026-10", "Oct 2026").contains("not a month as YYYY-MM"));
        assert!(refused("out = \"public_html\"\n", "").contains("[site] needs `out`"));
    }
}
