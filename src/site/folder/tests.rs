//! What is written, linked, taken away and refused.

use super::*;

fn files(texts: &[(&str, &str)]) -> Vec<SiteFile> {
    let file =
        |(path, text): &(&str, &str)| SiteFile { path: (*path).into(), bytes: text.as_bytes().to_vec() };
    texts.iter().map(file).collect()
}

fn put(folder: &SiteFolder, texts: &[(&str, &str)]) -> SiteChange {
    let files = files(texts);
    let change = folder.compare(&files).unwrap();
    folder.put(&files, &change, &SiteState::new(BTreeMap::new(), &files)).unwrap();
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
        assert!(error.to_string().contains("no build has put there"), "{error}");
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
    let new = files(&[("a.html", "new")]);
    let change = folder.compare(&new).unwrap();
    let state = SiteState::default();
    assert!(folder.put(&new, &change, &state).unwrap_err().to_string().contains("another build"));
    drop(held);
    put(&SiteFolder::open(&out).unwrap(), &[("a.html", "new")]);
    assert!(!next.exists() && !out.join("half.html").exists());
    // Killed between two renames, where a file system cannot exchange.
    fs::rename(&out, place.path().join("public.old")).unwrap();
    SiteFolder::open(&out).unwrap();
    assert_eq!(fs::read_to_string(out.join("a.html")).unwrap(), "new");
}

#[test]
fn two_keys_that_make_one_file_are_named() {
    let error = distinct(&files(&[("projects/NumPy.html", ""), ("projects/numpy.html", "")])).unwrap_err();
    assert!(error.to_string().contains("projects/NumPy.html and projects/numpy.html"), "{error}");
    distinct(&files(&[("projects/a.html", ""), ("backers/a.html", "")])).unwrap();
}
