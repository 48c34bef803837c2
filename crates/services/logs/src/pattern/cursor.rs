//! Reading a pattern from left to right.

use super::InvalidFilterPattern;
use super::text::Regex;

/// What is left of a pattern.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a str,
    /// Regular expressions seen; AWS allows two in a pattern.
    regexes: usize,
}

const MAX_REGEXES: usize = 2;

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            regexes: 0,
        }
    }

    pub(super) fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes `token` if it comes next.
    pub(super) fn take(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else {
            return false;
        };
        self.rest = rest;
        true
    }

    /// Takes a word in any case, if a space or the end follows it.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let Some((head, rest)) = self.rest.split_at_checked(word.len()) else {
            return false;
        };
        let ends = rest.is_empty() || rest.starts_with(|c: char| !c.is_alphanumeric() && c != '_');
        if !ends || !head.eq_ignore_ascii_case(word) {
            return false;
        }
        self.rest = rest;
        true
    }

    pub(super) fn expect(&mut self, token: &str) -> Result<(), InvalidFilterPattern> {
        if self.take(token) {
            return Ok(());
        }
        Err(InvalidFilterPattern(format!(
            "`{token}` expected {}",
            self.place()
        )))
    }

    /// Takes what comes before the first character that `ends` it.
    pub(super) fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (head, rest) = self.rest.split_at(end);
        self.rest = rest;
        head
    }

    /// After an opening quote: the text up to the closing one, with `\"` and `\\` resolved.
    pub(super) fn quoted(&mut self) -> Result<String, InvalidFilterPattern> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = self.rest.split_at(at + 1).1;
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                other => text.push(other),
            }
        }
        Err(InvalidFilterPattern("a quotation mark is not closed".into()))
    }

    /// After an opening `%`: the expression up to the closing one.
    pub(super) fn regex(&mut self) -> Result<Regex, InvalidFilterPattern> {
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            let text = format!("there are more than {MAX_REGEXES} regular expressions");
            return Err(InvalidFilterPattern(text));
        }
        let body = self.take_until(|c| c == '%');
        self.expect("%")?;
        Regex::parse(body)
    }

    /// Where it stopped, for errors.
    pub(super) fn place(&self) -> String {
        if self.rest.is_empty() {
            return "at the end".into();
        }
        let near: String = self.rest.chars().take(20).collect();
        format!("at `{near}`")
    }
}
