use super::*;

fn typed(from: &str, to: &str, filters: &[&str], levels: &[&str]) -> NassOptions {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    NassOptions {
        nass_from: Some(from.into()),
        nass_to: Some(to.into()),
        nass_filter: texts(filters),
        nass_agg_level: texts(levels),
        nass_table: None,
        nass_via: "auto".into(),
        nass_bulk_url: None,
        nass_api_url: None,
        nass_api_rate: None,
        nass_api_limit: None,
        nass_max_age: None,
    }
}

#[test]
fn what_is_wanted_is_years_and_filters() {
    let options = typed(
        "2005",
        "2015",
        &["commodity_desc=corn", "commodity_desc=Oats", "state_alpha__NE=AL"],
        &["county"],
    );
    let slice = want(&options.read().unwrap()).unwrap();
    assert_eq!(
        slice.to_string(),
        "agg_level_desc = COUNTY, commodity_desc in CORN OATS, state_alpha not AL, year <= 2015, year >= 2005"
    );
    let bounds = ["county_code__GE=010", "county_code__LE=099", "class_desc__LIKE=A", "class_desc__LIKE=B"];
    assert!(want(&typed("2012", "2012", &bounds, &[]).read().unwrap()).is_ok());
    for twice in [["class_desc__NE=A", "class_desc__ne=B"], ["zip_5__GE=01000", "zip_5__GE=02000"]] {
        let refused = want(&typed("2012", "2012", &twice, &[]).read().unwrap()).unwrap_err();
        assert!(refused.message.contains("in the same way more than once"), "{}", refused.message);
    }
    let one = want(&typed("2012", "2012", &[], &[]).read().unwrap()).unwrap();
    assert_eq!(one.to_string(), "year = 2012");
    assert_eq!(manners(&Options::new()).window, (300, 90));
}

#[test]
fn bulk_files_are_taken_instead_or_where_much_is_asked() {
    let of = |via: &str, bulk: Option<&str>, api: Option<&str>| {
        let mut options = typed("2012", "2012", &[], &[]);
        options.nass_via = via.into();
        (options.nass_bulk_url, options.nass_api_url) = (bulk.map(str::to_owned), api.map(str::to_owned));
        options.read().map(|options| files(&options))
    };
    let dir = || "dir:/in".to_owned();
    assert_eq!(of("auto", None, None), Ok(FilesInstead::Beyond(BULK.into(), MANY_CALLS)));
    assert_eq!(of("auto", None, Some("http://localhost:1/api")), Ok(FilesInstead::Never));
    assert_eq!(of("AUTO", Some("dir:/in"), Some("x")), Ok(FilesInstead::Beyond(dir(), MANY_CALLS)));
    assert_eq!(of("api", Some("dir:/in"), None), Ok(FilesInstead::Never));
    assert_eq!(of("bulk", Some(" dir:/in "), None), Ok(FilesInstead::Always(dir())));
    assert_eq!(of("bulk", None, None), Ok(FilesInstead::Always(BULK.into())));
    assert_eq!(of("bulk", None, Some(API)), Ok(FilesInstead::Always(BULK.into())));
    assert!(of("bulk", None, Some("http://127.0.0.1:1")).unwrap_err().contains("--bulk-url"));
    assert!(of("ftp", None, None).is_err() && of("bulk", Some("ftp://x"), None).is_err());
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_is_near() {
    for (options, words) in [
        (typed("2015", "2005", &[], &[]), "--from 2015 is after --to 2005"),
        (typed("1700", "2005", &[], &[]), "nothing before 1850"),
        (typed("2005", "2999", &[], &[]), "in the future"),
        (typed("now", "2005", &[], &[]), "is a year, not `now`"),
        (typed("2005", "2005", &["comodity_desc=CORN"], &[]), "near to it: commodity_desc"),
        (typed("2005", "2005", &["commodity_desc__LIK=CORN"], &[]), "there is no operator __LIK"),
        (typed("2005", "2005", &["state_alpha=ALA"], &[]), "never ALA; near to it: AL"),
        (typed("2005", "2005", &["year=2007"], &[]), "--from and --to"),
        (typed("2005", "2005", &["commodity_desc"], &[]), "COLUMN=VALUE"),
        (typed("2005", "2005", &["county_code__GE=10"], &[]), "each county_code has 3 digits"),
        (typed("2005", "2005", &["asd_code__LT=1O"], &[]), "each asd_code has 2 digits"),
        (typed("2005", "2005", &[], &["COUNTIES"]), "near to it: COUNTY"),
    ] {
        let error = options.read().unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}
