//! The fields of a section of a hand-written TOML file: each is taken once, and an unknown one is refused with a
//! suggestion of a similar name.

use strsim::osa_distance;
use toml::{Table, Value};

use crate::error::Cause;

/// The largest edit distance at which a known name is suggested.
const NEAR: usize = 2;

/// The fields of a section that are not taken yet.
pub struct TomlFields {
    file: &'static str,
    section: String,
    table: Table,
}

impl TomlFields {
    /// The fields of the whole file: its text, and what it is called.
    ///
    /// # Errors
    /// It is not TOML; a field that is not among the known ones.
    pub fn parse(file: &'static str, text: &str, known: &[&str]) -> Result<Self, Cause> {
        let table =
            text.parse::<Table>().map_err(|error| Cause::usage(format!("{file} is not TOML: {error}")))?;
        Self::new(file, "", table, known)
    }

    fn new(file: &'static str, section: &str, table: Table, known: &[&str]) -> Result<Self, Cause> {
        let place = if section.is_empty() { "the file" } else { section };
        if let Some(unknown) = table.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(Cause::Usage {
                message: format!("{file}: {place} has no field `{unknown}`"),
                hint: Some(meant(unknown, known, "choose from its fields")),
            });
        }
        Ok(Self { file, section: place.into(), table })
    }

    /// A section that must be there.
    ///
    /// # Errors
    /// It is missing, is none, or has a field that is not known.
    pub fn section(&mut self, name: &str, known: &[&str]) -> Result<Self, Cause> {
        self.optional_section(name, known)?
            .ok_or_else(|| Cause::usage(format!("{} needs the section [{name}]", self.file)))
    }

    /// A section, if it is there.
    ///
    /// # Errors
    /// It is none, or has a field that is not known.
    pub fn optional_section(&mut self, name: &str, known: &[&str]) -> Result<Option<Self>, Cause> {
        match self.table.remove(name) {
            None => Ok(None),
            Some(Value::Table(table)) => Self::new(self.file, &format!("[{name}]"), table, known).map(Some),
            Some(_) => Err(Cause::usage(format!("{}: {name} must be a section: [{name}]", self.file))),
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// It is missing, empty or something else.
    pub fn text(&mut self, name: &str) -> Result<String, Cause> {
        self.optional_text(name)?
            .ok_or_else(|| Cause::usage(format!("{}: {} needs `{name}`", self.file, self.section)))
    }

    /// A text, if it is there.
    ///
    /// # Errors
    /// It is empty or something else.
    pub fn optional_text(&mut self, name: &str) -> Result<Option<String>, Cause> {
        match self.table.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a text that is not empty")),
        }
    }

    /// One text, or a list of them, if it is there.
    ///
    /// # Errors
    /// It is empty or something else.
    pub fn optional_texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Cause> {
        let items = match self.table.remove(name) {
            None => return Ok(None),
            Some(Value::Array(items)) if !items.is_empty() => items,
            Some(one @ Value::String(_)) => vec![one],
            Some(_) => return Err(self.wrong(name, "a list of texts")),
        };
        let text = |item: Value| match item {
            Value::String(text) if !text.is_empty() => Ok(text),
            _ => Err(self.wrong(name, "a list of texts")),
        };
        items.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// A number, if it is there.
    ///
    /// # Errors
    /// It is negative or something else.
    pub fn optional_number(&mut self, name: &str) -> Result<Option<u64>, Cause> {
        match self.table.remove(name) {
            None => Ok(None),
            Some(Value::Integer(number)) if number >= 0 => Ok(Some(number.unsigned_abs())),
            Some(_) => Err(self.wrong(name, "a number that is not negative")),
        }
    }

    /// Yes or no, if it is there.
    ///
    /// # Errors
    /// It is something else.
    pub fn optional_switch(&mut self, name: &str) -> Result<Option<bool>, Cause> {
        match self.table.remove(name) {
            None => Ok(None),
            Some(Value::Boolean(on)) => Ok(Some(on)),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    fn wrong(&self, name: &str, what: &str) -> Cause {
        Cause::usage(format!("{}: {} {name} must be {what}", self.file, self.section))
    }
}

/// What to type instead of an unknown name: the known one that is near, or else, after the words `otherwise`, all of them.
pub fn meant(name: &str, known: &[&str], otherwise: &str) -> String {
    suggestion(name, known).unwrap_or_else(|| format!("{otherwise}: {}", known.join(", ")))
}

/// The question whether the known name that is near was meant; `None`: none is near.
pub fn suggestion(name: &str, known: &[&str]) -> Option<String> {
    near(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// The known name that a misspelled one probably means; `None`: none is similar.
fn near<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let distances =
        known.iter().map(|known| (osa_distance(&name.to_lowercase(), &known.to_lowercase()), *known));
    distances.filter(|(distance, _)| *distance <= NEAR).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        assert_eq!(near("tabel", &["table", "key"]), Some("table"));
        assert_eq!(near("KEY", &["table", "key"]), Some("key"));
        assert_eq!(near("group_row", &["group_rows"]), Some("group_rows"));
        assert_eq!(near("interpreter", &["table", "key"]), None);
    }
}
