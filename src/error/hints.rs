//! What to type after a failure, by its cause.

use std::io::ErrorKind;

use super::{Cause, FAIL_FAST};
use crate::clients::duckdb::DuckError;

const SPACE: &str =
    "free some space, name another folder with --work-dir, or make batches smaller with --batch-mib";

impl Cause {
    /// What to do about it, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Cause::Postgres(error) => error.hint(),
            Cause::AwsS3(_) => Some(
                "the database reaches S3 with a role of its own: see that it has one that may read and write \
                 there (docs/aws_s3.md), or take --load-via copy"
                    .into(),
            ),
            Cause::Store(error) => error.hint(),
            Cause::Sftp(error) => error.hint(),
            Cause::Web(error) => error.hint(),
            Cause::Git(error) => error.hint(),
            Cause::Embedded(error) => error.hint(),
            Cause::Usage { hint, .. } | Cause::Refused { hint, .. } => hint.clone(),
            Cause::Defect { .. } => Some(
                "merganser status last shows what was committed; report this message, then run the same command again"
                    .into(),
            ),
            Cause::CommitUnknown { .. } => Some("when the database answers again: merganser status".into()),
            Cause::DeleteRefused { constraint, table, .. } => Some(format!(
                "delete the rows of {table} that refer to them, or make {constraint} `on delete cascade`, then run \
                 again; what the source deleted stays visible until then"
            )),
            Cause::Record { .. } => Some(FAIL_FAST.into()),
            Cause::Locked { .. } => Some("wait until it has ended, then run the same command again".into()),
            Cause::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
                Some(SPACE.into())
            }
            Cause::Duck(DuckError::DiskFull { .. }) => Some(SPACE.into()),
            Cause::Duck(DuckError::OutOfMemory { .. }) => {
                Some("give it more memory with --duckdb-memory-mib N".into())
            }
            Cause::Duck(DuckError::Refused { .. }) => Some(
                "run the same command again; if it fails again, report this message with the output of merganser \
                 --version"
                    .into(),
            ),
            Cause::Parse(_) => {
                Some("see that this user can read the file, then run the same command again".into())
            }
            Cause::Sample(error) => Some(error.hint().into()),
            Cause::Io { source, .. } => Some(match source.kind() {
                ErrorKind::NotFound => {
                    "see that the path is right, then run the same command again".into()
                }
                ErrorKind::PermissionDenied => {
                    "give this user the right to it, then run the same command again".into()
                }
                _ => "see what the system says of it above, then run the same command again".into(),
            }),
            Cause::Interrupted => Some("run the same command again; it goes on where this one stopped".into()),
        }
    }
}
