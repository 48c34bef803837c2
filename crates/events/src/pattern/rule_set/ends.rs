//! Which of many prefixes a text has. For suffixes all is written backwards.

use super::layers::{Layer, Layers};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends(Layers<Prefixes>);

/// Prefixes in order, each with the longest other one that it begins with.
///
/// The prefixes of a text are found from the last entry that is not after the text: each of them begins
/// that entry, so they are on its chain of parents.
#[derive(Clone, Debug)]
struct Prefixes(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    prefix: Box<[u8]>,
    states: Vec<usize>,
    parent: Option<usize>,
}

impl Ends {
    pub(super) fn insert(&mut self, prefix: impl Iterator<Item = u8>, state: usize) {
        self.0.insert(Entry {
            prefix: prefix.collect(),
            states: vec![state],
            parent: None,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().next().is_none()
    }

    /// Adds the states of all prefixes of the text.
    pub(super) fn find(&self, text: &[u8], reached: &mut Vec<usize>) {
        for layer in self.0.iter() {
            layer.find(text, reached);
        }
    }
}

impl Layer for Prefixes {
    type Entry = Entry;

    fn build(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|one, other| one.prefix.cmp(&other.prefix));
        entries.dedup_by(|later, first| {
            let same = later.prefix == first.prefix;
            if same {
                first.states.append(&mut later.states);
            }
            same
        });
        let mut open: Vec<usize> = Vec::new();
        for at in 0..entries.len() {
            let begins = |last: &usize| entries[at].prefix.starts_with(&entries[*last].prefix);
            while open.pop_if(|last| !begins(last)).is_some() {}
            entries[at].parent = open.last().copied();
            open.push(at);
        }
        Self(entries)
    }

    fn entries(self) -> Vec<Entry> {
        self.0
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl Prefixes {
    fn find(&self, text: &[u8], reached: &mut Vec<usize>) {
        let after = self.0.partition_point(|entry| *entry.prefix <= *text);
        let mut at = after.checked_sub(1);
        while let Some(entry) = at.map(|at| &self.0[at]) {
            if text.starts_with(&entry.prefix) {
                reached.extend_from_slice(&entry.states);
            }
            at = entry.parent;
        }
    }
}
