//! Archives that cannot be read, and what the error says.

use super::*;

#[test]
fn the_archive_holds_one_xml_file() {
    let text = document(FULL);
    let xml = text.as_bytes();
    let deflated = CompressionMethod::Deflated;
    let two = zip(&[("a.xml", xml), ("b.XML", xml)], deflated);
    assert_eq!(unreadable(&two), "holds more than one XML file: a.xml, b.XML");
    assert_eq!(unreadable(&zip(&[("a.txt", xml)], deflated)), "holds no XML file");
    assert_eq!(unreadable(&zip(&[], deflated)), "holds no XML file");
    let others = zip(&[("x.xml/", b""), ("read.me", b"x"), ("../../a.xml", xml)], CompressionMethod::Stored);
    assert_eq!(parse_zip(&others, &OPTIONS, &mut Collected::default()).unwrap().records_seen, 1);
    // Two entries of one name: patched, as no writer makes them.
    let mut same = zip(&[("a.xml", xml), ("b.xml", xml)], deflated);
    for at in 0..same.len() - 5 {
        if &same[at..at + 5] == b"b.xml" {
            same[at] = b'a';
        }
    }
    assert_eq!(unreadable(&same), "holds several files of the same name");
}

#[test]
fn names_in_an_archive_are_only_compared() {
    let text = document(FULL);
    let long = "../".repeat(20_000) + ".xml";
    for name in ["/etc/passwd.xml", "..\\..\\a.xml", "a\0/b.xml", "\u{202E}lmx.xml", "C:\\a.XML", &long] {
        let archive = zip(&[(name, text.as_bytes())], CompressionMethod::Deflated);
        let mut sink = Collected::default();
        assert_eq!(parse_zip(&archive, &OPTIONS, &mut sink).unwrap().records_seen, 1, "{name:?}");
    }
    // An archive in an archive is not opened.
    let inner = zipped(text.as_bytes());
    assert_eq!(unreadable(&zip(&[("a.zip", &inner)], CompressionMethod::Stored)), "holds no XML file");
    assert!(unreadable(&zipped(&inner)).contains("not XML"));
}

#[test]
fn a_long_list_of_files_is_not_read() {
    let names: Vec<_> = (0..2000).map(|n| format!("{n}.txt")).collect();
    let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    files.push(("a.xml", b"<Extract><Indexes/></Extract>"));
    let archive = zip(&files, CompressionMethod::Stored);
    assert!(parse_zip(&archive, &OPTIONS, &mut Collected::default()).unwrap().complete);
    let limits = Limits { list_bytes: 64 << 10, ..LIMITS };
    let parsed = parse_zip(&archive, &Options { limits, ..OPTIONS }, &mut Collected::default());
    let Err(ParseError::Unreadable { reason, .. }) = parsed else { panic!("{parsed:?}") };
    assert!(reason.ends_with("its list of files is too long, or has no end"), "{reason}");
    // What is no archive is not searched for a list from one end to the other.
    let limits = Limits { list_bytes: 64 << 10, ..LIMITS };
    let parsed = parse_zip(&vec![b'P'; 1 << 20], &Options { limits, ..OPTIONS }, &mut Collected::default());
    let Err(ParseError::Unreadable { reason, .. }) = parsed else { panic!("{parsed:?}") };
    assert!(reason.ends_with("its list of files is too long, or has no end"), "{reason}");
}

/// The place of the central directory's entry.
fn central(archive: &[u8]) -> usize {
    memchr::memmem::rfind(archive, b"PK\x01\x02").unwrap()
}

#[test]
fn damaged_archives_are_unreadable() {
    let cases: String = (0..500).map(|n| FULL.replace("a1", &n.to_string())).collect();
    let good = zipped(document(&cases).as_bytes());
    assert!(parse_zip(&good, &OPTIONS, &mut Collected::default()).unwrap().complete);
    assert!(unreadable(b"PK").starts_with("is not a ZIP archive"));
    assert!(unreadable(b"").starts_with("is not a ZIP archive"));
    assert!(unreadable(&good[..good.len() / 2]).starts_with("is not a ZIP archive"));
    let patched = |offset: usize, bytes: &[u8]| {
        let mut archive = good.clone();
        let at = central(&archive) + offset;
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        archive
    };
    assert_eq!(unreadable(&patched(16, b"abcd")), "the archive is damaged: Invalid checksum");
    assert_eq!(unreadable(&patched(8, &[1, 0])), "is encrypted");
    let size = document(&cases).len() as u32;
    let smaller = unreadable(&patched(24, &(size - 100).to_le_bytes()));
    assert!(smaller.starts_with("the archive is damaged: ") && smaller.contains("larger"), "{smaller}");
    let larger = unreadable(&patched(24, &(size + 1).to_le_bytes()));
    assert!(larger.starts_with("the archive is damaged: "), "{larger}");
    assert!(unreadable(&patched(10, &[12, 0])).contains("which is not read here"));
    // Bytes of the packed data itself.
    let mut archive = good.clone();
    archive[200..220].fill(0xFF);
    assert!(unreadable(&archive).starts_with("the archive is damaged: "));
    // Fewer packed bytes than there are: the stream ends early.
    let packed = u32::from_le_bytes(good[central(&good) + 20..][..4].try_into().unwrap());
    assert!(unreadable(&patched(20, &(packed - 30).to_le_bytes())).starts_with("the archive is damaged: "));
    // A document that breaks off does not hide a bad checksum.
    let mut archive = zipped(b"<X><Indexes><Index>");
    let at = central(&archive) + 16;
    archive[at] ^= 1;
    assert_eq!(unreadable(&archive), "the archive is damaged: Invalid checksum");
}

#[test]
fn archives_that_unpack_to_too_much_are_unreadable() {
    let archive = zipped(document(&" ".repeat(1 << 20)).as_bytes());
    let with =
        |limits: Limits| match parse_zip(&archive, &Options { limits, ..OPTIONS }, &mut Collected::default())
        {
            Err(ParseError::Unreadable { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
    assert!(with(Limits { unpacked_ratio: 100, ..LIMITS }).contains("100 for one packed byte"));
    assert!(with(Limits { unpacked_bytes: 1 << 20, ..LIMITS }).contains("at most 1048576 bytes"));
    // The list declares as many packed bytes as would let the document pass: more than the archive has.
    let mut swollen = archive.clone();
    let at = central(&archive) + 20;
    swollen[at..at + 4].copy_from_slice(&(1_u32 << 20).to_le_bytes());
    assert!(unreadable(&swollen).contains("1048576 packed bytes in an archive of"));
}

#[test]
fn errors_say_which_kind_they_are() {
    assert!(unreadable(&zipped(b"<html><p/></html>")).starts_with("wrong root <html>: "));
    let mut closed = Collected { is_closed: true, ..Collected::default() };
    let cases = FULL.repeat(5000);
    let closed = parse_zip(
        &zipped(document(&cases).as_bytes()),
        &Options { batch_records: 1, ..OPTIONS },
        &mut closed,
    );
    assert!(matches!(closed, Err(ParseError::Sink(SinkClosed))));
    let path = std::path::Path::new("/nowhere/file.zip");
    let input = ParseInput {
        path,
        name: "a.zip",
        tables: TABLES,
        file_no: 1,
        options: &of_level(2),
        secret: None,
        batch_records: 1,
        limits: LIMITS,
        only_ordinals: &[],
        slice: None,
        holds_more: false,
    };
    let missing = parse(&input, &mut Collected::default());
    assert!(matches!(missing, Err(ParseError::Io { file, .. }) if file == "file.zip"));
}
