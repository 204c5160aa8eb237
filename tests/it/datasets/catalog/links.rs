//! `--check-links`: addresses that work, addresses that are dead, addresses that cannot be checked, and how politely
//! the program asks.

use std::time::Duration;

use super::world::{World, good};
use crate::support::pipeline::Ran;
use crate::support::site::{Site, SiteReply};

/// Good sheets without addresses of other people.
async fn world(hint: &str) -> World {
    let world = World::new(hint).await;
    for (name, address) in [
        ("communities.csv", "https://py.example.org"),
        ("backers.csv", "https://acme.example.com"),
        ("projects.csv", "https://git.example.org/numpy/numpy"),
    ] {
        assert!(good(name).contains(address));
        world.put(name, good(name).replace(address, ""));
    }
    world.put("links.csv", "project,kind,url\n");
    world
}

/// Puts these addresses into the sheet of links, each with a kind of its own.
fn link(world: &World, urls: &[String]) {
    let lines: String = urls.iter().enumerate().map(|(at, url)| format!("numpy,k{at},{url}\n")).collect();
    world.put("links.csv", format!("project,kind,url\n{lines}"));
}

async fn check(world: &World, extra: &[&str]) -> Ran {
    world
        .run(
            &[
                &["--check-links", "--link-hosts", "127.0.0.1,127.0.0.2,127.0.0.4", "--max-failures", "100%"],
                extra,
            ]
            .concat(),
        )
        .await
}

#[tokio::test]
async fn only_addresses_at_which_nobody_is_fail_their_rows() {
    let world = world("catalog links").await;
    let [one, two, strange] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map(Site::start);
    one.reply("/gone", SiteReply::Status(404))
        .reply("/no-head", SiteReply::ByMethod(405, 200))
        .reply("/wrong-head", SiteReply::ByMethod(404, 200))
        .reply("/members", SiteReply::Status(403))
        .reply("/moved", SiteReply::To(301, "/new-place".into()))
        .reply("/loop", SiteReply::To(302, "/loop".into()));
    two.reply("/dropped", SiteReply::Status(410))
        .reply("/leads-away", SiteReply::To(302, one.url("/gone")))
        .reply("/inside", SiteReply::To(302, strange.url("/metadata")))
        .reply("/other", SiteReply::To(302, "file:///etc/passwd".into()))
        .reply("/busy", SiteReply::Busy { status: 429, retry_after: "2".into(), times: 1 })
        .reply("/broken", SiteReply::Status(500));
    let there =
        ["/there", "/no-head", "/wrong-head", "/members", "/moved", "/loop"].map(|path| one.url(path));
    let told = ["/busy", "/broken", "/inside", "/other"].map(|path| two.url(path));
    let dead = [one.url("/gone"), two.url("/dropped"), two.url("/leads-away")];
    let strangers = ["http://127.0.0.4:1/".into(), "http://nosuch.invalid/".into()];
    link(&world, &[&there[..], &told, &strangers, &dead].concat());
    let ran = check(&world, &[]).await.exits(3);

    let mut failures = world.failures().await;
    failures.sort_by(|one, other| one[3].cmp(&other[3]));
    let mut expected = dead.clone();
    expected.sort();
    let values: Vec<_> = failures.iter().map(|failure| failure[3].clone()).collect();
    assert_eq!(values, expected, "{failures:#?}");
    for [file, row, column, value, reason, suggestion] in &failures {
        assert_eq!((file.as_str(), column.as_str()), ("links.csv", "url"));
        let at = dead.iter().position(|url| url == value).unwrap();
        assert_eq!(*row, (there.len() + told.len() + strangers.len() + at + 2).to_string());
        let status = if value.contains("dropped") { "HTTP 410" } else { "HTTP 404" };
        assert!(reason.contains("no page is at this address") && reason.contains(status), "{reason}");
        assert_eq!(
            reason.contains(&format!("it leads to {}", one.url("/gone"))),
            value.contains("leads-away")
        );
        assert_eq!(suggestion, "put in where it is now, or take the row out");
    }
    let loaded = "select count(*) from catalog_links";
    assert_eq!(world.pipeline.one(loaded).await, (there.len() + told.len() + strangers.len()).to_string());
    let ran = ran.says("6 addresses could not be checked, which fails nothing").says("moved for good");
    assert!(
        !ran.stderr.contains("/moved") && !ran.stderr.contains("/loop"),
        "values stay out of logs\n{}",
        ran.stderr
    );
    let status = world.pipeline.other(&["status", "last", "--json"]).await.exits(0).stdout;
    for said in
        [one.url("/new-place"), "it leads on and on".into(), "the host is not on the public web".into()]
    {
        assert!(status.contains(&said), "{said}\n{status}");
    }
    assert!(
        strange.asked().is_empty(),
        "a host that is not named is never asked, not even after a redirect: {:?}",
        strange.lines()
    );

    // One request at a time with a pause between them, and no unnecessary header.
    for site in [&one, &two] {
        let asked = site.asked();
        let heads: Vec<_> =
            asked.iter().filter(|asked| asked.method == "HEAD" && asked.path != "/loop").collect();
        // Requests that another host redirected here may come at any time.
        let own = heads.iter().filter(|asked| asked.path != "/new-place" && asked.path != "/gone");
        let own: Vec<_> = own.collect();
        for pair in own.windows(2) {
            let pause = pair[1].at.duration_since(pair[0].at);
            assert!(pause >= Duration::from_millis(900), "{pause:?} {} {}", pair[0].path, pair[1].path);
        }
        for asked in asked {
            let names: Vec<_> = asked.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert!(names.iter().all(|name| ["host", "user-agent", "accept"].contains(name)), "{names:?}");
            let agent = asked.headers.iter().find(|(name, _)| name == "user-agent").unwrap();
            assert!(agent.1.starts_with("merganser/"), "{}", agent.1);
        }
    }
    let busy: Vec<_> = two.asked().into_iter().filter(|asked| asked.path == "/busy").collect();
    assert!(
        busy[1].at.duration_since(busy[0].at) >= Duration::from_millis(1900),
        "the pause was shorter than the host asked for"
    );
}

