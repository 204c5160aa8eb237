//! The files of a reference, brought to the local disk and looked at: each trouble is said before anything is made of them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::dataset::reference::{ReferenceFile, ReferenceInput};
use crate::error::Cause;
use crate::system::cache::checksum;
use crate::words::csv_cells;

/// Bytes of a header at most.
const HEADER_BYTES: u64 = 64 << 10;
/// Bytes that one file may unpack to.
const UNPACKED_BYTES: u64 = 8 << 30;

/// A file of a reference on the local disk.
#[derive(Debug)]
pub struct Taken {
    /// The name of its input.
    pub input: &'static str,
    /// How messages call it: its option, its name, and the zip or folder that it is in.
    pub called: String,
    pub sha256: String,
    /// What the scripts are told: the file's path and its columns' names.
    pub variables: Vec<(&'static str, String)>,
}

/// Something is wrong with a file that somebody gave.
pub fn refused(message: String) -> Cause {
    let hint = "take the file anew from where it is published; the reference in use stays".to_owned();
    Cause::Refused { message, hint: Some(hint) }
}

/// Unpacks the files of an input, which messages call `called`, into a folder, and checks their headers.
///
/// # Errors
/// [`Cause::Refused`] for what is missing, broken off, empty or not the expected file.
pub fn take(
    input: &ReferenceInput,
    (from, called): (&Path, &str),
    folder: &Path,
) -> Result<Vec<Taken>, Cause> {
    let is_folder = from.is_dir();
    let mut taken = Vec::new();
    for file in input.files {
        let path = match is_folder {
            true => in_folder(file, from)?,
            false if is_zip(from)? => unpack(file, from, folder)?,
            false if input.files.len() == 1 => from.to_owned(),
            false => {
                return Err(refused(format!(
                    "--{}: {} is neither a zip nor a folder",
                    input.name,
                    from.display()
                )));
            }
        };
        let called = match file.name {
            Some(name) => format!("--{}: {name} in {called}", input.name),
            None => format!("--{}: {called}", input.name),
        };
        taken.push(look_at(input, file, &path, called)?);
    }
    Ok(taken)
}

fn is_zip(path: &Path) -> Result<bool, Cause> {
    let mut start = [0; 2];
    let mut file = File::open(path).map_err(Cause::io(format!("open {}", path.display())))?;
    let read = file.read(&mut start).map_err(Cause::io(format!("read {}", path.display())))?;
    if read == 0 {
        return Err(refused(format!("{} is empty", path.display())));
    }
    Ok(&start[..read] == b"PK")
}

fn in_folder(file: &ReferenceFile, folder: &Path) -> Result<PathBuf, Cause> {
    let listed = fs::read_dir(folder).map_err(Cause::io(format!("list {}", folder.display())))?;
    let names: Vec<_> =
        listed.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let name = choose(file, &names).ok_or_else(|| missing(file, folder))?;
    Ok(folder.join(name))
}

/// The file among names: the one of its name, or the one CSV that is there.
fn choose<'a>(file: &ReferenceFile, names: &'a [String]) -> Option<&'a str> {
    let base = |name: &str| name.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    let fits = |name: &&String| match file.name {
        Some(wanted) => base(name) == wanted,
        None => base(name).ends_with(".csv"),
    };
    let mut found = names.iter().filter(fits);
    let first = found.next()?;
    found.next().is_none().then_some(first.as_str())
}

fn missing(file: &ReferenceFile, place: &Path) -> Cause {
    refused(match file.name {
        Some(name) => format!("there is no {name} in {}", place.display()),
        None => format!("there is not exactly one CSV in {}", place.display()),
    })
}

