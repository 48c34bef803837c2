//! Very many patterns at once.
//!
//! The conjunctions of all patterns are a tree: from a state one goes on to another if a field matches, and
//! conjunctions that begin alike share states. A state finds the fields that match in indexes ([`branch`]),
//! so an event costs what matches of it, and not the rules that are there. Within a conjunction the fields
//! that tell events apart best come first.
//!
//! The tree looks at an event as a list of leaves. That is all there is to an event unless it has arrays of
//! objects or arrays, where fields must match within one element: then what the tree finds are candidates,
//! and each is asked again as a [`Pattern`].
//!
//! # Invariants
//! - Every state but the first has one parent, so no state is entered twice for one event.
//! - States only grow; once most of what was inserted has been removed again, all is built anew.

mod branch;
mod ends;
mod event;
mod few;
mod layers;
mod paths;
mod ranges;
mod wildcards;

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use self::branch::Branch;
use self::event::Event;
use self::few::Few;
use self::paths::Paths;
use super::matcher::Matcher;
use super::value::Scalar;
use super::{Conjunction, Pattern};

/// So many rules are removed before building anew is considered.
const FEW: usize = 64;

/// Rules by keys of type `K`, and which of them match an event.
#[derive(Clone, Debug)]
pub struct RuleSet<K> {
    keys: BTreeMap<K, usize>,
    /// By their numbers; those that were removed leave gaps.
    rules: Vec<Option<Rule<K>>>,
    index: Index,
}

#[derive(Clone, Debug)]
struct Rule<K> {
    key: K,
    pattern: Pattern,
    /// The states that its conjunctions end in.
    ends: Vec<usize>,
}

impl<K> Default for RuleSet<K> {
    fn default() -> Self {
        Self {
            keys: BTreeMap::new(),
            rules: Vec::new(),
            index: Index::default(),
        }
    }
}

impl<K: Ord + Clone> RuleSet<K> {
    /// No rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds a rule, or replaces the one with this key.
    pub fn insert(&mut self, key: K, pattern: Pattern) {
        self.remove(&key);
        let number = self.rules.len();
        let ends = pattern.conjunctions().iter();
        let ends = ends
            .map(|conjunction| self.index.insert(conjunction, number))
            .collect();
        self.keys.insert(key.clone(), number);
        self.rules.push(Some(Rule { key, pattern, ends }));
    }

    /// Removes a rule. False if there was none with this key.
    pub fn remove(&mut self, key: &K) -> bool {
        let Some(number) = self.keys.remove(key) else {
            return false;
        };
        for end in self.rules[number].take().into_iter().flat_map(|rule| rule.ends) {
            self.index.states[end].rules.retain(|other| other != number);
        }
        let gone = self.rules.len() - self.keys.len();
        if gone > FEW && gone > self.keys.len() {
            self.build_anew();
        }
        true
    }

    fn build_anew(&mut self) {
        let rules = std::mem::take(self).rules;
        for rule in rules.into_iter().flatten() {
            self.insert(rule.key, rule.pattern);
        }
    }

    /// The keys of the rules that match, each once, in no order that means something.
    #[must_use]
    pub fn matching(&self, event: &Value) -> Vec<&K> {
        let found = self.index.find(&Event::of(event, &self.index.paths));
        self.confirmed(&found, event)
    }

    /// The same for an event as JSON text, without reading more of it than there are rules for.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn matching_bytes(&self, event: &[u8]) -> Result<Vec<&K>, serde_json::Error> {
        let found = self.index.find(&Event::read(event, &self.index.paths)?);
        if found.certain || found.rules.is_empty() {
            return Ok(self.confirmed(&found, &Value::Null));
        }
        Ok(self.confirmed(&found, &serde_json::from_slice(event)?))
    }

    fn confirmed(&self, found: &Found, event: &Value) -> Vec<&K> {
        let rules = found
            .rules
            .iter()
            .filter_map(|number| self.rules[*number].as_ref());
        rules
            .filter(|rule| found.certain || rule.pattern.matches(event))
            .map(|rule| &rule.key)
            .collect()
    }
}

/// What the tree finds.
struct Found {
    rules: Vec<usize>,
    /// Whether they match for sure; else they are those that may.
    certain: bool,
}

/// The tree.
#[derive(Clone, Debug)]
struct Index {
    paths: Paths,
    /// The first is where all conjunctions begin.
    states: Vec<State>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            paths: Paths::default(),
            states: vec![State::default()],
        }
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    /// Rules of which a conjunction is complete here.
    rules: Few,
    next: Next,
}

