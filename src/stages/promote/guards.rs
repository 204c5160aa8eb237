//! The last look before the commit: what the dataset's guards find, and who lets a breach through.

use std::collections::BTreeSet;

use super::{Transfer, failed};
use crate::error::Cause;
use crate::run::context::Context;
use crate::sql;

/// What one guard found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Guard {
    pub name: String,
    /// The table or file that it looked at.
    pub subject: String,
    pub threshold: String,
    pub found: String,
    pub passed: bool,
    /// Who let a breach through.
    pub allowed_by: Option<String>,
}

impl Guard {
    /// A breach that nobody let through?
    pub fn stops(&self) -> bool {
        !self.passed && self.allowed_by.is_none()
    }

    /// Its name and what it looked at.
    pub fn label(&self) -> String {
        format!("{} {}", self.name, self.subject).trim_end().to_owned()
    }

    /// What it found, and what it would have let pass.
    pub fn finding(&self) -> String {
        format!("{} ({})", self.found, bound(&self.threshold))
    }
}

/// A threshold with the word for its kind: a share that must be reached is required, all others are allowed.
pub fn bound(threshold: &str) -> String {
    let kind = if threshold.starts_with("at least ") { "required" } else { "allowed" };
    format!("{kind}: {threshold}")
}

/// Every breach that nobody let through, so that one look is enough.
pub(super) fn refusal(context: &Context, breaches: &[&Guard]) -> Cause {
    let lines = breaches.iter().map(|guard| format!("guard {}: {}", guard.label(), guard.finding()));
    let names: Vec<_> = breaches.iter().map(|guard| guard.name.as_str()).collect();
    let hint = let_through(&names, context.report.typed());
    Cause::Refused { message: lines.collect::<Vec<_>>().join("\n    "), hint: Some(hint) }
}

/// The option that lets the guards with these names through, each once.
pub fn allow_option(names: &[&str]) -> String {
    let names: BTreeSet<_> = names.iter().copied().collect();
    format!("--allow {}", Vec::from_iter(names).join(","))
}

/// What to do about the guards with these names: look, then let them through, with this command.
pub fn let_through(names: &[&str], command: &str) -> String {
    let look = match names.iter().all(|name| *name == "failures") {
        true => "merganser failures lists what failed, --dry-run what would change",
        false => "look at it with --dry-run",
    };
    format!("{look}; if it is right: {command} {}", allow_option(names))
}

impl Transfer<'_> {
    /// Runs the dataset's guards and gives what they found.
    pub(super) async fn guard(&self) -> Result<Vec<Guard>, Cause> {
        let rows = match self.slices {
            Some(_) => self.slice_rows().await?.to_string(),
            None => "null".to_owned(),
        };
        let text = self.render_with(sql::PROMOTE_GUARDS, "", &[("slice_rows", &rows)]);
        self.execute(&text, "run the guards").await?;
        if let Some(script) = self.context.dataset().scripts.guards {
            self.run(script, "", "run the guards").await?;
        }
        let run_id = self.context.run_id;
        let rows =
            self.query(sql::PROMOTE_READ_GUARDS, "", &[&run_id, &self.batch], "read the guards").await?;
        let read = |row: &tokio_postgres::Row| {
            Ok(Guard {
                name: row.try_get(0)?,
                subject: row.try_get(1)?,
                threshold: row.try_get(2)?,
                found: row.try_get(3)?,
                passed: row.try_get(4)?,
                allowed_by: row.try_get(5)?,
            })
        };
        let guards = rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>();
        guards.map_err(|e| failed(e, "read the guards").into())
    }
}
