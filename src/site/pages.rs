//! The pages as values: for each its path, its template, and the template's context. They contain no time, no run and
//! no machine.

use serde_json::{Value, json};

use super::chart::{draw, month_name, month_short, shown, told};
use super::facts::{PageId, PageKind, SiteEntry, SiteFacts, SiteRelation, capital};
use crate::datasets::metrics::site::{self, ToldMetric};
use crate::words::count;

/// How many months the table of a page shows; the others are in the downloads, so that no page grows without limit.
const MONTHS_SHOWN: usize = 60;
/// How many projects the page that compares them shows.
const COMPARED: usize = 100;
/// How many projects the first page shows.
const FIRST: usize = 20;

/// The pages that every other page links to, with their names.
const NAV: [(&str, &str); 9] = [
    ("index.html", "Start"),
    ("projects.html", "Projects"),
    ("categories.html", "Categories"),
    ("communities.html", "Communities"),
    ("backers.html", "Backers"),
    ("compare.html", "Compare"),
    ("methods.html", "Methods"),
    ("downloads.html", "Downloads"),
    ("search.html", "Search"),
];

/// The name and the address of a site.
#[derive(Clone, Debug)]
pub struct SiteTitle {
    pub title: String,
    /// Without a slash at its end.
    pub base_url: String,
}

/// A page before it is rendered.
#[derive(Clone, Debug)]
pub struct SitePage {
    /// Relative to the site, `/`-separated.
    pub path: String,
    /// The name of its template.
    pub template: &'static str,
    /// The template's context.
    pub context: Value,
}

/// The downloads: paths and descriptions.
pub const DOWNLOADS: [(&str, &str); 2] = [
    ("data/projects.csv", "The projects with their data, and the metrics of the last month"),
    ("data/metrics.csv", "All metrics of projects, categories and communities, month by month"),
];

/// The path of a thing's page.
pub fn path((kind, key): &PageId) -> String {
    format!("{}/{key}.html", kind.many())
}

/// All pages, in the order of their paths.
pub fn pages(facts: &SiteFacts, site: &SiteTitle) -> Vec<SitePage> {
    let mut pages: Vec<_> = facts.entries.iter().map(|(id, entry)| thing(facts, site, id, entry)).collect();
    pages.extend(PageKind::ALL.map(|kind| list(facts, site, kind)));
    pages.push(index(facts, site));
    pages.push(compare(facts, site));
    let methods = site::told().into_iter().map(|metric| {
        json!({ "id": metric.name.replace('_', "-"), "name": title(metric), "sentence": metric.sentence })
    });
    let about = "What the numbers mean";
    pages.push(page(
        facts,
        site,
        ("methods.html", "Methods", about),
        json!({ "metrics": methods.collect::<Vec<_>>() }),
    ));
    let files = DOWNLOADS.map(|(href, about)| json!({ "href": href, "about": about }));
    pages.push(page(
        facts,
        site,
        ("downloads.html", "Downloads", "The numbers as files"),
        json!({ "files": files }),
    ));
    pages.push(page(
        facts,
        site,
        ("search.html", "Search", "Find a page by name"),
        json!({ "index": search(facts) }),
    ));
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    let all: Vec<_> = pages.iter().map(|page| page.path.clone()).collect();
    let map = json!({ "base_url": site.base_url, "pages": all });
    pages.push(SitePage { path: "sitemap.xml".into(), template: "sitemap.xml", context: map });
    pages
}

