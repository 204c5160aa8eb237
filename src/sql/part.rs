//! Cuts a part out of an SQL file that joins several.

/// A part of a file that joins several: what is behind its line `-- part: NAME  (…)`, up to the next such line.
///
/// # Panics
/// When the file has no such part. All parts are constants, so that is an error of the compiler.
pub(super) const fn part(file: &'static str, name: &str) -> &'static str {
    const MARK: &[u8] = b"-- part: ";
    let (bytes, name) = (file.as_bytes(), name.as_bytes());
    let (mut line, mut start) = (0, 0);
    while line < bytes.len() {
        let mut next = line;
        while next < bytes.len() && bytes[next] != b'\n' {
            next += 1;
        }
        next += 1;
        if stands_at(bytes, line, MARK) {
            if start > 0 {
                break;
            }
            let end = line + MARK.len() + name.len();
            if stands_at(bytes, line + MARK.len(), name) && end < bytes.len() && bytes[end] == b' ' {
                start = next;
            }
        }
        line = next;
    }
    assert!(start > 0, "the file has no part of this name");
    let mut end = if line < bytes.len() { line } else { bytes.len() };
    // Without the empty line before the next part.
    while bytes[end - 1] == b'\n' && bytes[end - 2] == b'\n' {
        end -= 1;
    }
    file.split_at(end).0.split_at(start).1
}

const fn stands_at(text: &[u8], at: usize, what: &[u8]) -> bool {
    let mut i = 0;
    while i < what.len() {
        if at + i >= text.len() || text[at + i] != what[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_where_the_next_begins() {
        const FILE: &str = "-- Purpose: both.\n\n-- part: ab  (script)\n-- Purpose: x.\nselect 1;\n\n\
            -- part: a  (statement)\nselect '-- part: ab  ';\n";
        assert_eq!(part(FILE, "ab"), "-- Purpose: x.\nselect 1;\n");
        assert_eq!(part(FILE, "a"), "select '-- part: ab  ';\n");
        for missing in ["b", "abc", ""] {
            std::panic::catch_unwind(|| part(FILE, missing)).unwrap_err();
        }
    }
}
