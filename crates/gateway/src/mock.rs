//! The mock integration of REST APIs, as far as CORS preflights need it: a fixed status and headers,
//! and an `Access-Control-Allow-Origin` that follows the caller's origin.

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::reply::Reply;

/// What a mock integration answers.
#[derive(Clone, Debug)]
pub struct MockReply {
    /// The status.
    pub status: StatusCode,
    /// The mapped headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// When the request's origin matches one of these, it becomes `Access-Control-Allow-Origin`.
    pub origins: Vec<OriginPattern>,
}

impl MockReply {
    pub(crate) fn answer(&self, request: &HeaderMap) -> Reply {
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 1);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        if let Some(origin) = request.get(ORIGIN).filter(|origin| self.allows(origin)) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        Reply {
            status: self.status,
            headers,
            body: Bytes::new(),
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        origin
            .to_str()
            .is_ok_and(|origin| self.origins.iter().any(|pattern| pattern.matches(origin)))
    }
}

/// An origin with wildcards, in the form the response template of a CORS preflight has it: a
/// regular expression of literal text, `[.]`, `.*` and `.+`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    start: Box<str>,
    /// Each: how many characters at least stand before the text, and the text.
    rest: Vec<(usize, Box<str>)>,
}

/// A regular expression that is more than an origin with wildcards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an origin with wildcards")]
pub struct InvalidOriginPattern(Box<str>);

impl OriginPattern {
    /// Reads the regular expression.
    ///
    /// # Errors
    /// When it has more than literal text, `[.]`, `\.`, `.*` and `.+`.
    pub fn from_regex(regex: &str) -> Result<Self, InvalidOriginPattern> {
        let invalid = || InvalidOriginPattern(regex.into());
        let mut texts = vec![(0, String::new())];
        let mut rest = regex;
        while let Some(first) = rest.chars().next() {
            let (token, length) = token(rest).ok_or_else(invalid)?;
            match token {
                Token::Literal(text) => last(&mut texts).push(text.unwrap_or(first)),
                Token::Wildcard(least) => texts.push((least, String::new())),
            }
            rest = rest.get(length..).ok_or_else(invalid)?;
        }
        let mut texts = texts
            .into_iter()
            .map(|(least, text)| (least, text.into_boxed_str()));
        let start = texts.next().map(|(_, text)| text).unwrap_or_default();
        Ok(Self {
            start,
            rest: texts.collect(),
        })
    }

    /// Whether the whole of `origin` matches.
    #[must_use]
    pub fn matches(&self, origin: &str) -> bool {
        let Some(mut left) = origin.strip_prefix(&*self.start) else {
            return false;
        };
        let Some(((least, end), middle)) = self.rest.split_last() else {
            return left.is_empty();
        };
        for (least, text) in middle {
            let Some(found) = left.get(*least..).and_then(|left| left.split_once(&**text)) else {
                return false;
            };
            left = found.1;
        }
        left.strip_suffix(&**end).is_some_and(|left| left.len() >= *least)
    }
}

enum Token {
    /// A character; none means the one that is read.
    Literal(Option<char>),
    Wildcard(usize),
}

fn token(rest: &str) -> Option<(Token, usize)> {
    for (text, token) in [
        ("[.]", Token::Literal(Some('.'))),
        ("\\.", Token::Literal(Some('.'))),
        (".+", Token::Wildcard(1)),
        (".*", Token::Wildcard(0)),
    ] {
        if rest.starts_with(text) {
            return Some((token, text.len()));
        }
    }
    let first = rest.chars().next()?;
    let special = "[](){}|^$*+?\\.".contains(first);
    (!special).then(|| (Token::Literal(None), first.len_utf8()))
}

fn last(texts: &mut [(usize, String)]) -> &mut String {
    let (_, text) = texts
        .last_mut()
        .expect("the list starts with one text and only grows");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_origins() {
        for (regex, origin, expected) in [
            ("https://shop[.]example", "https://shop.example", true),
            ("https://shop[.]example", "https://shopxexample", false),
            ("https://shop[.]example", "https://shop.example.evil", false),
            ("https://.+[.]shop", "https://a.b.shop", true),
            ("https://.+[.]shop", "https://.shop", false),
            (".*", "anything", true),
            ("http://localhost:.+", "http://localhost:3000", true),
            ("http://localhost:.+", "http://localhost:", false),
        ] {
            let pattern = OriginPattern::from_regex(regex).unwrap();
            assert_eq!(pattern.matches(origin), expected, "{regex} {origin}");
        }
    }

    #[test]
    fn other_regular_expressions_are_refused() {
        for regex in ["a|b", "^a", "a.", "(a)", "[ab]", "a?"] {
            assert!(OriginPattern::from_regex(regex).is_err(), "{regex}");
        }
    }

    #[test]
    fn the_callers_origin_replaces_the_fixed_one_when_it_matches() {
        let mock = MockReply {
            status: StatusCode::OK,
            headers: vec![(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://a"))],
            origins: vec![OriginPattern::from_regex("https://b").unwrap()],
        };
        for (origin, answered) in [("https://b", "https://b"), ("https://c", "https://a")] {
            let mut request = HeaderMap::new();
            request.insert(ORIGIN, HeaderValue::from_static(origin));
            assert_eq!(
                mock.answer(&request).headers[ACCESS_CONTROL_ALLOW_ORIGIN],
                answered
            );
        }
    }
}
