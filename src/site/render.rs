//! Templates, and the rendering of pages. Text is escaped; a value that a template does not find in its page's context
//! is an error, with file and line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::{Environment, UndefinedBehavior, Value};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::blocks;
use super::pages::SitePage;
use crate::error::Cause;
use crate::fields::meant;
use crate::words::{base64, hex, sha256};

/// The built-in templates and files, used unless the site has its own.
const BUILT_IN: [(&str, &str); 14] = [
    ("backer.html", include_str!("templates/backer.html")),
    ("base.html", include_str!("templates/base.html")),
    ("category.html", include_str!("templates/category.html")),
    ("community.html", include_str!("templates/community.html")),
    ("compare.html", include_str!("templates/compare.html")),
    ("downloads.html", include_str!("templates/downloads.html")),
    ("index.html", include_str!("templates/index.html")),
    ("list.html", include_str!("templates/list.html")),
    ("methods.html", include_str!("templates/methods.html")),
    ("project.html", include_str!("templates/project.html")),
    ("search.html", include_str!("templates/search.html")),
    ("sitemap.xml", include_str!("templates/sitemap.xml")),
    ("thing.html", include_str!("templates/thing.html")),
    (STYLE, include_str!("templates/style.css")),
];
const STYLE: &str = "style.css";
const SCRIPT: &str = "search.js";
const BUILT_IN_SCRIPT: &str = include_str!("templates/search.js");
/// How many digits of its hash a page shows.
const HASH_DIGITS: usize = 16;

/// A file of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteFile {
    /// Relative to the site, `/`-separated.
    pub path: String,
    pub bytes: Vec<u8>,
    /// The checksum of the bytes: 64 hexadecimal digits.
    pub sha256: String,
}

impl SiteFile {
    /// A file with these bytes.
    pub fn new(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { path: path.into(), sha256: sha256(&bytes), bytes }
    }
}

/// A template: its name in other templates, its place, and its text.
#[derive(Clone, Debug)]
struct TemplateText {
    name: String,
    place: String,
    text: String,
}

/// All templates of a site.
#[derive(Clone, Debug)]
pub struct Templates {
    all: Vec<TemplateText>,
    style: String,
    script: String,
    /// The SHA-256 of all of them, 64 hexadecimal digits.
    pub hash: String,
}

impl Templates {
    /// Reads the templates: the built-in ones, except those that a file of the same name in the folder replaces.
    ///
    /// # Errors
    /// The folder cannot be read, or has a file that nothing would use; [`Cause::Usage`] with file and line for a
    /// template with a syntax error.
    pub fn read(folder: Option<&Path>) -> Result<Self, Cause> {
        let mut all: Vec<_> = Self::built_in()
            .map(|(name, text)| TemplateText {
                name: name.into(),
                place: format!("the built-in {name}"),
                text: text.into(),
            })
            .collect();
        for own in folder.map(own_templates).transpose()?.unwrap_or_default() {
            all.retain(|there| there.name != own.name);
            all.push(own);
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let mut hash = Sha256::new();
        for one in &all {
            for part in [&one.name, &one.text] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        let mut take = |name: &str| {
            let at = all.iter().position(|one| one.name == name).expect("each has a built-in one");
            all.remove(at)
        };
        let (style, script) = (take(STYLE), take(SCRIPT));
        for (inner, end) in [(&style, "</style"), (&script, "</script")] {
            if inner.text.to_lowercase().contains(end) {
                return Err(Cause::usage(format!(
                    "{}: it is put inside a page and cannot hold `{end}`",
                    inner.place
                )));
            }
        }
        let templates = Self { all, style: style.text, script: script.text, hash: hex(&hash.finalize()) };
        templates.environment()?;
        templates.admit_blocks()?;
        Ok(templates)
    }

    /// The built-in ones, each with its name.
    pub fn built_in() -> impl Iterator<Item = (&'static str, &'static str)> {
        BUILT_IN.into_iter().chain([(SCRIPT, BUILT_IN_SCRIPT)])
    }

    /// Refuses a block that no template above has: it would be left out without an error.
    fn admit_blocks(&self) -> Result<(), Cause> {
        let all = self.all.iter().map(|one| (one.name.as_str(), one.text.as_str()));
        let Some(lost) = blocks::lost(all) else { return Ok(()) };
        let place = self.place(&lost.template);
        Err(Cause::Usage {
            message: format!(
                "{place}:{}: {} has no block {}, so it would not be shown",
                lost.line, lost.extends, lost.block
            ),
            hint: Some(lost.suggestion.unwrap_or_else(|| {
                "merganser build --write-templates DIR shows the built-in templates".into()
            })),
        })
    }

    fn environment(&self) -> Result<Environment<'_>, Cause> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for one in &self.all {
            environment.add_template(&one.name, &one.text).map_err(|error| self.failed(&error))?;
        }
        Ok(environment)
    }

