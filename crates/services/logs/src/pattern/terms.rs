//! Terms of unstructured text: `ERROR`, `"exact phrase"`, `?any ?of`, `-without`, `%regex%`.

use super::InvalidFilterPattern;
use super::cursor::Cursor;
use super::text::Regex;

/// All of `required`, none of `excluded`; if neither is given, any of `optional`.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    required: Vec<Term>,
    excluded: Vec<Term>,
    optional: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(Box<str>),
    Regex(Regex),
}

impl Terms {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidFilterPattern> {
        let mut terms = Self::default();
        let mut cursor = Cursor::new(text);
        loop {
            cursor.skip_spaces();
            if cursor.rest.is_empty() {
                return Ok(terms);
            }
            let list = if cursor.take("-") {
                &mut terms.excluded
            } else if cursor.take("?") {
                &mut terms.optional
            } else {
                &mut terms.required
            };
            list.push(term(&mut cursor)?);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.required.is_empty() && self.excluded.is_empty() && self.optional.is_empty()
    }

    /// Optional terms beside others are ignored, as the User Guide says.
    pub(super) fn matches(&self, message: &str) -> bool {
        if self.required.is_empty() && self.excluded.is_empty() && !self.optional.is_empty() {
            return self.optional.iter().any(|term| term.is_in(message));
        }
        self.required.iter().all(|term| term.is_in(message))
            && !self.excluded.iter().any(|term| term.is_in(message))
    }
}

impl Term {
    fn is_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(&**text),
            Self::Regex(regex) => regex.is_match(message),
        }
    }
}

fn term(cursor: &mut Cursor<'_>) -> Result<Term, InvalidFilterPattern> {
    if cursor.take("\"") {
        return Ok(Term::Text(cursor.quoted()?.into()));
    }
    if cursor.take("%") {
        return Ok(Term::Regex(cursor.regex()?));
    }
    let word = cursor.take_until(char::is_whitespace);
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    if word.is_empty() || !word.chars().all(plain) {
        return Err(InvalidFilterPattern(format!(
            "Invalid character(s) in term '{word}'; enclose it in quotation marks"
        )));
    }
    Ok(Term::Text(word.into()))
}