#[tokio::test]
async fn what_was_said_counts_for_a_while_and_sheets_that_are_the_same_are_looked_at_again() {
    let world = world("catalog links kept").await;
    let site = Site::start("127.0.0.1");
    site.reply("/gone", SiteReply::Status(404)).reply("/broken", SiteReply::Status(500));
    link(&world, &["/there", "/gone", "/broken"].map(|path| site.url(path)));
    let hosts = ["--link-hosts", "127.0.0.1"];
    // Without the option no address is asked.
    world.run(&hosts).await.exits(0);
    assert!(site.asked().is_empty());
    assert_eq!(world.pipeline.one("select count(*) from catalog_links").await, "3");
    // Other hosts may make other rows bad, so the sheets are loaded again, without a difference.
    world.run(&hosts).await.exits(0);
    let parts = "select count(*) from etl.parts";
    assert_eq!(world.pipeline.one(parts).await, "16");

    // The sheets are the same bytes, and the row of a dead address still goes.
    check(&world, &[]).await.exits(3);
    assert_eq!(world.pipeline.one(parts).await, "24");
    assert_eq!(world.keys("catalog_links").await.split(' ').count(), 2);
    assert_eq!(world.failures().await.len(), 1);
    let asked = site.lines();
    assert_eq!(asked.iter().filter(|line| line.ends_with("/gone")).count(), 2, "{asked:?}");

    // Only addresses that could not be checked are asked again; a dead address stays dead.
    check(&world, &[]).await.exits(3);
    let again = site.lines()[asked.len()..].to_vec();
    assert!(again.iter().all(|line| line.ends_with("/broken")) && !again.is_empty(), "{again:?}");
    assert_eq!(world.failures().await.len(), 1);

    // A repaired site is noticed the next day.
    site.reply("/gone", SiteReply::Status(200));
    world
        .pipeline
        .execute("update etl.answers set answer = jsonb_set(answer, '{at}', to_jsonb((now() - interval '21 hours')::timestamptz))")
        .await;
    let before = site.asked().len();
    check(&world, &[]).await.exits(0);
    let again = site.lines()[before..].to_vec();
    assert!(again.iter().any(|line| line.ends_with("/gone")), "{again:?}");
    assert!(!again.iter().any(|line| line.ends_with("/there")), "{again:?}");
    assert_eq!(world.failures().await.len(), 0);
    assert_eq!(world.keys("catalog_links").await.split(' ').count(), 3);
}

/// A host that does not answer is soon left alone, and stops nothing. A project that is gone takes the rows that refer
/// to it with it.
#[tokio::test]
async fn a_host_that_is_away_stops_nothing() {
    let world = world("catalog links away").await;
    let [away, one] = ["127.0.0.1", "127.0.0.2"].map(Site::start);
    for path in ["/a", "/b", "/c", "/d"] {
        away.reply(path, SiteReply::Silence(Duration::ZERO));
    }
    one.reply("/numpy", SiteReply::Status(404));
    link(&world, &["/a", "/b", "/c", "/d"].map(|path| away.url(path)));
    check(&world, &[]).await.exits(0).says("4 addresses could not be checked");
    let paths: std::collections::BTreeSet<_> = away.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert_eq!(world.keys("catalog_links").await.split(' ').count(), 4);

    world.put("projects.csv", good("projects.csv").replace("https://git.example.org/numpy", &one.url("")));
    world.put("links.csv", "project,kind,url\n");
    check(&world, &["--allow", "drop"]).await.exits(3);
    let failures = world.failures().await;
    let dead: Vec<_> = failures.iter().filter(|failure| failure[4].contains("no page is at")).collect();
    assert!(
        matches!(dead[..], [row] if row[2] == "repository" && row[5].ends_with("leave the cell empty")),
        "{failures:#?}"
    );
    let others = failures.iter().filter(|failure| failure[4].contains("is not loaded")).count();
    assert_eq!((others, failures.len()), (3, 4), "{failures:#?}");
    assert_eq!(world.keys("catalog_projects").await, "sled tensorflow");
    check(&world, &["--link-hosts", "http://x"]).await.exits(2).says("not the name of a host");
}

/// An address whose host is busy does not keep others from being checked.
#[tokio::test]
async fn an_address_that_is_busy_keeps_no_other_from_being_asked() {
    let world = world("catalog links busy").await;
    let site = Site::start("127.0.0.1");
    let busy = SiteReply::Busy { status: 429, retry_after: "1".into(), times: usize::MAX };
    site.reply("/busy", busy).reply("/gone", SiteReply::Status(404));
    link(&world, &["/a", "/busy", "/b", "/gone", "/c"].map(|path| site.url(path)));
    check(&world, &[]).await.exits(3).says("1 address could not be checked");
    let failures = world.failures().await;
    assert!(matches!(&failures[..], [row] if row[3] == site.url("/gone")), "{failures:#?}");
}
