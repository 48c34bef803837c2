//! Parser events → tree.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::{Content, Entry, MAX_DEPTH, MAX_NODES, Map, Node, scalar, tags};
use crate::diagnostic::{Diagnostic, Span};

pub(super) fn read(text: &str, file: &Path) -> Result<Node, Diagnostic> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: Arc<Path> = file.into();
    let mut reader = Reader {
        text,
        parser: Parser::new_from_str(text),
        file: Arc::clone(&file),
        anchors: HashMap::new(),
        nodes: 0,
    };
    reader.document()
}

struct Reader<'input> {
    text: &'input str,
    parser: Parser<'input, StrInput<'input>>,
    file: Arc<Path>,
    /// What each anchor stands for, with the nodes it has; an anchor that is still open is not in it.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'input> Reader<'input> {
    fn document(&mut self) -> Result<Node, Diagnostic> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(Diagnostic::error("a second document starts here")
                        .at(&span)
                        .hint("keep one document in the file: remove what follows `---`"));
                }
                Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_) => {
                    root = Some(self.node(event, span, 0)?);
                }
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::SequenceEnd
                | Event::MappingEnd => {}
            }
        }
        Ok(root.unwrap_or_else(|| Node::new(&Span::start_of(&self.file), Content::Null)))
    }

    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Node, Diagnostic> {
        if depth > MAX_DEPTH {
            let message = format!("values are nested more than {MAX_DEPTH} deep");
            return Err(Diagnostic::error(message).at(&span));
        }
        self.count(1, &span)?;
        let before = self.nodes;
        let (node, anchor, tag) = match event {
            Event::Alias(anchor) => return self.alias(anchor, &span),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let content = if plain {
                    scalar::plain(&text)
                } else {
                    Content::Text(text.into_owned())
                };
                (Node::new(&span, content), anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (self.sequence(&span, depth)?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.mapping(&span, depth)?, anchor, tag),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Ok(Node::new(&span, Content::Null)),
        };
        let node = match tag.as_deref() {
            Some(tag) => tags::apply(tag, node)?,
            None => node,
        };
        if anchor > 0 {
            self.anchors
                .insert(anchor, (node.clone(), 1 + self.nodes - before));
        }
        Ok(node)
    }

    fn sequence(&mut self, span: &Span, depth: usize) -> Result<Node, Diagnostic> {
        let mut items = Vec::new();
        loop {
            match self.expect_next(span)? {
                (Event::SequenceEnd, _) => return Ok(Node::new(span, Content::List(items))),
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, span: &Span, depth: usize) -> Result<Node, Diagnostic> {
        let mut written: Vec<Entry> = Vec::new();
        let mut lines: HashMap<String, u32> = HashMap::new();
        loop {
            let (key, key_span) = match self.expect_next(span)? {
                (Event::MappingEnd, _) => return merged(written, span),
                (Event::Scalar(text, ..), at) => (text.into_owned(), at),
                (_, at) => return Err(Diagnostic::error("a key must be plain text").at(&at)),
            };
            if let Some(line) = lines.insert(key.clone(), key_span.line).filter(|_| key != "<<") {
                return Err(Diagnostic::error(format!("key `{key}` is given twice"))
                    .at(&key_span)
                    .hint(format!("the first is on line {line}; keep one of them")));
            }
            let (event, at) = self.expect_next(span)?;
            let node = self.node(event, at, depth + 1)?;
            written.push(Entry { key, key_span, node });
        }
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Result<Node, Diagnostic> {
        let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
            return Err(Diagnostic::error("an anchor cannot contain itself").at(span));
        };
        self.count(size, span)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values, aliases expanded");
            return Err(Diagnostic::error(message).at(span));
        }
        Ok(())
    }

    fn expect_next(&mut self, open: &Span) -> Result<(Event<'input>, Span), Diagnostic> {
        let unfinished = || Diagnostic::error("what starts here is not finished").at(open);
        self.next()?.ok_or_else(unfinished)
    }

    fn next(&mut self) -> Result<Option<(Event<'input>, Span)>, Diagnostic> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => {
                let span = self.span(&span.start);
                Ok(Some((event, span)))
            }
            Some(Err(error)) => Err(self.syntax_error(&error)),
        }
    }

    fn syntax_error(&self, error: &ScanError) -> Diagnostic {
        let info = error.info();
        let reported = self.span(error.marker());
        let place = if info.contains("tab") {
            self.tab_after(&reported)
        } else {
            self.end_before(&reported)
        };
        Diagnostic::error(format!("not valid YAML: {info}"))
            .at(&place.unwrap_or(reported))
            .hint(advice(info))
    }

    /// The first tab that indents a line, from the reported one on: the parser names what stands before it.
    fn tab_after(&self, reported: &Span) -> Option<Span> {
        let mut lines = (1..)
            .zip(self.text.lines())
            .skip_while(|(line, _)| *line < reported.line);
        lines.find_map(|(line, text)| {
            let indent = text.chars().take_while(|c| c.is_whitespace());
            let column = (1..).zip(indent).find(|(_, c)| *c == '\t')?.0;
            Some(Span {
                file: Arc::clone(&self.file),
                line,
                column,
            })
        })
    }

    /// The end of the last line that says something, where the reported one is behind it.
    fn end_before(&self, reported: &Span) -> Option<Span> {
        let lines = (1..).zip(self.text.lines());
        let (line, text) = lines.filter(|(_, text)| !text.trim().is_empty()).last()?;
        (line < reported.line).then(|| Span {
            file: Arc::clone(&self.file),
            line,
            column: (1..)
                .zip(text.trim_end().chars())
                .last()
                .map_or(1, |(column, _)| column),
        })
    }

    fn span(&self, marker: &Marker) -> Span {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span {
            file: Arc::clone(&self.file),
            line: small(marker.line()),
            column: small(marker.col()).saturating_add(1),
        }
    }
}