/// A page at the root of the site, whose template has the same name.
fn page(
    facts: &SiteFacts,
    site: &SiteTitle,
    (path, title, about): (&'static str, &str, &str),
    own: Value,
) -> SitePage {
    SitePage {
        path: path.into(),
        template: path,
        context: with(facts, site, (path, path, title, about), own),
    }
}

/// The context of a page: its own values, and those that all pages have.
fn with(
    facts: &SiteFacts,
    site: &SiteTitle,
    (path, here, title, about): (&str, &str, &str, &str),
    own: Value,
) -> Value {
    let root = "../".repeat(path.matches('/').count());
    let mut context = json!({
        "site_title": site.title, "base_url": site.base_url, "path": path, "root": root, "here": here,
        "title": title, "about": about, "as_of": facts.last_month.map(month_name).unwrap_or_default(),
        "nav": NAV.map(|(href, name)| json!({ "href": href, "name": name })),
    });
    if let (Some(context), Value::Object(own)) = (context.as_object_mut(), own) {
        context.extend(own);
    }
    context
}

/// The title of a metric.
fn title(metric: ToldMetric) -> String {
    capital(&metric.name.replace('_', " "))
}

/// A link to a thing, with a note, or else with something that distinguishes it from others of the same name.
fn item(facts: &SiteFacts, id: &PageId, note: &str) -> Value {
    let note = if note.is_empty() { within(facts, &facts.entries[id]) } else { note.to_owned() };
    json!({ "name": facts.entries[id].name, "href": path(id), "note": note })
}

/// The thing that another one is part of, if there is one.
fn within(facts: &SiteFacts, entry: &SiteEntry) -> String {
    let above = entry.related.get(&SiteRelation::PartOf).and_then(|above| above.first());
    above.map(|(id, _)| format!("in {}", facts.entries[id].name)).unwrap_or_default()
}

/// The page of a thing.
fn thing(facts: &SiteFacts, site: &SiteTitle, id: &PageId, entry: &SiteEntry) -> SitePage {
    let (path, kind) = (path(id), id.0);
    let sections = entry.related.iter().map(|(relation, related)| {
        let things: Vec<_> = related.iter().map(|(id, note)| item(facts, id, note)).collect();
        json!({ "heading": relation.heading(), "things": things })
    });
    let terms = entry.terms.iter().map(|(heading, text, address)| {
        json!({ "heading": heading, "text": text, "address": address.as_deref().unwrap_or_default() })
    });
    let told_metrics = site::told();
    let (rows, has_more) = rows(entry, &told_metrics);
    let about = match entry.description.is_empty() {
        true => format!("{}: a {}", entry.name, kind.one()),
        false => entry.description.clone(),
    };
    let own = json!({
        "kind": capital(kind.one()),
        "description": entry.description,
        "terms": terms.collect::<Vec<_>>(),
        "sections": sections.collect::<Vec<_>>(),
        "charts": charts(entry, &told_metrics),
        "columns": told_metrics.iter().map(|metric| title(*metric)).collect::<Vec<_>>(),
        "rows": rows,
        "has_more": has_more,
    });
    let here = format!("{}.html", kind.many());
    let template = match kind {
        PageKind::Project => "project.html",
        PageKind::Category => "category.html",
        PageKind::Community => "community.html",
        PageKind::Backer => "backer.html",
    };
    SitePage { context: with(facts, site, (&path, &here, &entry.name, &about), own), path, template }
}

fn charts(entry: &SiteEntry, metrics: &[ToldMetric]) -> Vec<Value> {
    let one = |metric: &ToldMetric| {
        let series = entry.metrics.get(metric.name)?;
        let (name, id) = (title(*metric), format!("chart-{}", metric.name.replace('_', "-")));
        let sentence = told(&name, series, metric.is_share)?;
        let last = shown(series.values.last().copied().flatten(), metric.is_share);
        Some(json!({ "name": name, "last": last, "svg": draw(&id, &sentence, series, metric.is_share) }))
    };
    metrics.iter().filter_map(one).collect()
}

/// The months of a thing, the last one first, and whether there are more than are shown.
fn rows(entry: &SiteEntry, metrics: &[ToldMetric]) -> (Vec<Value>, bool) {
    let Some(months) = entry.months() else { return (Vec::new(), false) };
    let row = |month: i32| {
        let values: Vec<_> =
            metrics.iter().map(|metric| shown(entry.value(metric.name, month), metric.is_share)).collect();
        json!({ "month": month_short(month), "values": values })
    };
    let has_more = months.clone().count() > MONTHS_SHOWN;
    (months.rev().take(MONTHS_SHOWN).map(row).collect(), has_more)
}

/// All things of a kind, sorted by name as people expect.
fn sorted(facts: &SiteFacts, kind: PageKind) -> Vec<(&PageId, &SiteEntry)> {
    let mut all: Vec<_> = facts.entries.iter().filter(|(id, _)| id.0 == kind).collect();
    all.sort_by_cached_key(|(id, entry)| (entry.name.to_lowercase(), id.1.clone()));
    all
}

/// All things of a kind, by descending rank.
fn ranked(facts: &SiteFacts, kind: PageKind) -> Vec<(&PageId, &SiteEntry)> {
    let mut all = sorted(facts, kind);
    all.sort_by(|(_, a), (_, b)| b.rank.total_cmp(&a.rank));
    all
}

fn list(facts: &SiteFacts, site: &SiteTitle, kind: PageKind) -> SitePage {
    let path = format!("{}.html", kind.many());
    let things: Vec<_> = sorted(facts, kind).into_iter().map(|(id, _)| item(facts, id, "")).collect();
    let (title, about) = (capital(kind.many()), format!("All {}", kind.many()));
    let context = with(facts, site, (&path, &path, &title, &about), json!({ "things": things }));
    SitePage { path, template: "list.html", context }
}

fn index(facts: &SiteFacts, site: &SiteTitle) -> SitePage {
    let counts = PageKind::ALL.map(|kind| {
        let number = facts.entries.keys().filter(|id| id.0 == kind).count();
        let name = if number == 1 { kind.one() } else { kind.many() };
        json!({ "number": count(number as u64), "name": name, "href": format!("{}.html", kind.many()) })
    });
    let categories = sorted(facts, PageKind::Category).into_iter().map(|(id, _)| item(facts, id, ""));
    let projects = ranked(facts, PageKind::Project).into_iter().take(FIRST);
    let projects = projects.map(|(id, entry)| item(facts, id, &entry.description)).collect::<Vec<_>>();
    let own = json!({ "counts": counts, "categories": categories.collect::<Vec<_>>(), "projects": projects });
    page(facts, site, ("index.html", site.title.as_str(), site.title.as_str()), own)
}

fn compare(facts: &SiteFacts, site: &SiteTitle) -> SitePage {
    let metrics = site::told();
    let tables = [PageKind::Category, PageKind::Community, PageKind::Project].map(|kind| {
        let all = ranked(facts, kind);
        let row = |(id, entry): &(&PageId, &SiteEntry)| {
            let value = |metric: &ToldMetric| {
                let value = facts.last_month.and_then(|month| entry.value(metric.name, month));
                shown(value, metric.is_share)
            };
            json!({ "name": entry.name, "note": within(facts, entry), "href": path(id), "values": metrics.iter().map(value).collect::<Vec<_>>() })
        };
        json!({
            "id": kind.many(), "heading": capital(kind.many()), "has_more": all.len() > COMPARED,
            "rows": all.iter().take(COMPARED).map(row).collect::<Vec<_>>(),
        })
    });
    let columns: Vec<_> = metrics.iter().map(|metric| title(*metric)).collect();
    let own = json!({ "tables": tables, "columns": columns });
    page(
        facts,
        site,
        ("compare.html", "Compare", "Categories, communities and projects beside each other"),
        own,
    )
}

/// The data of the search: name, kind and path of every thing, by name. It is a script's data, so nothing in it is
/// interpreted as markup.
fn search(facts: &SiteFacts) -> String {
    let of_kind = |kind| sorted(facts, kind).into_iter();
    let all = PageKind::ALL.into_iter().flat_map(of_kind);
    let index: Vec<_> = all
        .map(|(id, entry)| {
            json!([entry.name, format!("{} {}", id.0.one(), within(facts, entry)).trim_end(), path(id)])
        })
        .collect();
    let text = Value::Array(index).to_string();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
