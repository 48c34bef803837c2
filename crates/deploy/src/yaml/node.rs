//! The tree.

use serde_json::{Number, Value};

use crate::diagnostic::Span;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub content: Content,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Nothing: `null`, `~` or an empty value.
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number
    Number(Number),
    /// Text
    Text(String),
    /// A sequence
    List(Vec<Node>),
    /// A mapping
    Map(Map),
}

/// A mapping in the order of the file, every key once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    entries: Vec<Entry>,
}

/// One `key: value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key; numbers and booleans as they are written.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

impl Node {
    /// A node at `span`.
    #[must_use]
    pub fn new(span: &Span, content: Content) -> Self {
        Self {
            span: span.clone(),
            content,
        }
    }

    /// A text at `span`.
    #[must_use]
    pub fn text(span: &Span, text: impl Into<String>) -> Self {
        Self::new(span, Content::Text(text.into()))
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The mapping, if it is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match &self.content {
            Content::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items, if it is a sequence.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// A scalar as text: numbers and booleans as JavaScript prints them. None for null, sequences
    /// and mappings.
    #[must_use]
    pub fn scalar_text(&self) -> Option<String> {
        match &self.content {
            Content::Text(text) => Some(text.clone()),
            Content::Number(number) => Some(number.to_string()),
            Content::Bool(truth) => Some(truth.to_string()),
            Content::Null | Content::List(_) | Content::Map(_) => None,
        }
    }

    /// The child of a mapping by key or of a sequence by index.
    #[must_use]
    pub fn child(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(map) => map.get(key),
            Content::List(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The node as plain JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(truth) => Value::Bool(*truth),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Node::to_json).collect(),
            Content::Map(map) => map.iter().map(|e| (e.key.clone(), e.node.to_json())).collect(),
        }
    }

    /// Plain JSON as a tree whose nodes all stand at `span`.
    #[must_use]
    pub fn from_json(value: Value, span: &Span) -> Self {
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(truth) => Content::Bool(truth),
            Value::Number(number) => Content::Number(number),
            Value::String(text) => Content::Text(text),
            Value::Array(items) => Content::List(
                items
                    .into_iter()
                    .map(|item| Self::from_json(item, span))
                    .collect(),
            ),
            Value::Object(members) => {
                let mut map = Map::default();
                for (key, value) in members {
                    map.set(key, span.clone(), Self::from_json(value, span));
                }
                Content::Map(map)
            }
        };
        Self::new(span, content)
    }

    /// How many nodes the tree has.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.content {
            Content::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Content::Map(map) => 1 + map.iter().map(|e| e.node.size()).sum::<usize>(),
            _ => 1,
        }
    }

    /// What it is in words, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.content {
            Content::Null => "empty",
            Content::Bool(_) => "true or false",
            Content::Number(_) => "a number",
            Content::Text(_) => "text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }
}

impl Map {
    /// The entries in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry of `key`.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries
            .iter_mut()
            .find(|entry| entry.key == key)
            .map(|entry| &mut entry.node)
    }

    /// Sets `key`, in its old place if it is there already.
    pub fn set(&mut self, key: String, key_span: Span, node: Node) {
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => *entry = Entry { key, key_span, node },
            None => self.entries.push(Entry { key, key_span, node }),
        }
    }

    /// Removes `key`.
    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|entry| entry.key != key);
    }

    /// Appends `entry` of another mapping with another value; its key must be new here.
    pub(crate) fn append(&mut self, entry: &Entry, node: Node) {
        self.entries.push(Entry {
            key: entry.key.clone(),
            key_span: entry.key_span.clone(),
            node,
        });
    }

    /// Appends an entry whose key the caller knows to be new.
    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }
}

impl IntoIterator for Map {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;
    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
