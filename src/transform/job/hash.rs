//! The hash that identifies a version: of the job file and everything that it names.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::files::Stamp;
use super::{CleanWith, JOB_FILE, Job, Truth};
use crate::error::Cause;
use crate::words::{hex, sha256};

/// The hash of a job whose file holds `text`; `default_schema` is for names without one. A function in Python may import any file of the folder, so all Python files in it
/// count.
pub(super) fn of(job: &Job, text: &str, default_schema: &str) -> Result<String, Cause> {
    let mut hash = Sha256::new();
    let mut add = |name: &str, bytes: &[u8]| {
        // The lengths are included, so that bytes cannot move from one part to the next without a change of the hash.
        for part in [name.as_bytes(), bytes] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    };
    add("job", text.as_bytes());
    // Names without a schema stand for other tables where another one is the default.
    if default_schema != "public" {
        add("schema", default_schema.as_bytes());
    }
    add("create", job.target.create.as_bytes());
    match &job.clean.with {
        CleanWith::Sql { query, .. } => add("sql", query.as_bytes()),
        CleanWith::Python { .. } => {
            for path in python_files(&job.folder)? {
                let name = path.strip_prefix(&job.folder).unwrap_or(&path).to_string_lossy();
                add(&name, &read(&path)?);
            }
        }
    }
    for file in &job.clean.files {
        let path = job.folder.join(file);
        let bytes = fs::read(&path).map_err(|error| Cause::Usage {
            message: format!("{JOB_FILE}: [clean] files: {} cannot be read: {error}", path.display()),
            hint: Some("name the files of data that the cleaning reads, relative to the job's folder".into()),
        })?;
        add(file, &bytes);
    }
    if let Some(Truth::Csv(path)) = job.test.as_ref().map(|test| &test.truth) {
        // The test reports a missing file.
        add("truth", &fs::read(path).unwrap_or_default());
    }
    Ok(hex(&hash.finalize()))
}

/// The files that are read while the cleaning is at work, as they are now.
pub(super) fn stamps(job: &Job) -> Result<Vec<Stamp>, Cause> {
    let mut paths: Vec<_> = job.clean.files.iter().map(|file| job.folder.join(file)).collect();
    if let CleanWith::Python { .. } = &job.clean.with {
        paths.extend(python_files(&job.folder)?);
    }
    Ok(paths.into_iter().map(Stamp::of).collect())
}

/// A hash combined with another text.
pub(super) fn and(hash: &str, more: &str) -> String {
    sha256(format!("{hash}\n{more}"))
}

fn read(path: &Path) -> Result<Vec<u8>, Cause> {
    fs::read(path).map_err(Cause::io(format!("read {}", path.display())))
}

fn python_files(folder: &Path) -> Result<Vec<PathBuf>, Cause> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let listed = fs::read_dir(&folder).map_err(Cause::io(format!("list {}", folder.display())))?;
        for entry in listed.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let is_hidden = name.to_string_lossy().starts_with('.') || name == "__pycache__";
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !is_hidden => folders.push(path),
                Ok(_) if path.extension().is_some_and(|extension| extension == "py") => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}
