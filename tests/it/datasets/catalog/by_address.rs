//! Sheets with an address each, as for a published spreadsheet.

use super::world::{GOOD, World, good};
use crate::support::pipeline::Pipeline;
use crate::support::site::{Site, SiteReply};

/// A site with the good sheets, each behind a redirect to another host, and the options that name them.
fn published(docs: &Site, files: &Site) -> Vec<String> {
    let sheet = |(at, (name, text)): (usize, &(&'static str, &'static str))| {
        let path = format!("/e/long-secret/pub?gid={at}&output=csv");
        docs.reply(&path, SiteReply::To(307, files.url(&format!("/{at}"))));
        files.reply(&format!("/{at}"), SiteReply::File("text/csv; charset=utf-8", (*text).to_owned()));
        format!("{name}={}", docs.url(&path))
    };
    GOOD.iter().enumerate().map(sheet).collect()
}

#[tokio::test]
async fn each_sheet_may_have_an_address_of_its_own() {
    let world = World { pipeline: Pipeline::new("catalog addresses").await.without("--source") };
    let [docs, files] = ["127.0.0.1", "127.0.0.2"].map(Site::start);
    let sheets = published(&docs, &files);
    let words: Vec<_> = sheets.iter().flat_map(|sheet| ["--sheet", sheet]).collect();
    let ran = world.run(&words).await.exits(0);
    assert!(ran.stderr.contains("8 sheets at 127.0.0.1"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("long-secret") && !ran.stdout.contains("long-secret"));
    assert_eq!(world.keys("catalog_projects").await, "numpy sled tensorflow");
    for table in ["parts", "runs", "steps"] {
        let shown = format!("select count(*) from etl.{table} as told where told::text like '%long-secret%'");
        assert_eq!(
            world.pipeline.one(&shown).await,
            "0",
            "an address gives anybody the right to read the sheet: {table}"
        );
    }
    // From one variable of the environment, and the same sheets are nothing new.
    let all = sheets.join("\n ");
    let again = world.pipeline.start_other(&["run", "catalog"], &[("MERGANSER_SHEETS", &all)]);
    again.await.unwrap().exits(0);
    assert_eq!(world.pipeline.one("select count(*) from etl.parts").await, "8");
    files.reply("/2", SiteReply::File("text/csv", good("backers.csv").replace("Acme", "Acme Works")));
    world.run(&words).await.exits(0);
    let name = "select name from catalog_backers where backer = 'acme'";
    assert_eq!(world.pipeline.one(name).await, "Acme Works");
    let checked = [&["check", "catalog"][..], &words].concat();
    world.pipeline.other(&checked).await.exits(0);

    // A page instead of a sheet, at another host or at this one, and redirects from HTTPS to HTTP or to an internal
    // address.
    let cases = [
        (
            "/2",
            SiteReply::To(302, files.url("/login")),
            "the server sent a web page (text/html; charset=utf-8) instead of a sheet",
        ),
        (
            "/2",
            SiteReply::File("text/plain", "<!doctype html><title>Sign in".into()),
            "a page of the web and not a sheet",
        ),
        ("/2", SiteReply::Status(404), "HTTP 404"),
        (
            "/2",
            SiteReply::To(302, "http://192.0.2.1/elsewhere".into()),
            "redirects to another address (HTTP 302)",
        ),
    ];
    files.reply("/login", SiteReply::File("text/html; charset=utf-8", "<html>Sign in</html>".into()));
    for (path, reply, reason) in cases {
        files.reply(path, reply);
        let ran = world.run(&words).await.exits(1);
        assert!(ran.stderr.contains(reason), "{reason}\n{}", ran.stderr);
        assert!(!ran.stderr.contains("long-secret"), "{}", ran.stderr);
        assert_eq!(world.pipeline.one(name).await, "Acme Works");
    }
}

#[tokio::test]
async fn all_of_them_are_named_and_nothing_else() {
    let world = World { pipeline: Pipeline::new("catalog named").await.without("--source") };
    let sheets: Vec<_> =
        GOOD.iter().map(|(name, _)| format!("{name}=https://docs.example.org/{name}")).collect();
    let words =
        |some: &[String]| some.iter().flat_map(|sheet| ["--sheet".into(), sheet.clone()]).collect::<Vec<_>>();
    let run = async |some: &[String]| {
        let words = words(some);
        world.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await.exits(2)
    };
    run(&sheets[..6]).await.says("no address is given for project_dependencies.csv, links.csv");
    run(&[&sheets[..], &["people.csv=https://docs.example.org/p".into()]].concat())
        .await
        .says("people.csv is not a sheet");
    run(&[&sheets[..], &sheets[..1]].concat()).await.says("categories.csv is given twice");
    run(&["https://docs.example.org/pub?output=csv".into()]).await.says("FILE=URL");
    run(&["links.csv=http://docs.example.org/".into()]).await.says("https://");
    let both = [&["--source".to_owned(), "dir:/nowhere".into()][..], &words(&sheets)].concat();
    let both: Vec<_> = both.iter().map(String::as_str).collect();
    world.run(&both).await.exits(2).says("give one of both");
}
