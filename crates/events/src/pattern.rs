//! Event patterns: which events a rule, a pipe or an event source mapping is for.
//!
//! A pattern has the shape of the events it matches, with the alternatives of each value in an array:
//! `{"source": ["shop"], "detail": {"total": [{"numeric": [">", 100]}]}}`. All operators that EventBridge
//! documents are here (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>),
//! with its rules for arrays: a value that is an array matches if one of its elements does, and fields
//! below an array of objects must match within one and the same element.
//!
//! `exists` speaks of leaves, as AWS documents: an object, and an empty array, does not exist as a value.
//!
//! [`Pattern`] is one pattern, [`RuleSet`] very many of them at once.
//!
//! # Invariants
//! - A pattern is a disjunction of conjunctions ([`Conjunction`]) of at most [`MAX_CONJUNCTIONS`], so `$or`
//!   cannot make a short text expensive.
//! - Matching one event takes time in proportion to event × pattern and not more: arrays are not searched
//!   for combinations of elements.

mod compile;
pub(crate) mod json;
pub(crate) mod matcher;
mod rule_set;
mod tree;
pub(crate) mod value;

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use rule_set::RuleSet;

use matcher::Matcher;
use tree::Tree;

/// Combinations of the branches of a pattern's `$or`s, as EventBridge limits them.
pub const MAX_CONJUNCTIONS: usize = 1000;

/// An event pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Each in the order of its fields' costs, the cheapest first.
    conjunctions: Vec<Conjunction>,
    /// One for each conjunction.
    trees: Vec<Tree>,
}

/// Fields that must all match.
pub(crate) type Conjunction = Vec<Field>;

/// A field of a pattern: one of its values must match, or (the only matcher is [`Matcher::Absent`]) there
/// must be none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Field {
    /// The names that lead to it.
    pub(crate) path: Vec<Box<str>>,
    /// Alternatives.
    pub(crate) matchers: Vec<Matcher>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in AWS's words, and where.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let conjunctions = compile::compile(text)?;
        Ok(Self {
            trees: conjunctions.iter().map(Tree::of).collect(),
            conjunctions,
        })
    }

    /// Whether the event is one of those.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.trees.iter().any(|tree| tree.matches(event))
    }

    pub(crate) fn conjunctions(&self) -> &[Conjunction] {
        &self.conjunctions
    }
}

/// A place in a text: line and column from 1, as AWS's messages name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    const START: Self = Self { line: 1, column: 1 };
}

/// What is wrong with a pattern.
///
/// As text it is what EventBridge answers: `Event pattern is not valid. Reason: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Event pattern is not valid. Reason: {reason}")]
pub struct InvalidPattern {
    reason: String,
    /// Whether it is not even JSON.
    no_json: bool,
}

/// So much of the pattern AWS's reader repeats in its message, in bytes.
const MAX_REPEATED: usize = 500;

impl InvalidPattern {
    /// What is wrong and, mostly, where.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub(crate) fn is_no_json(&self) -> bool {
        self.no_json
    }

    /// Of something that AWS says without a place.
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            no_json: false,
        }
    }

    fn at(source: &str, place: Place, reason: impl Into<String>) -> Self {
        let Place { line, column } = place;
        let shown = source.floor_char_boundary(MAX_REPEATED);
        let (shown, cut) = source.split_at(shown);
        let cut = match cut.chars().count() {
            0 => String::new(),
            cut => format!("[truncated {cut} chars]"),
        };
        let reason = reason.into();
        Self::new(format!(
            "{reason}\n at [Source: (String)\"{shown}\"{cut}; line: {line}, column: {column}]"
        ))
    }
}
