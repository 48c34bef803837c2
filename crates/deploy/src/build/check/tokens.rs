//! JavaScript's tokens, as far as finding imports needs them: words, strings and single characters.

/// One token and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// From 1.
    pub(super) line: u32,
    /// From 1.
    pub(super) column: u32,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier, keyword or number.
    Word(String),
    /// A quoted string, or a template without insertions.
    String(String),
    /// A regular expression, or a template with insertions.
    Other,
    /// Any other character.
    Sign(char),
}

impl Token {
    /// The word, if it is one.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::String(_) | Kind::Other | Kind::Sign(_) => None,
        }
    }

    /// Whether it is this character.
    pub(super) fn is(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }
}

/// The tokens of `text`; a text that ends in the middle of one ends there.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        at: 0,
        line: 1,
        column: 1,
        braces: 0,
        insertions: Vec::new(),
        found: Vec::new(),
    };
    while lexer.token() {}
    lexer.found
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: u32,
    column: u32,
    braces: usize,
    /// The depth of braces at which each open `${` of a template ends.
    insertions: Vec<usize>,
    found: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    /// Reads one token or one piece of what lies between; false at the end.
    fn token(&mut self) -> bool {
        let Some(c) = self.peek(0) else {
            return false;
        };
        let (line, column) = (self.line, self.column);
        let kind = match (c, self.peek(1)) {
            (c, _) if c.is_whitespace() => {
                self.bump();
                return true;
            }
            ('/', Some('/')) => return self.skip_until("\n"),
            ('#', Some('!')) if self.at == 0 => return self.skip_until("\n"),
            ('/', Some('*')) => return self.skip_until("*/"),
            ('"' | '\'', _) => Kind::String(self.string(c)),
            ('`', _) => {
                self.bump();
                self.template()
            }
            ('/', _) if self.regex_may_start() => self.regex(),
            (c, _) if is_word(c) => self.word(),
            _ => self.sign(),
        };
        self.found.push(Token { kind, line, column });
        true
    }

    fn skip_until(&mut self, end: &str) -> bool {
        let mut last = '\0';
        while let Some(c) = self.bump() {
            if end == "\n" && c == '\n' || end == "*/" && last == '*' && c == '/' {
                break;
            }
            last = c;
        }
        true
    }

    fn string(&mut self, quote: char) -> String {
        self.bump();
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                _ if c == quote => break,
                '\n' => break,
                '\\' => text.extend(self.bump()),
                _ => text.push(c),
            }
        }
        text
    }

    /// The rest of a template, up to its end or the insertion it stops for.
    fn template(&mut self) -> Kind {
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                '`' => return Kind::String(text),
                '\\' => text.extend(self.bump()),
                '$' if self.peek(0) == Some('{') => {
                    self.bump();
                    self.insertions.push(self.braces);
                    return Kind::Other;
                }
                _ => text.push(c),
            }
        }
        Kind::Other
    }

    fn regex(&mut self) -> Kind {
        self.bump();
        let mut in_class = false;
        while let Some(c) = self.bump() {
            match c {
                '\\' => {
                    self.bump();
                }
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => break,
                '\n' => break,
                _ => {}
            }
        }
        Kind::Other
    }

    /// A slash divides after a value and opens a regular expression after anything else.
    fn regex_may_start(&self) -> bool {
        match self.found.last().map(|token| &token.kind) {
            None => true,
            Some(Kind::Word(word)) => {
                matches!(
                    word.as_str(),
                    "return" | "typeof" | "case" | "in" | "of" | "void" | "await" | "do" | "else"
                )
            }
            Some(Kind::String(_) | Kind::Other) => false,
            Some(Kind::Sign(sign)) => !matches!(sign, ')' | ']' | '}'),
        }
    }

    fn word(&mut self) -> Kind {
        let mut word = String::new();
        while let Some(c) = self.peek(0).filter(|c| is_word(*c)) {
            word.push(c);
            self.bump();
        }
        Kind::Word(word)
    }

    fn sign(&mut self) -> Kind {
        let sign = self.bump().unwrap_or('\0');
        match sign {
            '{' => self.braces += 1,
            '}' if self.insertions.last() == Some(&self.braces) => {
                self.insertions.pop();
                return self.template();
            }
            '}' => self.braces = self.braces.saturating_sub(1),
            _ => {}
        }
        Kind::Sign(sign)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let shown: Vec<String> = tokens(text)
            .into_iter()
            .map(|token| match token.kind {
                Kind::Word(word) => word,
                Kind::String(text) => format!("'{text}'"),
                Kind::Other => "~".to_owned(),
                Kind::Sign(sign) => sign.to_string(),
            })
            .collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn strings_and_comments() {
        check("a 'b\\'c' // d\n/* e */ \"f\"", &["a", "'b'c'", "'f'"]);
        check("#!/usr/bin/env node\nx", &["x"]);
    }

    #[test]
    fn templates_with_insertions_nest() {
        check("`a` b", &["'a'", "b"]);
        check(
            "`x${ {y: `z${1}`} }w` end",
            &["~", "{", "y", ":", "~", "1", "''", "}", "'w'", "end"],
        );
    }

    #[test]
    fn slashes_divide_or_open_expressions() {
        check("a / b / c", &["a", "/", "b", "/", "c"]);
        check("x = /[/'\"]/g; y", &["x", "=", "~", "g", ";", "y"]);
        check("return /'/", &["return", "~"]);
    }

    #[test]
    fn an_unfinished_text_ends() {
        check("a 'b", &["a", "'b'"]);
        check("a `b ${c", &["a", "~", "c"]);
        check("a /* b", &["a"]);
    }
}
