//! The grammar of variables: `${source[(param, …)][:address][, source…][, literal]}`.
//!
//! A `${` begins a variable only if `[a-z][a-zA-Z0-9]*` follows and then `(` or a single `:`. All
//! other `${…}` belong to CloudFormation and stay as they are.

use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::{Number, Value};

/// A text, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text(pub(super) Vec<Part>);

/// A piece of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Literal(String),
    Variable(Variable),
}

/// One `${…}`: its sources in the order they are tried.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variable {
    pub(super) written: String,
    pub(super) sources: Vec<Source>,
}

/// Something that may have a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// `name(params):address`
    Named {
        name: String,
        params: Vec<Text>,
        address: Option<Text>,
    },
    /// A number, `true`, `false` or `null`
    Literal(Value),
    /// A quoted text
    Quoted(Text),
    /// `${…}` in the place of a source
    Nested(Variable),
}

/// Why a text cannot be taken apart.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum InvalidVariable {
    #[error("variable `{0}` is not closed")]
    Open(String),
    #[error("`{0}` is neither a source nor a literal")]
    Source(String),
}

impl Text {
    /// Whether a variable is in it.
    #[cfg(test)]
    pub(super) fn has_variables(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Variable(_)))
    }
}

/// Whether `text` needs [`parse`] at all.
pub(super) fn may_have_variables(text: &str) -> bool {
    text.contains("${")
}

/// Takes `text` apart.
pub(super) fn parse(text: &str) -> Result<Text, InvalidVariable> {
    let mut scanner = Scanner::new(text);
    scanner.text(&|_| false)
}

/// Whether `rest`, which follows `${`, begins a variable.
fn begins_variable(rest: &str) -> bool {
    let name = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    let (name, after) = rest.split_at_checked(name).unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && (after.starts_with('(') || (after.starts_with(':') && !after.starts_with("::")))
}

struct Scanner<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            chars: text.char_indices().peekable(),
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|(_, c)| *c)
    }

    fn position(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(index, _)| *index)
    }

    fn rest(&mut self) -> &'a str {
        let position = self.position();
        self.text.get(position..).unwrap_or_default()
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.chars.next();
        }
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.chars.next();
        }
    }

    /// Literal text and variables up to a character for which `ends` holds, or the end.
    fn text(&mut self, ends: &dyn Fn(char) -> bool) -> Result<Text, InvalidVariable> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        while let Some(c) = self.peek() {
            if ends(c) {
                break;
            }
            if c == '\\' {
                self.backslashes(&mut literal);
            } else if self.rest().strip_prefix("${").is_some_and(begins_variable) {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(Part::Variable(self.variable()?));
            } else {
                literal.push(c);
                self.chars.next();
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Text(parts))
    }

    /// Backslashes count only before a variable: each pair is one, an odd one escapes the variable.
    fn backslashes(&mut self, literal: &mut String) {
        let count = self.rest().chars().take_while(|c| *c == '\\').count();
        self.skip(count);
        if !self.rest().strip_prefix("${").is_some_and(begins_variable) {
            literal.extend(std::iter::repeat_n('\\', count));
            return;
        }
        literal.extend(std::iter::repeat_n('\\', count / 2));
        if count % 2 == 1 {
            literal.push_str("${");
            self.skip(2);
        }
    }

    /// From `${` to its `}`.
    fn variable(&mut self) -> Result<Variable, InvalidVariable> {
        let start = self.position();
        self.skip(2);
        let mut sources = vec![self.source()?];
        loop {
            self.skip_space();
            match self.chars.next() {
                Some((_, ',')) => {
                    self.skip_space();
                    sources.push(self.source()?);
                }
                Some((end, '}')) => {
                    let written = self.text.get(start..=end).unwrap_or_default().to_owned();
                    return Ok(Variable { written, sources });
                }
                Some((index, _)) => {
                    let rest = self.text.get(index..).unwrap_or_default();
                    return Err(InvalidVariable::Source(first_words(rest)));
                }
                None => return Err(self.open(start)),
            }
        }
    }

    fn source(&mut self) -> Result<Source, InvalidVariable> {
        let rest = self.rest();
        if rest.strip_prefix("${").is_some_and(begins_variable) {
            return self.variable().map(Source::Nested);
        }
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return self.quoted(quote).map(Source::Quoted);
        }
        if begins_variable(rest) {
            return self.named();
        }
        let end = rest.find([',', '}']).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default().trim();
        self.skip(rest.get(..end).unwrap_or_default().chars().count());
        literal(word)
            .map(Source::Literal)
            .ok_or_else(|| InvalidVariable::Source(word.to_owned()))
    }

    fn named(&mut self) -> Result<Source, InvalidVariable> {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_alphanumeric) {
            name.push(c);
            self.chars.next();
        }
        let params = if self.peek() == Some('(') {
            self.params()?
        } else {
            Vec::new()
        };
        let address = if self.peek() == Some(':') {
            self.skip(1);
            Some(self.argument(&|c| c == ',' || c == '}')?)
        } else {
            None
        };
        Ok(Source::Named {
            name,
            params,
            address,
        })
    }

    fn params(&mut self) -> Result<Vec<Text>, InvalidVariable> {
        let start = self.position();
        let mut params = Vec::new();
        self.skip(1);
        loop {
            params.push(self.argument(&|c| c == ',' || c == ')')?);
            match self.chars.next() {
                Some((_, ',')) => {}
                Some((_, ')')) => return Ok(params),
                Some(_) | None => return Err(self.open(start)),
            }
        }
    }

    /// A parameter or address: quoted, or as it stands without the spaces around it.
    fn argument(&mut self, ends: &dyn Fn(char) -> bool) -> Result<Text, InvalidVariable> {
        self.skip_space();
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            let text = self.quoted(quote)?;
            self.skip_space();
            return Ok(text);
        }
        let mut text = self.text(ends)?;
        if let Some(Part::Literal(last)) = text.0.last_mut() {
            last.truncate(last.trim_end().len());
        }
        Ok(text)
    }

    fn quoted(&mut self, quote: char) -> Result<Text, InvalidVariable> {
        let start = self.position();
        self.skip(1);
        let text = self.text(&|c| c == quote)?;
        match self.chars.next() {
            Some(_) => Ok(text),
            None => Err(self.open(start)),
        }
    }

    fn open(&self, start: usize) -> InvalidVariable {
        InvalidVariable::Open(first_words(self.text.get(start..).unwrap_or_default()))
    }
}

