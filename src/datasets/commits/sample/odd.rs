//! Commits that git would not write today, and that histories have.

/// What stands behind tree and parent of each.
pub(super) fn odd_commits() -> Vec<Vec<u8>> {
    let good = "committer Fay <fay@example.org> 1500000000 +0000";
    let texts = [
        // Brackets twice, around the address and in all.
        format!("author Ben <ben@example.org> <ben@example.org> 1500000001 +0200\n{good}\n\nTwice\n"),
        format!("author Ben <<ben@example.org>> 1500000002 +0200\n{good}\n\nBrackets in brackets\n"),
        // A zone that is none.
        format!("author Cleo <cleo@example.org> 1500000003 +051800\n{good}\n\nA zone of six digits\n"),
        // Nobody, and no address.
        format!("author  <> 1500000004 +0000\n{good}\n\nNobody\n"),
        format!("author <dee@example.org> 1500000005 -0330\n{good}\n\nNo name\n"),
        // The first second, and a time far ahead.
        "author Eve <eve@example.org> 0 +0000\ncommitter Eve <eve@example.org> 0 +0000\n\nThe first second\n"
            .to_owned(),
        "author Eve <eve@example.org> 4102444800 +1400\ncommitter Eve <eve@example.org> 4102444800 +1400\n\nAhead\n"
            .to_owned(),
        // A time that cannot be read.
        format!("author Fay <fay@example.org> soon +0000\n{good}\n\nNo seconds\n"),
        // Carriage returns, brackets, a subject of two lines, none at all.
        format!("author Gus <gus@example.org> 1500000009 +0000\n{good}\n\nOne\r\ntwo \nthree <x@example.org>\r\n\r\nText\r\n"),
        format!("author Gus <gus@example.org> 1500000010 +0000\n{good}\n\n"),
        // Signed, with trailers.
        format!(
            "author Hal <hal@example.org> 1500000011 +0000\n{good}\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n wsBc\n \
             -----END PGP SIGNATURE-----\n\nSigned\n\nCo-authored-by: Ida <ida@example.org>\nFixes: #7\n"
        ),
        "author dependabot[bot] <49+dependabot[bot]@users.noreply.github.com> 1500000012 +0000\ncommitter GitHub \
         <noreply@github.com> 1500000012 +0000\n\nBump it\n"
            .to_owned(),
    ];
    let mut odd: Vec<_> = texts.into_iter().map(String::into_bytes).collect();
    // A name in the encoding that is said, and one in none.
    let mut latin = b"author J\xf6rg <joerg@example.org> 1500000013 +0100\n".to_vec();
    latin.extend_from_slice(format!("{good}\nencoding ISO-8859-1\n\n").as_bytes());
    latin.extend_from_slice(b"Gr\xfc\xdfe\n");
    odd.push(latin);
    let mut none = b"author J\xf6rg <joerg@example.org> 1500000014 +0100\n".to_vec();
    none.extend_from_slice(format!("{good}\n\nBytes of no encoding\n").as_bytes());
    odd.push(none);
    odd
}
