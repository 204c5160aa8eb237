//! People who were taken out of histories do not come back, even if that was done through another ledger since the batch was read.

use std::pin::pin;

use futures_util::TryStreamExt;

use super::{Transfer, failed};
use crate::error::Cause;
use crate::run::people;

impl Transfer<'_> {
    /// The names that stand without an address in what the batch loads and that somebody has who was taken out. Few names stand so, but
    /// of a long history many other values: they pass one by one.
    ///
    /// # Errors
    /// Any error of the database.
    pub(super) async fn names_to_leave_out(&self) -> Result<Vec<String>, Cause> {
        let Some(walked) = self.context.dataset().walked else { return Ok(Vec::new()) };
        let secret = people::secret_of(walked, self.processing)?;
        let operation = people::LOOK;
        let named = (self.context.target.database.schema.as_str(), secret);
        let removed = people::keep_removed(self.transaction, &walked.person, named);
        let removed = self.watch.answers(operation, removed).await?;
        let mut names = Vec::new();
        if removed.is_empty() {
            return Ok(names);
        }
        let text = self.render(walked.person.names_alone, "");
        let none: [&str; 0] = [];
        let rows = self.watch.answer(operation, self.transaction.query_raw(text.as_str(), none)).await?;
        let mut rows = pin!(rows);
        while let Some(row) = self.watch.answer(operation, rows.try_next()).await? {
            let name: String = row.try_get(0).map_err(|e| failed(e, operation))?;
            if removed.contains(&(walked.person.hash_name)(&name, secret.reveal())) {
                names.push(name);
            }
        }
        Ok(names)
    }
}
