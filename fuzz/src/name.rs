use merganser::clients::store::ObjectInfo;
use merganser::datasets::oca::OCA;
use merganser::sql;
use merganser::stages::select::of_dataset;

/// Any names, one on each line: only names of the feed are taken, in one form, and in the order in which they count.
///
/// # Panics
/// If one of these is broken.
pub fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let objects =
        text.split('\n').map(|name| ObjectInfo { key: name.to_owned(), size_bytes: 1, modified: None });
    let files = of_dataset(&OCA, objects.collect());
    for file in &files {
        let date = file.meaning.run_date.expect("a name of the feed has a date").to_string();
        let year: String = file.name.chars().skip("LandlordTenant.Initial.FiledIn".len()).take(4).collect();
        let (form, key) = match file.name.starts_with("LandlordTenant.Incr.") {
            true => (format!("LandlordTenant.Incr.{date}.zip"), format!("{date}/1")),
            false => (format!("LandlordTenant.Initial.FiledIn{year}.{date}.zip"), format!("{date}/0")),
        };
        assert_eq!((file.name.as_str(), file.meaning.order_key.as_str()), (form.as_str(), key.as_str()));
        assert!(year.bytes().all(|b| b.is_ascii_digit() || form.contains("Incr")));
    }
    assert!(files.is_sorted_by_key(|file| (file.meaning.run_date, file.meaning.order_key.clone())));
    unbroken(text);
}

/// A name that becomes part of SQL does not break out of its quotes.
fn unbroken(text: &str) {
    for (quoted, quote) in [(sql::identifier(text), '"'), (sql::literal(text), '\'')] {
        let inside = quoted.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)).expect("quotes");
        let doubled = format!("{quote}{quote}");
        assert!(!inside.replace(&doubled, "").contains(quote));
        assert_eq!(inside.replace(&doubled, &quote.to_string()), text);
    }
}
