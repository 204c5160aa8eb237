//! The content of a site as values: things, their relations to each other, and their monthly metrics.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::civil::Date;

use crate::datasets::metrics::series::Period;
use crate::error::Cause;

/// The kinds of things that have pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageKind {
    Project,
    Category,
    Community,
    Backer,
}

/// A thing that has a page: its kind and its key.
pub type PageId = (PageKind, String);

/// The relations of a thing to others, in the order in which its page shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SiteRelation {
    Categories,
    PartOf,
    SubCategories,
    Community,
    Backers,
    Backs,
    Projects,
    DependsOn,
    NeededBy,
    SharesDevelopers,
}

impl SiteRelation {
    /// The heading above those things.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Categories => "Categories",
            Self::PartOf => "Part of",
            Self::SubCategories => "Sub-categories",
            Self::Community => "Community",
            Self::Backers => "Backers",
            Self::Backs => "Backs",
            Self::Projects => "Projects",
            Self::DependsOn => "Depends on",
            Self::NeededBy => "Needed by",
            Self::SharesDevelopers => "Shares developers with",
        }
    }
}

/// A longer key would make a file name that not every file system accepts.
const KEY_LETTERS: usize = 200;

/// A thing that has a page.
#[derive(Clone, Debug, Default)]
pub struct SiteEntry {
    pub name: String,
    pub description: String,
    /// Short facts about it: the heading, the text, and an address if it is a link.
    pub terms: Vec<(String, String, Option<String>)>,
    pub rank: f64,
    /// The things it is related to, each with a note.
    pub related: BTreeMap<SiteRelation, Vec<(PageId, String)>>,
    /// By the metric's name.
    pub metrics: BTreeMap<String, MonthlyValues>,
}

/// Values of a metric: one for each month from the first on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonthlyValues {
    /// The first month, as the year times twelve plus the month counted from 0.
    pub first: i32,
    pub values: Vec<Option<f64>>,
}

/// The whole content of a site.
#[derive(Clone, Debug, Default)]
pub struct SiteFacts {
    pub entries: BTreeMap<PageId, SiteEntry>,
    /// The last month of all metrics; `None`: there are none.
    pub last_month: Option<i32>,
}

impl PageKind {
    pub const ALL: [Self; 4] = [Self::Project, Self::Category, Self::Community, Self::Backer];

    /// The name of one thing of this kind.
    pub fn one(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Category => "category",
            Self::Community => "community",
            Self::Backer => "backer",
        }
    }

    /// The plural name; also the name of their folder, and of the page that lists them.
    pub fn many(self) -> &'static str {
        match self {
            Self::Project => "projects",
            Self::Category => "categories",
            Self::Community => "communities",
            Self::Backer => "backers",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.one() == name)
    }
}

impl SiteEntry {
    /// The value of a metric in a month.
    pub fn value(&self, metric: &str, month: i32) -> Option<f64> {
        let series = self.metrics.get(metric)?;
        let at = usize::try_from(month - series.first).ok()?;
        series.values.get(at).copied().flatten()
    }

    /// The months that have values; `None`: there are none.
    pub fn months(&self) -> Option<RangeInclusive<i32>> {
        let first = self.metrics.values().map(|series| series.first).min()?;
        let last = self.metrics.values().map(|series| series.first + series.values.len() as i32 - 1).max()?;
        Some(first..=last)
    }
}

