//! Whether rows go between the store and the database directly, or through this program.
//!
//! The direct way needs a store in S3 and a database with the extension `aws_s3`. If it is asked for by name, a run
//! uses it or fails. Otherwise it is used where it is available, and after a function has failed once, the rows go
//! through the connection, which needs no further rights.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::clients::postgres::aws_s3::{self, AwsS3Error, Functions};
use crate::clients::postgres::{self, PgUrl};
use crate::clients::store::StoreUrl;
use crate::config::{LoadVia, TargetConfig};
use crate::error::Cause;

/// The direct way for a run's rows, used for as long as it works.
#[derive(Debug)]
pub struct AwsS3 {
    forced: bool,
    import_failed: AtomicBool,
    export_failed: AtomicBool,
}

/// Which way the rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Import,
    Export,
}

impl AwsS3 {
    /// Checks whether rows can go directly; `None`: they go through the connection.
    ///
    /// # Errors
    /// Fails if it was asked for by name and the database lacks the functions, or the user may not call them.
    pub async fn choose(target: &TargetConfig, database: &PgUrl) -> Result<Option<Self>, Cause> {
        let in_s3 = matches!(target.store, StoreUrl::S3 { .. });
        let forced = match target.load_via {
            LoadVia::Copy => return Ok(None),
            // A database of Amazon reaches no S3 servers but Amazon's.
            LoadVia::Auto if !in_s3 || target.s3.endpoint_url.is_some() => return Ok(None),
            LoadVia::Auto => false,
            LoadVia::AwsS3 => true,
        };
        let connection = postgres::connect(database, "setup").await?;
        let functions = aws_s3::functions(&connection).await?;
        connection.close().await;
        match obstacle(&functions, &database.target()) {
            None => Ok(Some(Self { forced, import_failed: false.into(), export_failed: false.into() })),
            Some(cause) if forced => Err(cause),
            Some(_) => {
                if !functions.forbidden.is_empty() {
                    let names = functions.forbidden.join(", ");
                    tracing::info!(functions = names, "the extension aws_s3 may not be used: {names}");
                }
                Ok(None)
            }
        }
    }

    /// Has this direction not failed yet?
    pub fn works(&self, direction: Direction) -> bool {
        !self.failed(direction).load(Ordering::Relaxed)
    }

    /// Decides about a failure: either an error, or a warning, after which the caller takes the other way and
    /// [`works`](Self::works) returns false.
    pub fn give_up(&self, direction: Direction, error: AwsS3Error) -> Result<(), Cause> {
        if self.forced || matches!(error, AwsS3Error::Other(_)) {
            return Err(error.into());
        }
        // Two connections may see the failure at the same time.
        if !self.failed(direction).swap(true, Ordering::Relaxed) {
            tracing::warn!(cause = %error, "aws_s3: {error}; the rows go through the connection instead");
        }
        Ok(())
    }

    fn failed(&self, direction: Direction) -> &AtomicBool {
        match direction {
            Direction::Import => &self.import_failed,
            Direction::Export => &self.export_failed,
        }
    }
}

/// Why rows cannot go directly.
fn obstacle(functions: &Functions, target: &str) -> Option<Cause> {
    let (message, hint) = match (functions.missing.as_slice(), functions.forbidden.as_slice()) {
        ([], []) => return None,
        ([], forbidden) => (
            format!("--load-via aws_s3: the user may not call {} in {target}", forbidden.join(", ")),
            "grant usage on schema aws_s3, aws_commons to …; \
             grant execute on all functions in schema aws_s3, aws_commons to …",
        ),
        (missing, _) => (
            format!(
                "--load-via aws_s3: {target} does not have the extension aws_s3 ({} missing)",
                missing.join(", ")
            ),
            "on Amazon RDS: create extension aws_s3 cascade; elsewhere: --load-via copy",
        ),
    };
    Some(Cause::Usage { message, hint: Some(hint.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_is_named() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let functions =
            |missing, forbidden| Functions { missing: names(missing), forbidden: names(forbidden) };
        assert!(obstacle(&functions(&[], &[]), "db").is_none());
        let missing = obstacle(&functions(&["aws_s3.x"], &["aws_s3.y"]), "h/db").unwrap();
        assert!(
            missing.to_string().contains("h/db does not have the extension aws_s3 (aws_s3.x missing)"),
            "{missing}"
        );
        let forbidden = obstacle(&functions(&[], &["aws_s3.y"]), "h/db").unwrap();
        assert!(forbidden.to_string().contains("may not call aws_s3.y"), "{forbidden}");
        assert!(forbidden.hint().unwrap().contains("grant usage"));
    }
}
