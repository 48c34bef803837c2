//! JSON → tree. The text is first read by `serde_json`, which finds what is wrong; the second pass
//! may then trust it and only looks for where each value starts.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{Content, MAX_DEPTH, MAX_NODES, Map, Node};
use crate::diagnostic::{Diagnostic, Span};

pub(super) fn read(text: &str, file: &Path) -> Result<Node, Diagnostic> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: Arc<Path> = file.into();
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let span = Span {
            file,
            line: small(error.line()).max(1),
            column: small(error.column()).max(1),
        };
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or(&what);
        return Err(Diagnostic::error(format!("not valid JSON: {what}")).at(&span));
    }
    let mut reader = Reader {
        rest: text,
        span: Span::start_of(&file),
        nodes: 0,
    };
    reader.value(0)
}

struct Reader<'a> {
    rest: &'a str,
    span: Span,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Node, Diagnostic> {
        self.skip_space();
        let span = self.span.clone();
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, or nested more than {MAX_DEPTH} deep");
            return Err(Diagnostic::error(message).at(&span));
        }
        let content = match self.rest.chars().next() {
            Some('{') => Content::Map(self.object(depth)?),
            Some('[') => Content::List(self.array(depth)?),
            _ => return Ok(Node::from_json(self.scalar(), &span)),
        };
        Ok(Node::new(&span, content))
    }

    fn object(&mut self, depth: usize) -> Result<Map, Diagnostic> {
        let mut map = Map::default();
        let mut keys = HashSet::new();
        self.advance(1);
        while !self.closes('}') {
            let key_span = self.span.clone();
            let key = self.scalar().as_str().unwrap_or_default().to_owned();
            self.skip_space();
            self.advance(1);
            let node = self.value(depth + 1)?;
            if !keys.insert(key.clone()) {
                return Err(Diagnostic::error(format!("key `{key}` is given twice")).at(&key_span));
            }
            map.push(super::Entry { key, key_span, node });
        }
        Ok(map)
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Node>, Diagnostic> {
        let mut items = Vec::new();
        self.advance(1);
        while !self.closes(']') {
            items.push(self.value(depth + 1)?);
        }
        Ok(items)
    }

    /// Skips space and a comma; true, and past it, at the closing bracket.
    fn closes(&mut self, bracket: char) -> bool {
        self.skip_space();
        if self.rest.starts_with(',') {
            self.advance(1);
            self.skip_space();
        }
        let closed = self.rest.starts_with(bracket) || self.rest.is_empty();
        if closed {
            self.advance(1);
        }
        closed
    }

    fn scalar(&mut self) -> Value {
        let length = if self.rest.starts_with('"') {
            string_length(self.rest)
        } else {
            let ends = |c: char| c == ',' || c == '}' || c == ']' || c.is_whitespace();
            self.rest.find(ends).unwrap_or(self.rest.len())
        };
        let raw = self.rest.get(..length).unwrap_or(self.rest);
        self.advance(length);
        serde_json::from_str(raw).unwrap_or(Value::Null)
    }

    fn skip_space(&mut self) {
        let space = self.rest.len() - self.rest.trim_start().len();
        self.advance(space);
    }

    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        for c in passed.chars() {
            if c == '\n' {
                self.span.line = self.span.line.saturating_add(1);
                self.span.column = 1;
            } else {
                self.span.column = self.span.column.saturating_add(1);
            }
        }
        self.rest = rest;
    }
}

/// Bytes of the JSON string at the start of `text`, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_keep_their_places() {
        let text = "{\n\t\"a\\\"b\": [1, {\"c\": null}],\n  \"d\" : \"\\ud83d\\ude00 x\", \"e\":true, \"f\": {}, \"g\":[]\n}";
        let node = read(text, Path::new("x.json")).unwrap();
        let expected = json!({"a\"b": [1, {"c": null}], "d": "\u{1f600} x", "e": true, "f": {}, "g": []});
        assert_eq!(node.to_json(), expected);
        let c = node
            .child("a\"b")
            .unwrap()
            .child("1")
            .unwrap()
            .child("c")
            .unwrap();
        assert_eq!((c.span.line, c.span.column), (2, 20));
        let d = node.as_map().unwrap().entry("d").unwrap();
        assert_eq!((d.key_span.line, d.key_span.column), (3, 3));
    }

    #[test]
    fn errors_have_a_place() {
        let error = read("{\n \"a\": 1,\n}", Path::new("x.json")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "x.json:3:1: not valid JSON: key must be a string"
        );
        let error = read("{\"a\": 1, \"a\": 2}", Path::new("x.json")).unwrap_err();
        assert_eq!(error.to_string(), "x.json:1:10: key `a` is given twice");
        assert!(read("", Path::new("x.json")).is_err());
    }
}
