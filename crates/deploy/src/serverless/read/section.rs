//! Reading a mapping key by key, so that what nobody asked for is noticed.

use std::ops::RangeInclusive;

use crate::diagnostic::{Diagnostic, Severity, Span, nearest};
use crate::serverless::variables::NOT_SUPPORTED;
use crate::yaml::{Content, Entry, Map, Node};

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is read here.
    Honoured,
    /// It is known and changes nothing here.
    NoEffect,
    /// A value that asks for something is an error; this is its hint.
    Refused(&'static str),
}

/// The keys that one mapping may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKeys {
    /// Where the mapping stands.
    pub path: String,
    /// The keys as they were asked for; one may come twice.
    pub keys: Vec<(&'static str, Meaning)>,
}

/// What is done with keys nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum UnknownKeys {
    #[default]
    Warn,
    Refuse,
    Ignore,
}

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) found: Vec<Diagnostic>,
    /// The mappings that were read to their end; the reference page is made of them.
    pub(super) sections: Vec<KnownKeys>,
    pub(super) unknown_keys: UnknownKeys,
}

impl Problems {
    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    pub(super) fn error(&mut self, span: &Span, message: impl Into<String>) {
        self.add(Diagnostic::error(message).at(span));
    }

    pub(super) fn warn(&mut self, span: &Span, message: impl Into<String>) {
        self.add(Diagnostic::warning(message).at(span));
    }

    /// A key that is understood but cannot be honoured yet.
    pub(super) fn unsupported(&mut self, span: &Span, what: &str, hint: &str) {
        self.add(
            Diagnostic::error(format!("{what} {NOT_SUPPORTED}"))
                .at(span)
                .hint(hint),
        );
    }
}

/// A mapping that is being read.
#[derive(Debug)]
pub(super) struct Section<'n> {
    map: Option<&'n Map>,
    span: &'n Span,
    path: String,
    asked: Vec<(&'static str, Meaning)>,
}

impl<'n> Section<'n> {
    /// Reads `node`, which `path` leads to; null reads as empty, anything else but a mapping is an error.
    pub(super) fn new(node: &'n Node, path: impl Into<String>, problems: &mut Problems) -> Self {
        let path = path.into();
        if !matches!(node.content, Content::Map(_) | Content::Null) {
            problems.error(&node.span, format!("`{path}` is {}, not a mapping", node.kind()));
        }
        Self {
            map: node.as_map(),
            span: &node.span,
            path,
            asked: Vec::new(),
        }
    }