impl SiteFacts {
    /// Takes a row of the statement; rows of a section come together, in the order of their names.
    ///
    /// # Errors
    /// A key that cannot be part of an address, an invalid number, a series with a gap.
    pub fn take(&mut self, section: &str, fields: Vec<Option<String>>) -> Result<(), Cause> {
        let text = |at: usize| fields.get(at).and_then(Option::as_deref).unwrap_or_default();
        let one = |kind: PageKind, at: usize| (kind, text(at).to_owned());
        match section {
            "value" => return self.take_series(&fields),
            "rank" => {
                if let Some(kind) = PageKind::named(text(0)) {
                    self.entry(kind, text(1))?.rank = number(text(2), section)?;
                }
            }
            "in_category" => {
                let ends = (SiteRelation::Categories, SiteRelation::Projects);
                self.relate(one(PageKind::Project, 0), ends, one(PageKind::Category, 1), "");
            }
            "backs" => {
                let ends = (SiteRelation::Backers, SiteRelation::Backs);
                self.relate(one(PageKind::Project, 0), ends, one(PageKind::Backer, 1), &since(text(2)));
            }
            "depends_on" => {
                let ends = (SiteRelation::DependsOn, SiteRelation::NeededBy);
                self.relate(one(PageKind::Project, 0), ends, one(PageKind::Project, 1), "");
            }
            "common" => {
                let share = format!("{:.0}% of all developers of both", number(text(2), section)? * 100.0);
                let (from, to) = (one(PageKind::Project, 0), one(PageKind::Project, 1));
                // Each pair is there both ways.
                self.note(from, SiteRelation::SharesDevelopers, (to, share));
            }
            "url" => {
                let term = (capital(text(1)), text(2).to_owned(), address(text(2)));
                self.entry(PageKind::Project, text(0))?.terms.push(term);
            }
            section => {
                let Some(kind) = PageKind::named(section) else { return Ok(()) };
                let entry = self.entry(kind, text(0))?;
                entry.name = if text(1).is_empty() { text(0) } else { text(1) }.to_owned();
                entry.description = text(2).to_owned();
                let from = one(kind, 0);
                match kind {
                    PageKind::Project => {
                        for (heading, at) in [("Repository", 3), ("License", 5), ("Started", 6)] {
                            entry.add_term(heading, text(at));
                        }
                        let ends = (SiteRelation::Community, SiteRelation::Projects);
                        self.relate(from, ends, one(PageKind::Community, 4), "");
                    }
                    PageKind::Category => {
                        let ends = (SiteRelation::PartOf, SiteRelation::SubCategories);
                        self.relate(from, ends, one(PageKind::Category, 3), "");
                    }
                    PageKind::Community => entry.add_term("Address", text(3)),
                    PageKind::Backer => {
                        entry.add_term("Kind", text(3));
                        entry.add_term("Address", text(4));
                    }
                }
            }
        }
        Ok(())
    }

    fn take_series(&mut self, fields: &[Option<String>]) -> Result<(), Cause> {
        let text = |at: usize| fields.get(at).and_then(Option::as_deref).unwrap_or_default();
        let Some(kind) = PageKind::named(text(0)) else { return Ok(()) };
        let (first, last) = (month(text(3))?, month(text(4))?);
        let values = fields
            .iter()
            .skip(5)
            .map(|value| value.as_deref().map(|value| number(value, "value")).transpose());
        let values = values.collect::<Result<Vec<_>, _>>()?;
        if usize::try_from(last - first + 1) != Ok(values.len()) {
            return Err(Cause::Refused {
                message: format!(
                    "the metric {} of {} {} has a month without a row",
                    text(2),
                    text(0),
                    text(1)
                ),
                hint: Some("merganser run metrics computes them again from the tables".into()),
            });
        }
        self.last_month = self.last_month.max(Some(last));
        let series = MonthlyValues { first, values };
        self.entry(kind, text(1))?.metrics.insert(text(2).to_owned(), series);
        Ok(())
    }

    /// The thing of a key, which becomes part of a file's name and of an address.
    fn entry(&mut self, kind: PageKind, key: &str) -> Result<&mut SiteEntry, Cause> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let begins_well = key.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins_well || !key.chars().all(is_plain) || key.len() > KEY_LETTERS {
            return Err(Cause::Refused {
                message: format!("the key {key:?} of a {} cannot be the name of a page", kind.one()),
                hint: Some(
                    "change the key: letters, digits, -, _ and ., with a letter or digit first".into(),
                ),
            });
        }
        Ok(self.entries.entry((kind, key.to_owned())).or_default())
    }

    /// Adds the relation of two things to the pages of both.
    fn relate(&mut self, from: PageId, (here, there): (SiteRelation, SiteRelation), to: PageId, note: &str) {
        if to.1.is_empty() {
            return;
        }
        self.note(to.clone(), there, (from.clone(), note.to_owned()));
        self.note(from, here, (to, note.to_owned()));
    }

    fn note(&mut self, at: PageId, relation: SiteRelation, what: (PageId, String)) {
        let entry = self.entries.entry(at).or_default();
        entry.related.entry(relation).or_default().push(what);
    }

    /// Removes things that are in no sheet: they have facts but no name.
    pub fn finish(mut self) -> Self {
        self.entries.retain(|_, entry| !entry.name.is_empty());
        let names: BTreeMap<_, _> =
            self.entries.iter().map(|(id, entry)| (id.clone(), entry.name.to_lowercase())).collect();
        for entry in self.entries.values_mut() {
            for related in entry.related.values_mut() {
                related.retain(|(id, _)| names.contains_key(id));
                related.sort_by(|(a, _), (b, _)| (&names[a], a).cmp(&(&names[b], b)));
            }
            entry.related.retain(|_, related| !related.is_empty());
        }
        self
    }
}