fn first_words(text: &str) -> String {
    text.chars().take_while(|c| *c != '\n').take(40).collect()
}

fn literal(word: &str) -> Option<Value> {
    match word {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        "null" => Some(Value::Null),
        _ => word.parse::<Number>().ok().map(Value::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn named(name: &str, params: &[&str], address: Option<&str>) -> Source {
        let text = |s: &str| Text(vec![Part::Literal(s.into())]);
        Source::Named {
            name: name.into(),
            params: params.iter().map(|p| text(p)).collect(),
            address: address.map(text),
        }
    }

    fn only_variable(text: &str) -> Variable {
        match parse(text).unwrap().0.as_slice() {
            [Part::Variable(variable)] => variable.clone(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn sources_have_params_addresses_and_fallbacks() {
        let quoted = |s: &str| Source::Quoted(Text(vec![Part::Literal(s.into())]));
        let cases = [
            ("${self:a.b.0}", vec![named("self", &[], Some("a.b.0"))]),
            (
                "${opt:stage, self:provider.stage , 'dev'}",
                vec![
                    named("opt", &[], Some("stage")),
                    named("self", &[], Some("provider.stage")),
                    quoted("dev"),
                ],
            ),
            (
                "${file(./a b.yml, \"x\"):c.d}",
                vec![named("file", &["./a b.yml", "x"], Some("c.d"))],
            ),
            ("${file(a.txt)}", vec![named("file", &["a.txt"], None)]),
            ("${strToBool(true)}", vec![named("strToBool", &["true"], None)]),
            (
                "${env:A, 1.5, true, null}",
                vec![
                    named("env", &[], Some("A")),
                    Source::Literal(json!(1.5)),
                    Source::Literal(json!(true)),
                    Source::Literal(Value::Null),
                ],
            ),
            (
                "${env:A,''}",
                vec![named("env", &[], Some("A")), Source::Quoted(Text(vec![]))],
            ),
            ("${self:'a,b'}", vec![named("self", &[], Some("a,b"))]),
        ];
        for (text, expected) in cases {
            assert_eq!(only_variable(text).sources, expected, "{text}");
        }
    }

    #[test]
    fn variables_nest_in_params_addresses_and_fallbacks() {
        let variable = only_variable("${file(./c.${opt:stage, 'dev'}.yml):${self:k}.x, ${env:B}}");
        let [
            Source::Named {
                params,
                address: Some(address),
                ..
            },
            Source::Nested(nested),
        ] = variable.sources.as_slice()
        else {
            panic!("{variable:?}")
        };
        assert!(params[0].has_variables() && address.has_variables());
        assert_eq!(nested.written, "${env:B}");
    }

    #[test]
    fn what_belongs_to_cloudformation_stays() {
        for text in [
            "${AWS::Region}",
            "${Topic.Arn}",
            "${foo}",
            "${aws::x}",
            "$ {self:x}",
            "${}",
            "${",
            "a\\b",
            "${self.x}",
        ] {
            assert_eq!(
                parse(text).unwrap(),
                Text(vec![Part::Literal(text.into())]),
                "{text}"
            );
        }
    }

    #[test]
    fn backslashes_escape_and_halve_before_variables_only() {
        let literal = |s: &str| Part::Literal(s.to_owned());
        assert_eq!(parse(r"\${self:x}").unwrap().0, [literal("${self:x}")]);
        assert_eq!(parse(r"\\\${self:x}").unwrap().0, [literal(r"\${self:x}")]);
        assert_eq!(parse(r"\\${self:x}").unwrap().0[0], literal("\\"));
        assert_eq!(parse(r"\\n\${AWS::X}").unwrap().0, [literal(r"\\n\${AWS::X}")]);
    }

    #[test]
    fn broken_variables_are_named() {
        let cases = [
            ("${self:a", "variable `${self:a` is not closed"),
            ("${opt:stage, dev}", "`dev` is neither a source nor a literal"),
            ("${file(a", "variable `(a` is not closed"),
            ("${env:X, 'y}", "variable `'y}` is not closed"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
