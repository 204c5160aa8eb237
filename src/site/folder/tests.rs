//! What is written, linked, removed and refused.

use super::*;

fn files(texts: &[(&str, &str)]) -> Vec<SiteFile> {
    texts.iter().map(|(path, text)| SiteFile::new(*path, *text)).collect()
}

fn put(folder: &SiteFolder, texts: &[(&str, &str)]) -> SiteChange {
    let files = files(texts);
    let mut build = folder.begin().unwrap();
    let there = folder.files().unwrap();
    let there = SiteState::new(BTreeMap::new(), &there).files;
    let change = SiteChange::between(&there, &files);
    build.put(&files, &change, &SiteState::new(BTreeMap::new(), &files)).unwrap();
    change
}

#[test]
fn only_what_differs_is_written_and_nothing_else_stays() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("deep/public");
    let folder = SiteFolder::open(&out).unwrap();
    let first = put(&folder, &[("a.html", "a"), ("x/b.html", "b"), ("x/c.html", "c")]);
    assert_eq!((first.written.len(), first.same), (3, 0));
    let inode = |path: &str| fs::metadata(out.join(path)).unwrap().ino();
    let (a, b) = (inode("a.html"), inode("x/b.html"));
    fs::write(out.join("stray.txt"), "").unwrap();
    let folder = SiteFolder::open(&out).unwrap();
    let second = put(&folder, &[("a.html", "a"), ("x/b.html", "other")]);
    assert_eq!(
        (second.written, second.removed),
        (vec!["x/b.html".into()], vec!["stray.txt".into(), "x/c.html".into()])
    );
    assert_eq!(inode("a.html"), a, "what is the same is linked");
    assert_ne!(inode("x/b.html"), b);
    assert_eq!(fs::read_to_string(out.join("x/b.html")).unwrap(), "other");
    assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    assert_eq!(folder.state().unwrap().files.len(), 2);
}

#[test]
fn a_folder_that_is_not_ours_is_refused_and_stays() {
    let place = tempfile::tempdir().unwrap();
    for name in ["public", "public.next", "public.old"] {
        let (out, theirs) = (place.path().join("public"), place.path().join(name));
        fs::create_dir(&theirs).unwrap();
        SiteFolder::open(&out).expect("one that is empty is as good as none");
        fs::write(theirs.join("thesis.txt"), "years of work").unwrap();
        let error = SiteFolder::open(&out).unwrap_err();
        assert!(error.to_string().contains("no build has written"), "{error}");
        assert!(theirs.join("thesis.txt").exists());
        fs::remove_dir_all(theirs).unwrap();
    }
    fs::write(place.path().join("public"), "a file").unwrap();
    assert!(SiteFolder::open(&place.path().join("public")).is_err());
    assert!(SiteFolder::open(Path::new("/")).is_err());
}

#[test]
fn what_a_killed_build_has_left_is_in_nobodys_way() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("public");
    let next = place.path().join("public.next");
    let folder = SiteFolder::open(&out).unwrap();
    put(&folder, &[("a.html", "a")]);
    fs::create_dir(&next).unwrap();
    fs::write(next.join(MARKER), "{").unwrap();
    fs::write(next.join("half.html"), "").unwrap();
    let held = File::open(next.join(MARKER)).unwrap();
    held.lock().unwrap();
    let busy = folder.begin().unwrap_err().to_string();
    assert!(busy.contains("another build is writing"), "{busy}");
    assert!(next.join("half.html").exists(), "what it has written stays");
    drop(held);
    put(&SiteFolder::open(&out).unwrap(), &[("a.html", "new")]);
    assert!(!next.exists() && !out.join("half.html").exists());
    // Killed between two renames, where a file system cannot exchange.
    let old = place.path().join("public.old");
    fs::rename(&out, &old).unwrap();
    SiteFolder::open(&out).unwrap();
    assert_eq!(fs::read_to_string(out.join("a.html")).unwrap(), "new");
    // And after the second one, before the old site was removed.
    fs::create_dir(&old).unwrap();
    fs::write(old.join(MARKER), "{").unwrap();
    put(&SiteFolder::open(&out).unwrap(), &[("a.html", "newer")]);
    assert!(!old.exists() && !next.exists());
    // Not while a build is between the two.
    let folder = SiteFolder::open(&out).unwrap();
    let build = folder.begin().unwrap();
    fs::rename(&out, &old).unwrap();
    SiteFolder::open(&out).unwrap();
    assert!(!out.exists(), "what a build is about to do is left to it");
    drop(build);
    SiteFolder::open(&out).unwrap();
    assert!(out.join("a.html").exists() && !next.exists());
}

#[test]
fn one_build_at_a_time_has_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let folder = SiteFolder::open(&place.path().join("public")).unwrap();
    let mut build = folder.begin().unwrap();
    assert!(folder.begin().unwrap_err().to_string().contains("another build"));
    let new = files(&[("a.html", "a")]);
    let change = SiteChange::between(&Contents::new(), &new);
    build.put(&new, &change, &SiteState::default()).unwrap();
    // A new folder belongs to the other build until that build has finished with it.
    let mut other = folder.begin().unwrap();
    let newer = files(&[("a.html", "b")]);
    let busy = other.put(&newer, &SiteChange::between(&Contents::new(), &newer), &SiteState::default());
    assert!(busy.unwrap_err().to_string().contains("another build"));
    assert_eq!(fs::read_to_string(folder.path().join("a.html")).unwrap(), "a");
    drop((build, other));
    put(&folder, &[("a.html", "b")]);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn two_keys_that_make_one_file_are_named() {
    let error = distinct(&files(&[("projects/NumPy.html", ""), ("projects/numpy.html", "")])).unwrap_err();
    assert!(error.to_string().contains("projects/NumPy.html and projects/numpy.html"), "{error}");
    distinct(&files(&[("projects/a.html", ""), ("backers/a.html", "")])).unwrap();
}
