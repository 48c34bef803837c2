//! Matches one conjunction against an event, from the root of both.

use serde_json::Value;

use super::Conjunction;
use super::matcher::Matcher;
use super::value::Scalar;

/// A conjunction in the shape of the events it matches.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// What a value here must match; empty if nothing is asked of it.
    matchers: Vec<Matcher>,
    /// Nothing is allowed as a value here.
    absent: bool,
    /// Whether a value is needed here or below.
    needed: bool,
    below: Vec<(Box<str>, Tree)>,
}

impl Tree {
    pub(super) fn of(conjunction: &Conjunction) -> Self {
        let mut root = Self::default();
        for field in conjunction {
            let absent = field.matchers.contains(&Matcher::Absent);
            let mut node = &mut root;
            node.needed |= !absent;
            for name in &field.path {
                node = node.child(name);
                node.needed |= !absent;
            }
            if absent {
                node.absent = true;
            } else {
                node.matchers.clone_from(&field.matchers);
            }
        }
        root
    }

    fn child(&mut self, name: &str) -> &mut Self {
        let at = match self.below.iter().position(|(there, _)| **there == *name) {
            Some(at) => at,
            None => {
                self.below.push((name.into(), Self::default()));
                self.below.len() - 1
            }
        };
        &mut self.below[at].1
    }

    pub(super) fn matches(&self, value: &Value) -> bool {
        match value {
            // One element must have all that is needed; if nothing is, none may have what must not be.
            Value::Array(elements) if self.needed => elements.iter().any(|element| self.matches(element)),
            Value::Array(elements) => elements.iter().all(|element| self.matches(element)),
            Value::Object(members) => {
                self.matchers.is_empty()
                    && self.below.iter().all(|(name, child)| match members.get(&**name) {
                        Some(value) => child.matches(value),
                        None => !child.needed,
                    })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => self.matches_leaf(value),
        }
    }

    fn matches_leaf(&self, value: &Value) -> bool {
        let matched = || {
            let value = Scalar::of(value);
            value.is_some_and(|value| self.matchers.iter().any(|matcher| matcher.matches(&value)))
        };
        !self.absent
            && self.below.iter().all(|(_, child)| !child.needed)
            && (self.matchers.is_empty() || matched())
    }
}
