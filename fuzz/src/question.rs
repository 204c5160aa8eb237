use merganser::serve::PlaceQuestion;

/// The most days of a question.
const DATES_MOST: usize = 400;

/// Any address that a browser may ask for: it is a question with one canonical form, or it has a fault that is said in a
/// sentence.
///
/// # Panics
/// If it is neither.
pub fn question(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    match PlaceQuestion::read(path, query, DATES_MOST) {
        Ok(asked) => {
            assert!(asked.dates.is_sorted_by(|one, next| one < next), "{asked:?}");
            assert!((1..=DATES_MOST).contains(&asked.dates.len()), "{asked:?}");
            assert!(asked.radius_km > 0.0 && asked.radius_km <= 100.0, "{asked:?}");
            assert!(asked.postcode.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-')));
            let dates: Vec<_> = asked.dates.iter().map(ToString::to_string).collect();
            let same = format!("{}/{}/{}", asked.postcode, dates.join(";"), asked.radius_km);
            let again = PlaceQuestion::read(&same, query, DATES_MOST).expect("the same question");
            assert_eq!(again.canonical(), asked.canonical());
        }
        Err(None) => assert!(!matches!(path.split('/').count(), 2 | 3), "there is such a page"),
        Err(Some(fault)) => assert!(!fault.error.is_empty() && fault.error.len() < 300, "{fault:?}"),
    }
}