/// Where one goes on to from a state.
#[derive(Clone, Debug, Default)]
enum Next {
    #[default]
    Nowhere,
    /// As from most states of many rules: what little there is is asked, not looked up.
    One(Way, usize),
    Many(Box<Ways>),
}

/// A field: its path, and what a value there must be.
type Way = (usize, Vec<Matcher>);

#[derive(Clone, Debug, Default)]
struct Ways {
    /// By path: where values of it lead.
    branches: HashMap<usize, Branch, paths::ById>,
    /// Where the absence of a path's values leads.
    absent: Vec<(usize, usize)>,
    /// The same as both, to find what is shared.
    fields: HashMap<Way, usize>,
}

impl Index {
    /// Adds a conjunction of the rule and returns the state it ends in.
    fn insert(&mut self, conjunction: &Conjunction, rule: usize) -> usize {
        let mut at = 0;
        for field in conjunction {
            let path = self.paths.insert(&field.path);
            at = self.go(at, (path, field.matchers.clone()));
        }
        self.states[at].rules.push(rule);
        at
    }

    /// The state that this way leads to from there, which is a new one if nothing led there before.
    fn go(&mut self, at: usize, way: Way) -> usize {
        let new = self.states.len();
        let state = &mut self.states[at];
        if let Some(next) = state.next.find(&way) {
            return next;
        }
        state.next = match std::mem::take(&mut state.next) {
            Next::Nowhere => Next::One(way, new),
            Next::One(first, next) => {
                let mut ways = Ways::default();
                ways.insert(first, next);
                ways.insert(way, new);
                Next::Many(Box::new(ways))
            }
            Next::Many(mut ways) => {
                ways.insert(way, new);
                Next::Many(ways)
            }
        };
        self.states.push(State::default());
        new
    }

    fn find(&self, event: &Event<'_>) -> Found {
        let mut rules = Vec::new();
        let mut pending = vec![0];
        let mut reached = Vec::new();
        while let Some(at) = pending.pop() {
            let state = &self.states[at];
            rules.extend_from_slice(state.rules.as_slice());
            state.next.follow(event, &mut reached);
            // The same state can be reached by several values and matchers, but from here only.
            if reached.len() > 1 {
                reached.sort_unstable();
                reached.dedup();
            }
            pending.append(&mut reached);
        }
        rules.sort_unstable();
        rules.dedup();
        Found {
            rules,
            certain: !event.nested_arrays,
        }
    }
}

impl Next {
    /// The state that this way leads to.
    fn find(&self, way: &Way) -> Option<usize> {
        match self {
            Self::Nowhere => None,
            Self::One(only, next) => (only == way).then_some(*next),
            Self::Many(ways) => ways.fields.get(way).copied(),
        }
    }

    /// Adds the states that the event leads to.
    fn follow(&self, event: &Event<'_>, reached: &mut Vec<usize>) {
        match self {
            Self::Nowhere => {}
            Self::One((path, matchers), next) => {
                let is_there =
                    |(_, value): &(usize, Scalar<'_>)| matchers.iter().any(|matcher| matcher.matches(value));
                let may_be_absent = || matchers.contains(&Matcher::Absent) && is_absent(event, *path);
                if event.at(*path).iter().any(is_there) || may_be_absent() {
                    reached.push(*next);
                }
            }
            Self::Many(ways) => ways.follow(event, reached),
        }
    }
}

/// In an array of objects it may be absent from the element that counts.
fn is_absent(event: &Event<'_>, path: usize) -> bool {
    event.nested_arrays || event.at(path).is_empty()
}

impl Ways {
    fn insert(&mut self, (path, matchers): Way, next: usize) {
        for matcher in &matchers {
            match matcher {
                Matcher::Absent => self.absent.push((path, next)),
                matcher => self.branches.entry(path).or_default().insert(matcher, next),
            }
        }
        self.fields.insert((path, matchers), next);
    }

    /// Adds the states that the event leads to.
    fn follow(&self, event: &Event<'_>, reached: &mut Vec<usize>) {
        let absent = self.absent.iter().filter(|(path, _)| is_absent(event, *path));
        reached.extend(absent.map(|(_, next)| *next));
        if self.branches.len() < event.leaves().len() {
            for (path, branch) in &self.branches {
                for (_, value) in event.at(*path) {
                    branch.find(value, reached);
                }
            }
        } else {
            for (path, value) in event.leaves() {
                if let Some(branch) = self.branches.get(path) {
                    branch.find(value, reached);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
