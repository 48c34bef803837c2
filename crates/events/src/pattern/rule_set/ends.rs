//! Which of many prefixes a text has. For suffixes all is written backwards.

use super::few::Few;
use super::layers::{Layer, Layers};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends(Layers<Prefixes>);

/// Prefixes in order, each with the longest other one that it begins with.
///
/// The prefixes of a text are found from the last entry that is not after the text: each of them begins
/// that entry, so they are on its chain of parents.
#[derive(Clone, Debug)]
struct Prefixes {
    /// What all of them begin with.
    common: Box<[u8]>,
    /// The [`key_of`] what follows it in each: mostly all that is compared, and side by side.
    keys: Vec<u64>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    prefix: Box<[u8]>,
    states: Few,
    parent: Option<usize>,
}

/// The first eight bytes, as a number that has their order; what is shorter is filled up with zeros.
fn key_of(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = bytes.len().min(first.len());
    first[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(first)
}

impl Ends {
    pub(super) fn insert(&mut self, prefix: impl Iterator<Item = u8>, state: usize) {
        self.0.insert(Entry {
            prefix: prefix.collect(),
            states: Few::One(state),
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
                later
                    .states
                    .as_slice()
                    .iter()
                    .for_each(|state| first.states.push(*state));
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
        let common = common_of(&entries);
        let keys = entries.iter().map(|entry| key_of(&entry.prefix[common.len()..]));
        Self {
            keys: keys.collect(),
            common,
            entries,
        }
    }

    fn entries(self) -> Vec<Entry> {
        self.entries
    }

    fn len(&self) -> usize {
        self.entries.len()
    }
}

/// What all of the sorted entries begin with.
fn common_of(entries: &[Entry]) -> Box<[u8]> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Box::default();
    };
    let both = first.prefix.iter().zip(&last.prefix);
    let length = both.take_while(|(one, other)| one == other).count();
    first.prefix[..length].into()
}

impl Prefixes {
    fn find(&self, text: &[u8], reached: &mut Vec<usize>) {
        let Some(rest) = text.strip_prefix(&*self.common) else {
            return;
        };
        let key = key_of(rest);
        let mut at = self.after(text, key).checked_sub(1);
        while let Some(here) = at {
            let entry = &self.entries[here];
            if self.begins(here, text, key) {
                reached.extend_from_slice(entry.states.as_slice());
            }
            at = entry.parent;
        }
    }

    /// The first entry that is after the text. Keys that differ say it of texts, too.
    fn after(&self, text: &[u8], key: u64) -> usize {
        let begin = self.keys.partition_point(|other| *other < key);
        let end = begin + self.keys[begin..].partition_point(|other| *other == key);
        begin + self.entries[begin..end].partition_point(|entry| *entry.prefix <= *text)
    }

    /// Whether the text, which begins as all do, begins with that entry.
    fn begins(&self, at: usize, text: &[u8], key: u64) -> bool {
        let prefix = &self.entries[at].prefix;
        let (length, asked) = (text.len() - self.common.len(), prefix.len() - self.common.len());
        match u32::try_from(8_usize.saturating_sub(asked)) {
            Ok(unasked @ 1..) => {
                length >= asked && (key ^ self.keys[at]).checked_shr(8 * unasked).unwrap_or(0) == 0
            }
            _ => text.starts_with(prefix),
        }
    }
}
