//! Prometheus' text format.

use std::fmt::{Display, Write as _};

/// The type of the format's content.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text in that format, which is being written.
#[derive(Debug, Default)]
pub struct PrometheusText {
    text: String,
}

impl PrometheusText {
    /// Begins a metric of a kind: `counter`, `gauge` or `histogram`.
    pub fn begin(&mut self, name: &str, kind: &str, about: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {about}\n# TYPE {name} {kind}");
    }

    /// Adds a value; `labels`: each as [`label`] makes it, with commas between them, or nothing.
    pub fn value(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.text, "{name} {value}"),
            labels => writeln!(self.text, "{name}{{{labels}}} {value}"),
        };
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// A label with its value, which may be any text.
pub fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_behind_its_name_and_labels() {
        let mut text = PrometheusText::default();
        text.begin("table_rows", "gauge", "Rows of a table.");
        text.value("table_rows", &label("table", "rates"), 7);
        text.value("table_rows", "", 1.5);
        let expected = "# HELP table_rows Rows of a table.\n# TYPE table_rows gauge\n\
                        table_rows{table=\"rates\"} 7\ntable_rows 1.5\n";
        assert_eq!(text.into_text(), expected);
    }

    #[test]
    fn a_label_holds_anything() {
        assert_eq!(label("table", "a\"b\\c\nd"), r#"table="a\"b\\c\nd""#);
    }
}