    /// Where the mapping starts.
    pub(super) fn span(&self) -> &'n Span {
        self.span
    }

    /// The full path of `key`.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            return key.to_owned();
        }
        format!("{}.{key}", self.path)
    }

    /// The entry of `key`, unless it is null.
    pub(super) fn entry(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.asked.push((key, Meaning::Honoured));
        self.given(key)
    }

    /// The entry of `key` as [`Section::entry`] gives it, for a word on a key that changes nothing.
    pub(super) fn given(&self, key: &str) -> Option<&'n Entry> {
        self.map?.entry(key).filter(|entry| !entry.node.is_null())
    }

    /// The value of `key`, unless it is null.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Keys that are known and mean nothing here.
    pub(super) fn ignore(&mut self, keys: &[&'static str]) {
        self.asked
            .extend(keys.iter().map(|key| (*key, Meaning::NoEffect)));
    }

    /// Keys that are honoured before this mapping is read.
    pub(super) fn expect(&mut self, keys: &[&'static str]) {
        self.asked
            .extend(keys.iter().map(|key| (*key, Meaning::Honoured)));
    }

    /// Refuses keys that cannot be honoured yet; `false`, null and empty collections ask for nothing.
    pub(super) fn refuse(&mut self, keys: &[(&'static str, &'static str)], problems: &mut Problems) {
        for (key, hint) in keys {
            self.asked.push((key, Meaning::Refused(hint)));
            if let Some(entry) = self.given(key).filter(|entry| asks_for_something(&entry.node)) {
                problems.unsupported(&entry.key_span, &format!("`{}`", self.path_of(key)), hint);
            }
        }
    }

    /// The text of `key`; numbers and booleans as they are printed.
    pub(super) fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        let node = self.get(key)?;
        let text = node.scalar_text();
        if text.is_none() {
            self.wrong(key, node, "text", problems);
        }
        text
    }

    /// The whole number of `key`, also when it is written as text.
    pub(super) fn integer(&mut self, key: &'static str, problems: &mut Problems) -> Option<u64> {
        let node = self.get(key)?;
        let number = node.scalar_text().and_then(|text| text.trim().parse().ok());
        if number.is_none() {
            self.wrong(key, node, "a whole number", problems);
        }
        number
    }

    /// The whole number of `key` if it is one of `range`.
    pub(super) fn integer_in(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        problems: &mut Problems,
    ) -> Option<u64> {
        let node = self.get(key)?;
        let number = node.scalar_text().and_then(|text| text.trim().parse().ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let expected = format!("a whole number from {} to {}", range.start(), range.end());
            self.wrong(key, node, &expected, problems);
        }
        number
    }

    /// The value of `key`, which is one of `known`.
    pub(super) fn one_of(
        &mut self,
        key: &'static str,
        known: &[&'static str],
        problems: &mut Problems,
    ) -> Option<&'static str> {
        let node = self.get(key)?;
        let text = node.scalar_text();
        let found = known.iter().find(|known| Some(**known) == text.as_deref());
        if found.is_none() {
            let quoted: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
            self.wrong(key, node, &quoted.join(" or "), problems);
        }
        found.copied()
    }

    /// Text of at most `limit` characters.
    pub(super) fn short_text(
        &mut self,
        key: &'static str,
        limit: usize,
        problems: &mut Problems,
    ) -> Option<String> {
        let node = self.get(key)?;
        let text = self.text(key, problems)?;
        let length = text.chars().count();
        if length > limit {
            let message = format!(
                "`{}` has {length} characters, at most {limit} are allowed",
                self.path_of(key)
            );
            problems.error(&node.span, message);
            return None;
        }
        Some(text)
    }

    /// Says that `key`, which must be there, is not.
    pub(super) fn missing(&self, key: &str, hint: &str, problems: &mut Problems) {
        if self.map.is_none() {
            // that it is no mapping has been said
            return;
        }
        problems.add(
            Diagnostic::error(format!("`{}` is missing", self.path_of(key)))
                .at(self.span)
                .hint(hint),
        );
    }

    /// The truth of `key`, also when it is written as text.
    pub(super) fn boolean(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        let node = self.get(key)?;
        let truth = match node
            .scalar_text()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        if truth.is_none() {
            self.wrong(key, node, "true or false", problems);
        }
        truth
    }

    /// The texts of `key`; a single text reads as a list of one.
    pub(super) fn texts(&mut self, key: &'static str, problems: &mut Problems) -> Option<Vec<String>> {
        let node = self.get(key)?;
        let texts = match node.as_list() {
            Some(items) => items
                .iter()
                .filter(|item| !item.is_null())
                .map(Node::scalar_text)
                .collect(),
            None => node.scalar_text().map(|text| vec![text]),
        };
        if texts.is_none() {
            self.wrong(key, node, "a list of texts", problems);
        }
        texts
    }

    /// The mapping of `key`.
    pub(super) fn section(&mut self, key: &'static str, problems: &mut Problems) -> Option<Section<'n>> {
        let node = self.get(key)?;
        Some(Section::new(node, self.path_of(key), problems))
    }

    /// Says that `key` is not `expected`.
    pub(super) fn wrong(&self, key: &str, node: &Node, expected: &str, problems: &mut Problems) {
        let message = format!("`{}` is {}, not {expected}", self.path_of(key), shown(node));
        problems.error(&node.span, message);
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(self, problems: &mut Problems) {
        if problems.unknown_keys != UnknownKeys::Ignore {
            for entry in self.map.into_iter().flatten() {
                if !self.asked.iter().any(|(key, _)| *key == entry.key) {
                    problems.add(self.unknown(entry, problems.unknown_keys));
                }
            }
        }
        problems.sections.push(KnownKeys {
            path: self.path,
            keys: self.asked,
        });
    }

    fn unknown(&self, entry: &Entry, unknown_keys: UnknownKeys) -> Diagnostic {
        let place = if self.path.is_empty() {
            String::new()
        } else {
            format!(" in `{}`", self.path)
        };
        let mut diagnostic =
            Diagnostic::warning(format!("unknown key `{}`{place}", entry.key)).at(&entry.key_span);
        if unknown_keys == UnknownKeys::Refuse {
            diagnostic.severity = Severity::Error;
        }
        let Some(near) = nearest(&entry.key, self.asked.iter().map(|(key, _)| *key)) else {
            return diagnostic;
        };
        // Taken for nothing, it would remove what runs.
        if self.path.is_empty() && matches!(near, "functions" | "provider" | "resources" | "package") {
            diagnostic.severity = Severity::Error;
        }
        diagnostic.hint(format!("did you mean `{near}`?"))
    }
}

fn asks_for_something(node: &Node) -> bool {
    match &node.content {
        Content::Null | Content::Bool(false) => false,
        Content::Text(text) => !text.is_empty() && text != "~",
        Content::List(items) => !items.is_empty(),
        Content::Map(map) => !map.is_empty(),
        Content::Bool(true) | Content::Number(_) => true,
    }
}

/// A scalar as it stands, a collection by its kind.
fn shown(node: &Node) -> String {
    match node.scalar_text() {
        Some(text) => format!("`{text}`"),
        None => node.kind().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::yaml::parse_yaml;

    fn messages(text: &str, read: impl Fn(&mut Section<'_>, &mut Problems)) -> Vec<String> {
        let node = parse_yaml(text, Path::new("s.yml")).unwrap();
        let mut problems = Problems::default();
        let mut section = Section::new(&node, "provider", &mut problems);
        read(&mut section, &mut problems);
        section.finish(&mut problems);
        problems.found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_nobody_asked_for_is_reported() {
        let found = messages("memorySize: 1\nmemorysise: 2\n", |section, problems| {
            assert_eq!(section.integer("memorySize", problems), Some(1));
        });
        assert_eq!(found, ["s.yml:2:1: unknown key `memorysise` in `provider`"]);
    }

    #[test]
    fn scalars_stand_for_one_another_and_nothing_else_does() {
        let found = messages(
            "a: '5'\nb: 'TRUE'\nc: x\nd: 7\ne: [1]\nf: maybe\n",
            |section, problems| {
                assert_eq!(section.integer("a", problems), Some(5));
                assert_eq!(section.boolean("b", problems), Some(true));
                assert_eq!(section.texts("c", problems), Some(vec!["x".into()]));
                assert_eq!(section.text("d", problems), Some("7".into()));
                assert_eq!(section.text("e", problems), None);
                assert_eq!(section.boolean("f", problems), None);
            },
        );
        assert_eq!(
            found,
            [
                "s.yml:5:4: `provider.e` is a list, not text",
                "s.yml:6:4: `provider.f` is `maybe`, not true or false"
            ]
        );
    }

    #[test]
    fn refused_keys_are_errors_only_when_they_ask_for_something() {
        let found = messages(
            "vpc: ~\nlayers: []\nurl: false\nimage: x\n",
            |section, problems| {
                section.refuse(
                    &[("vpc", "h"), ("layers", "h"), ("url", "h"), ("image", "h")],
                    problems,
                );
            },
        );
        assert_eq!(found, ["s.yml:4:1: `provider.image` is not supported yet"]);
    }
}