impl SiteEntry {
    fn add_term(&mut self, heading: &str, text: &str) {
        if !text.is_empty() {
            self.terms.push((heading.to_owned(), text.to_owned(), address(text)));
        }
    }
}

/// An address that a page may link to; anything else is shown as text.
fn address(text: &str) -> Option<String> {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    is_web.then(|| text.to_owned())
}

fn since(day: &str) -> String {
    if day.is_empty() { String::new() } else { format!("since {day}") }
}

fn number(text: &str, what: &str) -> Result<f64, Cause> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| Cause::Refused {
        message: format!("{what}: {text:?} is not a number"),
        hint: Some("make the metrics anew: merganser run metrics".into()),
    })
}

/// The number of a month of `YYYY-MM`.
pub fn month(text: &str) -> Result<i32, Cause> {
    // With a day added, it must be a valid date.
    let day = format!("{text}-01").parse::<Date>().ok().filter(|_| text.len() == "YYYY-MM".len());
    day.map(|day| Period::Month.of(day))
        .ok_or_else(|| Cause::usage(format!("{text:?} is not a month as YYYY-MM")))
}

/// A text that begins with a capital letter.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lines: &[(&str, &[&str])]) -> Result<SiteFacts, Cause> {
        let mut facts = SiteFacts::default();
        for (section, fields) in lines {
            let fields = fields.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect();
            facts.take(section, fields)?;
        }
        Ok(facts.finish())
    }

    #[test]
    fn both_pages_tell_of_what_relates_them_and_nothing_leads_nowhere() {
        let facts = facts(&[
            ("backs", &["numpy", "fund", "2020-01-01"]),
            ("backs", &["numpy", "gone", ""]),
            ("backer", &["fund", "The Fund", "", "foundation", "javascript:alert(1)"]),
            ("project", &["numpy", "NumPy", "Arrays", "a/b", "", "", ""]),
        ])
        .unwrap();
        let of = |kind, key: &str| &facts.entries[&(kind, key.to_owned())];
        let (project, backer) = (of(PageKind::Project, "numpy"), of(PageKind::Backer, "fund"));
        let note = "since 2020-01-01".to_owned();
        assert_eq!(
            project.related[&SiteRelation::Backers],
            [((PageKind::Backer, "fund".to_owned()), note.clone())]
        );
        assert_eq!(backer.related[&SiteRelation::Backs], [((PageKind::Project, "numpy".to_owned()), note)]);
        assert_eq!(backer.terms[1].2, None, "no address of a script is a link");
        assert_eq!(facts.entries.len(), 2);
    }

    #[test]
    fn a_key_that_leaves_its_folder_is_refused() {
        for key in ["../x", "", ".hidden", "a/b", "a b", "-x"] {
            assert!(facts(&[("project", &[key, "Name"])]).is_err(), "{key}");
        }
    }

    #[test]
    fn a_series_has_every_month() {
        let series: [&str; 7] = ["project", "a", "commits", "2025-11", "2026-01", "1", "2"];
        let two = facts(&[("project", &["a", "A"]), ("value", &series)]);
        assert!(two.unwrap_err().to_string().contains("a month without a row"));
        let three = [&series[..], &["3"]].concat();
        let three = facts(&[("project", &["a", "A"]), ("value", &three)]).unwrap();
        let entry = &three.entries[&(PageKind::Project, "a".to_owned())];
        assert_eq!(entry.value("commits", month("2025-12").unwrap()), Some(2.0));
        assert_eq!((entry.value("commits", 0), three.last_month), (None, Some(2026 * 12)));
    }
}