/// What most often causes the parser to say `info`.
fn advice(info: &str) -> &'static str {
    if info.contains("tab") {
        "indent with spaces"
    } else if info.contains("anchor") {
        "quote a text that starts with `*` or `&`"
    } else if info.contains("flow") {
        "quote a text that contains `{`, `}`, `[`, `]` or `,`, and close what was opened"
    } else if info.contains("unexpected character") {
        "quote a text that starts with this character"
    } else {
        "check indentation, colons and quotes on this line and the one before"
    }
}

/// Puts the entries of `<<` where it stands; keys written in the mapping itself win.
fn merged(written: Vec<Entry>, span: &Span) -> Result<Node, Diagnostic> {
    if written.iter().all(|entry| entry.key != "<<") {
        let mut map = Map::default();
        written.into_iter().for_each(|entry| map.push(entry));
        return Ok(Node::new(span, Content::Map(map)));
    }
    let own: Vec<String> = written.iter().map(|entry| entry.key.clone()).collect();
    let mut map = Map::default();
    for entry in written {
        if entry.key != "<<" {
            map.push(entry);
            continue;
        }
        for source in merge_sources(entry.node)? {
            let new = source
                .into_iter()
                .filter(|e| !own.contains(&e.key))
                .collect::<Vec<_>>();
            for entry in new {
                if map.get(&entry.key).is_none() {
                    map.push(entry);
                }
            }
        }
    }
    Ok(Node::new(span, Content::Map(map)))
}

