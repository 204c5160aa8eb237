//! Which parts the archive keeps, and how the others are read again.

use super::Dataset;

/// The words of a message for a part that only its source has. The ledger keeps messages, so they can be recognised later.
pub const NOT_ARCHIVED: &str = "not archived";

impl Dataset {
    /// Whether a part with this name is kept in the archive: a bulk file and what was read from a clone are not.
    pub fn is_archived(&self, name: &str) -> bool {
        let is_bulk = self.asked.is_some_and(|asked| (asked.content)(name).is_some());
        !is_bulk && self.walked.is_none_or(|feed| (feed.is_archived)(name))
    }

    /// The command that reads parts again that the archive does not keep. `…` is for the other options of the run that read them.
    pub fn read_again(&self, schema: &str) -> String {
        let typed = self.typed_in(schema);
        match self.walked {
            Some(_) => format!("merganser run {typed} --source git:DIR --reprocess PATTERN --force"),
            None => format!("merganser run {typed} … --via bulk"),
        }
    }
}
