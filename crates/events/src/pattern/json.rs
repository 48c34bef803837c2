//! JSON that remembers where it stood, because what AWS says about a wrong pattern names line and column.
//!
//! The places are those that Jackson's reader has reached when AWS's compiler looks at a value: behind the
//! opening bracket of an object or array, behind the opening quote of a string, behind a number or word.

use super::{InvalidPattern, Place};

/// Objects and arrays inside one another. More is refused, before the stack ends.
const MAX_DEPTH: usize = 100;

/// A value and its places.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Where the reader is when it has seen what kind of value it is.
    pub(crate) start: Place,
    /// Where it ends.
    pub(crate) end: Place,
}

/// A JSON value; objects keep the order of their members, and members that are there twice.
#[derive(Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Reads one JSON value that fills `source`.
pub(crate) fn read(source: &str) -> Result<Node, InvalidPattern> {
    let mut reader = Reader::new(source);
    let node = reader.value(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(node),
        Some(other) => Err(reader.unexpected(other, "end-of-input")),
    }
}

struct Reader<'a> {
    source: &'a str,
    rest: std::str::Chars<'a>,
    place: Place,
}

impl<'a> Reader<'a> {
    fn new(source: &'a str) -> Self {
        Self {
            source,
            rest: source.chars(),
            place: Place::START,
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn bump(&mut self) {
        match self.rest.next() {
            Some('\n') => {
                self.place.line += 1;
                self.place.column = 1;
            }
            Some(_) => self.place.column += 1,
            None => {}
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\r' | '\n')) {
            self.bump();
        }
    }

    fn error(&self, reason: impl Into<String>) -> InvalidPattern {
        InvalidPattern {
            no_json: true,
            ..InvalidPattern::at(self.source, self.place, reason)
        }
    }

    fn unexpected(&self, found: char, expected: &str) -> InvalidPattern {
        let code = u32::from(found);
        self.error(format!(
            "Unexpected character ('{found}' (code {code})): was expecting {expected}"
        ))
    }

    /// Takes `wanted`, or says what is there instead.
    fn take(&mut self, wanted: char, expected: &str) -> Result<(), InvalidPattern> {
        self.skip_space();
        match self.peek() {
            Some(found) if found == wanted => {
                self.bump();
                Ok(())
            }
            Some(found) => Err(self.unexpected(found, expected)),
            None => Err(self.error("Unexpected end-of-input")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, InvalidPattern> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("The pattern is nested more than {MAX_DEPTH} deep")));
        }
        self.skip_space();
        match self.peek() {
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some('"') => {
                let (text, start) = self.text()?;
                Ok(self.node(Kind::Text(text), start))
            }
            Some(_) => self.word(),
            None => Err(self.error("Unexpected end-of-input")),
        }
    }

    fn node(&self, kind: Kind, start: Place) -> Node {
        Node {
            kind,
            start,
            end: self.place,
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node, InvalidPattern> {
        self.bump();
        let start = self.place;
        let mut members = Vec::new();
        self.skip_space();
        if self.peek() == Some('}') {
            self.bump();
            return Ok(self.node(Kind::Object(members), start));
        }
        loop {
            self.skip_space();
            match self.peek() {
                Some('"') => {}
                Some(other) => return Err(self.unexpected(other, "double-quote to start field name")),
                None => return Err(self.error("Unexpected end-of-input")),
            }
            let (name, _) = self.text()?;
            self.take(':', "a colon to separate field name and value")?;
            members.push((name, self.value(depth + 1)?));
            if self.closes('}', "comma to separate Object entries")? {
                return Ok(self.node(Kind::Object(members), start));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Node, InvalidPattern> {
        self.bump();
        let start = self.place;
        let mut elements = Vec::new();
        self.skip_space();
        if self.peek() == Some(']') {
            self.bump();
            return Ok(self.node(Kind::Array(elements), start));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            if self.closes(']', "comma to separate Array entries")? {
                return Ok(self.node(Kind::Array(elements), start));
            }
        }
    }

    /// After a member: takes the closing bracket (true) or a comma (false).
    fn closes(&mut self, bracket: char, expected: &str) -> Result<bool, InvalidPattern> {
        self.skip_space();
        if self.peek() == Some(bracket) {
            self.bump();
            return Ok(true);
        }
        self.take(',', expected)?;
        Ok(false)
    }

    /// A string, and the place behind its opening quote.
    fn text(&mut self) -> Result<(String, Place), InvalidPattern> {
        let begin = self.rest.as_str();
        self.bump();
        let start = self.place;
        let mut escaped = false;
        loop {
            match self.peek() {
                None => {
                    return Err(self.error("Unexpected end-of-input: expected closing quote for a string"));
                }
                Some('"') if !escaped => break,
                Some(found) => escaped = found == '\\' && !escaped,
            }
            self.bump();
        }
        self.bump();
        self.decode(begin).map(|text| (text, start))
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Node, InvalidPattern> {
        let begin = self.rest.as_str();
        let first = self.peek().unwrap_or_default();
        while self
            .peek()
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '+' | '.' | '_' | '$'))
        {
            self.bump();
        }
        let text = self.since(begin);
        let kind = match text {
            "" => return Err(self.unexpected(first, "a valid value")),
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            _ if first == '-' || first.is_ascii_digit() => Kind::Number(self.decode(begin)?),
            _ => {
                return Err(self.error(format!(
                    "Unrecognized token '{text}': was expecting (JSON String, Number, Array, Object or token \
                     'null', 'true' or 'false')"
                )));
            }
        };
        Ok(self.node(kind, self.place))
    }

    /// What was read since the rest was `begin`.
    fn since(&self, begin: &'a str) -> &'a str {
        let length = begin.len() - self.rest.as_str().len();
        begin.get(..length).unwrap_or_default()
    }

    /// The value of the string or number that was read since the rest was `begin`.
    fn decode<T: serde::de::DeserializeOwned>(&self, begin: &'a str) -> Result<T, InvalidPattern> {
        let token = self.since(begin);
        serde_json::from_str(token).map_err(|error| self.error(format!("{token} is not valid JSON: {error}")))
    }
}