fn merge_sources(node: Node) -> Result<Vec<Map>, Diagnostic> {
    let wrong = |span: &Span| Diagnostic::error("`<<` takes a mapping or a list of mappings").at(span);
    match node.content {
        Content::Map(map) => Ok(vec![map]),
        Content::List(items) => items
            .into_iter()
            .map(|item| match item.content {
                Content::Map(map) => Ok(map),
                _ => Err(wrong(&item.span)),
            })
            .collect(),
        _ => Err(wrong(&node.span)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(text: &str) -> Result<Node, Diagnostic> {
        read(text, Path::new("s.yml"))
    }

    fn value(text: &str) -> Value {
        parse(text).unwrap().to_json()
    }

    fn problem(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn short_tags_are_written_out() {
        let text = "a: !Ref X\nb: !GetAtt A.B.C\nc: !GetAtt [A, B]\nd: !Sub '${X}'\n\
                    e: !Join ['-', [!Ref A, b]]\nf: !If\n  - C\n  - 1\n  - !Ref AWS::NoValue\ng: !Condition D\n\
                    h: !Equals {x: y}\n";
        let expected = json!({
            "a": {"Ref": "X"}, "b": {"Fn::GetAtt": ["A", "B.C"]}, "c": {"Fn::GetAtt": ["A", "B"]},
            "d": {"Fn::Sub": "${X}"}, "e": {"Fn::Join": ["-", [{"Ref": "A"}, "b"]]},
            "f": {"Fn::If": ["C", 1, {"Ref": "AWS::NoValue"}]}, "g": {"Condition": "D"},
            "h": {"Fn::Equals": {"x": "y"}},
        });
        assert_eq!(value(text), expected);
    }

    #[test]
    fn unknown_tags_suggest_the_nearest() {
        let error = parse("a:\n  b: !GetAttr X.Y\n").unwrap_err();
        assert_eq!(error.to_string(), "s.yml:2:6: unknown tag `!GetAttr`");
        assert_eq!(error.hint.as_deref(), Some("did you mean `!GetAtt`?"));
    }

    #[test]
    fn what_is_not_yaml_is_shown_where_it_is() {
        let place = |text: &str| parse(text).unwrap_err().span.map(|span| (span.line, span.column));
        assert_eq!(place("a:\n\tb: c\n"), Some((2, 1)));
        assert_eq!(place("a:\n  b: c\n  \td: e\n"), Some((3, 3)));
        assert_eq!(place("a: 1\nb: {c: d\n\n\n"), Some((2, 8)));
        assert_eq!(place("a: 1\n b: 2\n"), Some((2, 3)));
    }

    #[test]
    fn core_tags_set_the_type() {
        assert_eq!(
            value("[!!str 12, !!int '7', !!bool \"true\", !!null '']"),
            json!(["12", 7, true, null])
        );
        assert!(problem("a: !!int x").contains("s.yml:1:4"));
        assert!(problem("a: !!map [1]").contains("does not fit a list"));
    }

    #[test]
    fn quoted_scalars_are_text_and_plain_ones_typed() {
        assert_eq!(
            value("a: '1'\nb: 1\nc: \"true\"\nd: 2012-10-17\ne:\n"),
            json!({"a": "1", "b": 1, "c": "true", "d": "2012-10-17", "e": null})
        );
    }

    #[test]
    fn merge_keys_yield_to_the_mapping_itself() {
        let text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\none:\n  <<: *b\n  y: 9\n\
                    two:\n  <<: [*b, *o]\n";
        assert_eq!(
            value(text),
            json!({"base": {"x": 1, "y": 2}, "other": {"y": 3, "z": 4},
                   "one": {"x": 1, "y": 9}, "two": {"x": 1, "y": 2, "z": 4}})
        );
        assert!(problem("<<: 3").contains("takes a mapping"));
    }

    #[test]
    fn duplicate_keys_are_refused_with_both_lines() {
        let error = parse("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(error.to_string(), "s.yml:3:1: key `a` is given twice");
        assert!(error.hint.unwrap().contains("line 1"));
    }

    #[test]
    fn places_count_from_one_and_in_characters() {
        let node = parse("ä:\n  - ü: [x, y]\n").unwrap();
        let list = node.child("ä").unwrap().child("0").unwrap().child("ü").unwrap();
        let span = &list.child("1").unwrap().span;
        assert_eq!((span.line, span.column), (2, 12));
    }

    #[test]
    fn bombs_are_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            text += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        assert!(problem(&text).contains("aliases expanded"));
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        assert!(problem(&deep).contains("nested") || problem(&deep).contains("not valid YAML"));
        assert!(problem("a: &a [*a]").contains("contain itself"));
    }

    #[test]
    fn syntax_errors_have_a_place_and_a_hint() {
        let error = parse("a:\n  - b\n c: d\n").unwrap_err();
        assert!(error.to_string().starts_with("s.yml:3:"), "{error}");
        assert!(error.message.starts_with("not valid YAML"));
        assert!(error.hint.is_some());
        let hint = |text| parse(text).unwrap_err().hint.unwrap();
        assert!(hint("a:\n\tb: 1\n").contains("spaces"));
        assert!(hint("a: {path: /x/{id}, b: 1}").contains("quote a text that contains"));
        assert!(hint("a: *").contains("quote a text that starts with"));
        assert!(hint("a: @b").contains("starts with this character"));
    }

    #[test]
    fn one_document_only_and_none_is_null() {
        assert!(parse("").unwrap().is_null());
        assert!(parse("# only a comment\n").unwrap().is_null());
        assert_eq!(value("---\na: 1\n...\n"), json!({"a": 1}));
        assert!(problem("a: 1\n---\nb: 2\n").contains("second document"));
        assert!(problem("[a]: 1").contains("not valid") || problem("? [a]\n: 1").contains("plain text"));
    }
}
