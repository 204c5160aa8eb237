//! Why a case cannot be read to its end.

use quick_xml::errors::Error as XmlError;

use super::names::TooMany;

pub(super) const DECLARATION: &str = "malformed XML: a declaration inside the record";
pub(super) const NO_END: &str = "malformed XML: the record ends too early";

/// Why reading stops before the case's end.
pub(super) enum Stop {
    Xml(XmlError),
    Reason(String),
}

impl From<TooMany> for Stop {
    fn from(error: TooMany) -> Self {
        Stop::Reason(error.to_string())
    }
}

impl From<XmlError> for Stop {
    fn from(error: XmlError) -> Self {
        Stop::Xml(error)
    }
}
