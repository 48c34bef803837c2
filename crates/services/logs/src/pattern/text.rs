//! What a value is compared with: text with wildcards, regular expressions.

use super::InvalidFilterPattern;

/// How large a compiled expression may be, in bytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;
/// Besides letters and digits. User Guide, "Supported regular expressions (regex) syntax".
const REGEX_CHARACTERS: &str = ":_#=@/;,- ^$?[]{}|\\*+.";

/// A regular expression of the kind that patterns may have: without groups, ASCII only.
#[derive(Clone, Debug)]
pub(super) struct Regex(regex::Regex);

impl Regex {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidFilterPattern> {
        let foreign = |c: &char| !c.is_ascii_alphanumeric() && !REGEX_CHARACTERS.contains(*c);
        if let Some(foreign) = text.chars().find(foreign) {
            let text = format!("`{foreign}` is not supported in the regular expression `{text}`");
            return Err(InvalidFilterPattern(text));
        }
        let built = regex::RegexBuilder::new(text)
            .size_limit(MAX_COMPILED_BYTES)
            .build();
        built.map(Self).map_err(|error| {
            InvalidFilterPattern(format!("the regular expression `{text}` is not valid: {error}"))
        })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// Text in which `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wildcard {
    parts: Vec<Box<str>>,
}

impl Wildcard {
    pub(super) fn new(text: &str) -> Self {
        Self {
            parts: text.split('*').map(Box::from).collect(),
        }
    }

    /// `*` alone.
    pub(super) fn is_anything(&self) -> bool {
        self.parts.len() > 1 && self.parts.iter().all(|part| part.is_empty())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let (Some(first), Some(last)) = (self.parts.first(), self.parts.last()) else {
            return false;
        };
        if self.parts.len() == 1 {
            return **first == *text;
        }
        let inner = text
            .strip_prefix(&**first)
            .and_then(|text| text.strip_suffix(&**last));
        let Some(mut rest) = inner else { return false };
        let middle = self.parts.iter().skip(1).take(self.parts.len() - 2);
        middle.into_iter().all(|part| match rest.split_once(&**part) {
            _ if part.is_empty() => true,
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    }
}
