use merganser::dataset::ParseError;

use crate::parse::{LIMITS, parse};

/// Any file instead of an archive: it is read within the limits, or refused with a reason.
///
/// # Panics
/// If it is neither.
pub fn archive(data: &[u8]) {
    match parse(data, 2, 1000).1 {
        Ok(parsed) => {
            assert!(parsed.document_bytes <= LIMITS.unpacked_bytes, "{}", parsed.document_bytes);
            let ratio = LIMITS.unpacked_ratio * data.len() as u64;
            assert!(parsed.document_bytes <= ratio.max(LIMITS.ratio_free_bytes), "{}", parsed.document_bytes);
        }
        Err(ParseError::Unreadable { reason, .. }) => assert!(!reason.is_empty() && reason.len() < 2000),
        Err(error) => panic!("{error}"),
    }
}
