//! The subject of a message, as git's own log has it.

/// The first paragraph in one line; empty where there is none.
pub(super) fn subject(message: &str) -> String {
    let lines = message.split('\n').map(trimmed_end).skip_while(|line| line.is_empty());
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Without the blanks at the end that git takes for such.
fn trimmed_end(line: &str) -> &str {
    line.trim_end_matches([' ', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_the_first_paragraph() {
        for (message, expected) in [
            ("One\n\nTwo\n", "One"),
            ("One\ntwo \nthree", "One two three"),
            ("\n \n  One\r\n\r\nTwo", "  One"),
            ("", ""),
            ("\n\n", ""),
        ] {
            assert_eq!(subject(message), expected, "{message:?}");
        }
    }
}
