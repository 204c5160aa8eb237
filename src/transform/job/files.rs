//! The files of data that a cleaning reads.

use std::path::Path;

use super::JOB_FILE;
use crate::error::Cause;

/// # Errors
/// The current directory has a file of the same name, which DuckDB would read in the place of the job's.
pub(super) fn refuse_namesakes(files: &[String], folder: &Path) -> Result<(), Cause> {
    for file in files {
        let (there, ours) = (Path::new(file).canonicalize(), folder.join(file).canonicalize());
        if let (Ok(there), Ok(ours)) = (there, ours)
            && there != ours
        {
            return Err(Cause::Usage {
                message: format!(
                    "{JOB_FILE}: [clean] files: DuckDB would read {} in the place of {}",
                    there.display(),
                    ours.display()
                ),
                hint: Some("start it in another directory, where no file has this name".into()),
            });
        }
    }
    Ok(())
}
