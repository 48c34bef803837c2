//! The paths that rules ask for, as a tree of names with numbers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// See the module. The root, the event itself, is number 0.
#[derive(Clone, Debug)]
pub(super) struct Paths(Vec<Node>);

#[derive(Clone, Debug, Default)]
struct Node {
    below: HashMap<Box<str>, usize>,
    /// Whether a rule asks for values here.
    wanted: bool,
}

impl Default for Paths {
    fn default() -> Self {
        Self(vec![Node::default()])
    }
}

impl Paths {
    pub(super) const ROOT: usize = 0;

    /// The number of a path that a rule asks for.
    pub(super) fn insert(&mut self, path: &[Box<str>]) -> usize {
        let mut at = Self::ROOT;
        for name in path {
            let next = self.0.len();
            let found = *self.0[at].below.entry(name.clone()).or_insert(next);
            if found == next {
                self.0.push(Node::default());
            }
            at = found;
        }
        self.0[at].wanted = true;
        at
    }

    /// The path that goes on from `at` with `name`, if a rule asks for something there.
    pub(super) fn below(&self, at: usize, name: &str) -> Option<usize> {
        self.0[at].below.get(name).copied()
    }

    /// All that go on from `at`.
    pub(super) fn all_below(&self, at: usize) -> &HashMap<Box<str>, usize> {
        &self.0[at].below
    }

    pub(super) fn is_wanted(&self, at: usize) -> bool {
        self.0[at].wanted
    }
}

/// Hashes numbers that are given out here, or have few bytes: nobody can choose many that collide.
pub(super) type ById = BuildHasherDefault<IdHasher>;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, id: usize) {
        // A multiplicative hash: the golden ratio spreads numbers that follow one another.
        self.0 = (self.0 ^ id as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }
}
