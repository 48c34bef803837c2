//! Conditions on values, joined with `&&` and `||`: what patterns of fields and of JSON have in common.

use super::InvalidFilterPattern;
use super::cursor::Cursor;
use super::text::{Regex, Wildcard};

/// How deep parentheses may be nested.
const MAX_DEPTH: usize = 32;

/// A condition on values that an `S` selects.
#[derive(Clone, Debug)]
pub(super) enum Expression<S> {
    All(Vec<Self>),
    Any(Vec<Self>),
    Is(S, Test),
}

/// What a value has to be.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Equal(Wanted),
    NotEqual(Wanted),
    Less(f64),
    LessOrEqual(f64),
    Greater(f64),
    GreaterOrEqual(f64),
    IsNull,
    IsTrue,
    IsFalse,
    NotExists,
}

/// What a value is compared with.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Number(f64, Box<str>),
    Text(Wildcard),
    Regex(Regex),
}

/// What a selector finds in a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found<'a> {
    Missing,
    Null,
    Bool(bool),
    Number(f64, String),
    /// A string of JSON.
    Text(&'a str),
    /// A field between spaces, which may be meant as a number.
    Word(&'a str),
    /// An object or a list.
    Composite,
}

impl<S> Expression<S> {
    /// Reads as much as there is of an expression; `selector` reads what a condition begins with.
    pub(super) fn parse(
        cursor: &mut Cursor<'_>,
        selector: &impl Fn(&mut Cursor<'_>) -> Result<S, InvalidFilterPattern>,
    ) -> Result<Self, InvalidFilterPattern> {
        Self::any(cursor, selector, 0)
    }

    fn any(
        cursor: &mut Cursor<'_>,
        selector: &impl Fn(&mut Cursor<'_>) -> Result<S, InvalidFilterPattern>,
        depth: usize,
    ) -> Result<Self, InvalidFilterPattern> {
        let mut parts = vec![Self::all(cursor, selector, depth)?];
        while cursor.take("||") {
            parts.push(Self::all(cursor, selector, depth)?);
        }
        Ok(Self::Any(parts))
    }

    fn all(
        cursor: &mut Cursor<'_>,
        selector: &impl Fn(&mut Cursor<'_>) -> Result<S, InvalidFilterPattern>,
        depth: usize,
    ) -> Result<Self, InvalidFilterPattern> {
        let mut parts = vec![Self::one(cursor, selector, depth)?];
        while cursor.take("&&") {
            parts.push(Self::one(cursor, selector, depth)?);
        }
        Ok(Self::All(parts))
    }

    fn one(
        cursor: &mut Cursor<'_>,
        selector: &impl Fn(&mut Cursor<'_>) -> Result<S, InvalidFilterPattern>,
        depth: usize,
    ) -> Result<Self, InvalidFilterPattern> {
        cursor.skip_spaces();
        let part = if cursor.take("(") {
            if depth == MAX_DEPTH {
                let text = format!("parentheses are nested more than {MAX_DEPTH} deep");
                return Err(InvalidFilterPattern(text));
            }
            let inner = Self::any(cursor, selector, depth + 1)?;
            cursor.expect(")")?;
            inner
        } else {
            let selected = selector(cursor)?;
            cursor.skip_spaces();
            Self::Is(selected, test(cursor)?)
        };
        cursor.skip_spaces();
        Ok(part)
    }

    /// Whether it holds for what `find` finds.
    pub(super) fn holds<'a>(&self, find: &impl Fn(&S) -> Found<'a>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(find)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(find)),
            Self::Is(selector, test) => test.holds(&find(selector)),
        }
    }

    /// Hands on every selector.
    pub(super) fn each_selector<'s>(&'s self, see: &mut impl FnMut(&'s S)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_selector(see)),
            Self::Is(selector, _) => see(selector),
        }
    }
}

fn test(cursor: &mut Cursor<'_>) -> Result<Test, InvalidFilterPattern> {
    if cursor.take_word("IS") {
        cursor.skip_spaces();
        for (word, test) in [
            ("NULL", Test::IsNull),
            ("TRUE", Test::IsTrue),
            ("FALSE", Test::IsFalse),
        ] {
            if cursor.take_word(word) {
                return Ok(test);
            }
        }
        let text = format!("`NULL`, `TRUE` or `FALSE` expected {}", cursor.place());
        return Err(InvalidFilterPattern(text));
    }
    if cursor.take_word("NOT") {
        cursor.skip_spaces();
        if cursor.take_word("EXISTS") {
            return Ok(Test::NotExists);
        }
        let text = format!("`EXISTS` expected {}", cursor.place());
        return Err(InvalidFilterPattern(text));
    }
    comparison(cursor)
}

fn comparison(cursor: &mut Cursor<'_>) -> Result<Test, InvalidFilterPattern> {
    // the longer ones first
    const OPERATORS: [&str; 6] = ["!=", "<=", ">=", "=", "<", ">"];
    let operator = OPERATORS.into_iter().find(|operator| cursor.take(operator));
    let Some(operator) = operator else {
        let text = format!("a comparison expected {}", cursor.place());
        return Err(InvalidFilterPattern(text));
    };
    cursor.skip_spaces();
    let wanted = wanted(cursor)?;
    let number = || match &wanted {
        Wanted::Number(number, _) => Ok(*number),
        Wanted::Text(_) | Wanted::Regex(_) => Err(InvalidFilterPattern(format!(
            "`{operator}` compares numbers only"
        ))),
    };
    Ok(match operator {
        "!=" => Test::NotEqual(wanted),
        "<=" => Test::LessOrEqual(number()?),
        ">=" => Test::GreaterOrEqual(number()?),
        "<" => Test::Less(number()?),
        ">" => Test::Greater(number()?),
        _ => Test::Equal(wanted),
    })
}

fn wanted(cursor: &mut Cursor<'_>) -> Result<Wanted, InvalidFilterPattern> {
    if cursor.take("\"") {
        return Ok(Wanted::Text(Wildcard::new(&cursor.quoted()?)));
    }
    if cursor.take("%") {
        return Ok(Wanted::Regex(cursor.regex()?));
    }
    let word = cursor.take_until(|c| c.is_whitespace() || "()[]{},&|=<>!\"%".contains(c));
    if word.is_empty() {
        let text = format!("a value expected {}", cursor.place());
        return Err(InvalidFilterPattern(text));
    }
    // not `inf` and `nan`, which are words
    let number = word.parse::<f64>().ok().filter(|_| is_numeral(word));
    Ok(match number {
        Some(number) => Wanted::Number(number, word.into()),
        None => Wanted::Text(Wildcard::new(word)),
    })
}

fn is_numeral(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && word.contains(|c: char| c.is_ascii_digit())
}

impl Test {
    fn holds(&self, found: &Found<'_>) -> bool {
        match self {
            Self::Equal(wanted) => wanted.equals(found),
            Self::NotEqual(wanted) => *found != Found::Missing && !wanted.equals(found),
            Self::Less(limit) => found.number().is_some_and(|number| number < *limit),
            Self::LessOrEqual(limit) => found.number().is_some_and(|number| number <= *limit),
            Self::Greater(limit) => found.number().is_some_and(|number| number > *limit),
            Self::GreaterOrEqual(limit) => found.number().is_some_and(|number| number >= *limit),
            Self::IsNull => *found == Found::Null,
            Self::IsTrue => *found == Found::Bool(true),
            Self::IsFalse => *found == Found::Bool(false),
            Self::NotExists => *found == Found::Missing,
        }
    }
}

impl Wanted {
    #[expect(
        clippy::float_cmp,
        reason = "both numbers were read from decimal text; equal text gives equal numbers"
    )]
    fn equals(&self, found: &Found<'_>) -> bool {
        match (self, found) {
            (_, Found::Missing | Found::Null) => false,
            (Self::Text(text), Found::Composite) => text.is_anything(),
            (_, Found::Composite) => false,
            (Self::Number(wanted, text), found) => match found.number() {
                Some(number) => number == *wanted,
                None => found.with_text(|found| found == &**text),
            },
            (Self::Text(text), found) => found.with_text(|found| text.matches(found)),
            (Self::Regex(regex), found) => found.with_text(|found| regex.is_match(found)),
        }
    }
}

impl Found<'_> {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number, _) => Some(*number),
            Self::Word(word) => word.parse().ok().filter(|_| is_numeral(word)),
            Self::Missing | Self::Null | Self::Bool(_) | Self::Text(_) | Self::Composite => None,
        }
    }

    fn with_text(&self, test: impl FnOnce(&str) -> bool) -> bool {
        match self {
            Self::Text(text) | Self::Word(text) => test(text),
            Self::Number(_, text) => test(text),
            Self::Bool(true) => test("true"),
            Self::Bool(false) => test("false"),
            Self::Missing | Self::Null | Self::Composite => false,
        }
    }
}