    /// Renders the pages. Each shows a hash of its template and context.
    ///
    /// # Errors
    /// [`Cause::Usage`] with file and line if a template asks for a value that its page does not have.
    pub fn render(&self, pages: &[SitePage]) -> Result<Vec<SiteFile>, Cause> {
        let environment = self.environment()?;
        let style_hash = base64(&Sha256::digest(&self.style));
        let script_hash = base64(&Sha256::digest(&self.script));
        let one = |page: &SitePage| {
            let mut hash = Sha256::new();
            hash.update(&self.hash);
            hash.update(page.context.to_string());
            let mut context = page.context.clone();
            if let Some(context) = context.as_object_mut() {
                let is_search = context.contains_key("index");
                let scripts = if is_search { format!("'sha256-{script_hash}'") } else { "'none'".to_owned() };
                let policy = format!(
                    "default-src 'none'; style-src 'sha256-{style_hash}'; script-src {scripts}; img-src data:; \
                     base-uri 'none'; form-action 'none'"
                );
                context.insert("policy".into(), policy.into());
                context.insert("style".into(), self.style.clone().into());
                context.insert("script".into(), self.script.clone().into());
                context.insert("inputs".into(), hex(&hash.finalize())[..HASH_DIGITS].into());
            }
            let template = environment.get_template(page.template).map_err(|error| self.failed(&error))?;
            let text =
                template.render(Value::from_serialize(&context)).map_err(|error| self.failed(&error))?;
            if page.path.ends_with(".html") && !text.to_ascii_lowercase().contains("<title") {
                return Err(self.no_page(page));
            }
            Ok(SiteFile::new(&page.path, text))
        };
        pages.iter().map(one).collect()
    }

    /// Where a template is, for people; one that is not there is called by its name.
    fn place<'t>(&'t self, name: &'t str) -> &'t str {
        self.all.iter().find(|one| one.name == name).map_or(name, |one| &one.place)
    }

    /// A template whose page has no title: it is empty, or its parts belong to no page.
    fn no_page(&self, page: &SitePage) -> Cause {
        Cause::Usage {
            message: format!("{}: {} would have no <title>", self.place(page.template), page.path),
            hint: Some("begin with {% extends \"base.html\" %}, or write a whole page".into()),
        }
    }

    /// What is wrong with a template, with its file and line.
    fn failed(&self, error: &minijinja::Error) -> Cause {
        // For an included template, the inner error has the place.
        let mut inner = error;
        while let Some(next) = std::error::Error::source(inner).and_then(|next| next.downcast_ref()) {
            inner = next;
        }
        let place = inner.name().map_or("a template", |name| self.place(name));
        let line = inner.line().map(|line| format!(":{line}")).unwrap_or_default();
        let detail = inner.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        Cause::Usage {
            message: format!("{place}{line}: {}{detail}", inner.kind()),
            hint: Some("see docs/site.md for the variables of each template".into()),
        }
    }
}

/// The files of a folder that replace built-in ones, and those that begin with `_`, which are for use in these.
fn own_templates(folder: &Path) -> Result<Vec<TemplateText>, Cause> {
    let failed = |path: &Path| Cause::io(format!("read the template {}", path.display()));
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in
        fs::read_dir(folder).map_err(Cause::io(format!("read the templates in {}", folder.display())))?
    {
        names.push(entry.map_err(failed(folder))?.path());
    }
    names.sort();
    let mut found = Vec::new();
    for path in names {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Left by editors and tools.
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let known: Vec<_> = Templates::built_in().map(|(name, _)| name).collect();
        if !known.contains(&name.as_str()) && !name.starts_with('_') {
            return Err(Cause::Usage {
                message: format!(
                    "{}: no page is made by a template of this name; one that others include begins with _",
                    path.display()
                ),
                hint: Some(meant(&name, &known, "choose from these templates")),
            });
        }
        let bytes = fs::read(&path).map_err(failed(&path))?;
        let text = String::from_utf8(bytes).map_err(|_| failed(&path)(io::Error::from(Errno::ILSEQ)))?;
        found.push(TemplateText { name, place: path.display().to_string(), text });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(name: &str, text: &str) -> Result<Templates, Cause> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        Templates::read(Some(folder.path()))
    }

    fn list(context: serde_json::Value) -> [SitePage; 1] {
        [SitePage { path: "a.html".into(), template: "list.html", context }]
    }

    #[test]
    fn text_never_becomes_markup() {
        let templates = with("list.html", "<title></title><p title=\"{{ a }}\">{{ a }}</p>").unwrap();
        let files = templates.render(&list(json!({ "a": "<script>\"'" }))).unwrap();
        let text = String::from_utf8(files[0].bytes.clone()).unwrap();
        assert!(!text.contains("<script>") && text.matches('"').count() == 2, "{text}");
    }

    #[test]
    fn an_error_is_told_by_file_and_line() {
        let broken = with("list.html", "<p>\n{% if %}\n").unwrap_err().to_string();
        assert!(broken.contains("list.html:2: "), "{broken}");
        let templates = with("list.html", "<p>\n\n{{ nothing }}\n").unwrap();
        let missing = templates.render(&list(json!({}))).unwrap_err().to_string();
        assert!(missing.contains("list.html:3: "), "{missing}");
        let unused = with("projct.html", "").unwrap_err();
        assert!(unused.hint().unwrap().contains("did you mean `project.html`?"));
        assert!(with("style.css", "a</STYLE>").is_err());
        with("_part.html", "").unwrap();
        let empty = with("list.html", "").unwrap().render(&list(json!({}))).unwrap_err().to_string();
        assert!(empty.contains("list.html: a.html would have no <title>"), "{empty}");
        let lost =
            with("list.html", "{% extends \"base.html\" %}\n{% block mian %}{% endblock %}").unwrap_err();
        assert!(lost.to_string().contains("list.html:2: base.html has no block mian"), "{lost}");
        assert_eq!(lost.hint().unwrap(), "did you mean `main`?");
    }
}
