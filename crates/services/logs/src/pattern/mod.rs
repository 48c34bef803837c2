//! Filter patterns: terms, fields between spaces, members of JSON.
//!
//! CloudWatch Logs User Guide, "Filter pattern syntax for metric filters, subscription filters, filter log
//! events, and Live Tail". A pattern in braces is about JSON, one in brackets about fields, any other is
//! a list of terms. Patterns are parsed once; matching allocates little and takes time in proportion to the
//! message, regular expressions too.

mod cursor;
mod expression;
mod fields;
mod json;
mod terms;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use fields::Fields;
use json::Json;
use terms::Terms;

/// The longest pattern, in bytes.
const MAX_BYTES: usize = 1024;

/// A filter pattern.
#[derive(Clone, Debug)]
pub struct FilterPattern {
    text: Box<str>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Terms(Terms),
    Fields(Fields),
    Json(Json),
}

/// Text that is no filter pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid filter pattern: {0}")]
pub struct InvalidFilterPattern(pub(crate) String);

impl FilterPattern {
    /// The pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether every message matches.
    #[must_use]
    pub fn matches_all(&self) -> bool {
        matches!(&self.kind, Kind::Terms(terms) if terms.is_empty())
    }

    /// Whether a message matches.
    #[must_use]
    pub fn matches(&self, message: &str) -> bool {
        match &self.kind {
            Kind::Terms(terms) => terms.matches(message),
            Kind::Fields(fields) => fields.matches(message),
            Kind::Json(json) => json.matches(message),
        }
    }

    /// The values of a message that the pattern names, by `$field` or `$.selector`; none when it does not
    /// match.
    #[must_use]
    pub fn extract(&self, message: &str) -> Option<BTreeMap<String, String>> {
        if !self.matches(message) {
            return None;
        }
        Some(match &self.kind {
            Kind::Terms(_) => BTreeMap::new(),
            Kind::Fields(fields) => fields.extract(message),
            Kind::Json(json) => json.extract(message),
        })
    }
}

impl FromStr for FilterPattern {
    type Err = InvalidFilterPattern;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_BYTES {
            return Err(InvalidFilterPattern(format!(
                "it is longer than {MAX_BYTES} bytes"
            )));
        }
        let trimmed = text.trim();
        let kind = match trimmed.as_bytes() {
            [b'{', ..] => Kind::Json(Json::parse(trimmed)?),
            [b'[', ..] => Kind::Fields(Fields::parse(trimmed)?),
            _ => Kind::Terms(Terms::parse(trimmed)?),
        };
        Ok(Self {
            text: text.into(),
            kind,
        })
    }
}

impl fmt::Display for FilterPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for FilterPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for FilterPattern {}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