fn unpack(file: &ReferenceFile, from: &Path, folder: &Path) -> Result<PathBuf, Cause> {
    let broken = |error: zip::result::ZipError| {
        refused(format!("{} cannot be read as a zip, it may be cut off: {error}", from.display()))
    };
    let opened = File::open(from).map_err(Cause::io(format!("open {}", from.display())))?;
    let mut archive = ZipArchive::new(BufReader::new(opened)).map_err(broken)?;
    let names: Vec<_> = archive.file_names().flatten().map(std::borrow::Cow::into_owned).collect();
    let name = choose(file, &names).ok_or_else(|| missing(file, from))?;
    let entry = archive.by_name(name).map_err(broken)?;
    // Never by the name that the zip has for it.
    let path = folder.join(format!("{}.csv", file.variable));
    let mut out = File::create(&path).map_err(Cause::io(format!("make {}", path.display())))?;
    let copied = std::io::copy(&mut entry.take(UNPACKED_BYTES), &mut out)
        .map_err(|error| refused(format!("{name} in {} cannot be unpacked: {error}", from.display())))?;
    if copied == UNPACKED_BYTES {
        return Err(refused(format!("{name} in {} is too large", from.display())));
    }
    Ok(path)
}

fn look_at(
    input: &ReferenceInput,
    file: &ReferenceFile,
    path: &Path,
    called: String,
) -> Result<Taken, Cause> {
    let reading = || Cause::io(format!("read {}", path.display()));
    let mut reader = BufReader::new(File::open(path).map_err(reading())?);
    let mut header = String::new();
    let read = reader.by_ref().take(HEADER_BYTES).read_line(&mut header);
    read.map_err(|error| refused(format!("the header of {} cannot be read: {error}", path.display())))?;
    if header.trim().is_empty() {
        return Err(refused(format!("{called} is empty")));
    }
    let found = csv_cells(&header);
    let mut variables = vec![(file.variable, path.display().to_string())];
    let mut lacking = Vec::new();
    for column in file.columns {
        let name =
            found.iter().find(|name| column.names.iter().any(|known| name.eq_ignore_ascii_case(known)));
        if name.is_none() && !column.is_optional {
            lacking.push(column.names.join(" or "));
        }
        if let Some(variable) = column.variable {
            let name = name.map_or("null".to_owned(), |name| crate::sql::identifier(name));
            variables.push((variable, name));
        }
    }
    if !lacking.is_empty() {
        return Err(refused(format!("{called} has no column {}", lacking.join(", and no column "))));
    }
    // Whoever reads the rest sees whether there are rows.
    Ok(Taken { input: input.name, called, sha256: checksum(path).map_err(reading())?, variables })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::reference::ReferenceColumn;

    const FILE: ReferenceFile = ReferenceFile {
        variable: "sheet",
        name: Some("a.txt"),
        columns: &[
            ReferenceColumn { variable: Some("lot"), names: &["lot", "tax lot"], is_optional: false },
            ReferenceColumn { variable: Some("tract"), names: &["tract"], is_optional: true },
        ],
    };
    const INPUT: ReferenceInput = ReferenceInput { name: "sheet", is_optional: false, files: &[FILE] };

    fn said(text: &[u8]) -> Result<Vec<Taken>, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("A.TXT"), text).unwrap();
        take(&INPUT, (folder.path(), "given"), folder.path()).map_err(|cause| cause.to_string())
    }

    #[test]
    fn a_column_is_found_by_either_name_and_one_may_be_missing() {
        let taken = said(b"\"x\",\"Tax lot\"\r\n1,2\r\n").unwrap();
        let of = |name: &str| taken[0].variables.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        assert_eq!((of("lot").as_str(), of("tract").as_str()), ("\"Tax lot\"", "null"));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        assert_eq!(said(b"").unwrap_err(), "--sheet: a.txt in given is empty");
        let lacking = "--sheet: a.txt in given has no column lot or tax lot";
        assert_eq!(said(b"x,tract\n1,2\n").unwrap_err(), lacking);
        // A comma in quotes is a part of the name.
        assert_eq!(said(b"\"a,lot\",x\n1,2\n").unwrap_err(), lacking);
        let folder = tempfile::tempdir().unwrap();
        let cause = take(&INPUT, (folder.path(), "given"), folder.path()).unwrap_err().to_string();
        assert!(cause.starts_with("there is no a.txt in "), "{cause}");
        let cut = folder.path().join("cut.zip");
        fs::write(&cut, b"PK\x03\x04 and then nothing").unwrap();
        let cause = take(&INPUT, (&cut, "cut.zip"), folder.path()).unwrap_err().to_string();
        assert!(cause.contains("cannot be read as a zip, it may be cut off"), "{cause}");
    }
}
