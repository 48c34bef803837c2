//! Which of many prefixes a text has. For suffixes all is written backwards.

/// So many are looked at one by one before they are sorted in.
const PENDING: usize = 64;

/// Prefixes in order, each with the longest other one that it begins with.
///
/// The prefixes of a text are found from the last entry that is not after the text: each of them begins
/// that entry, so they are on its chain of parents.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    sorted: Vec<Entry>,
    pending: Vec<(Box<[u8]>, usize)>,
}

#[derive(Clone, Debug)]
struct Entry {
    prefix: Box<[u8]>,
    states: Vec<usize>,
    parent: Option<usize>,
}

impl Ends {
    pub(super) fn insert(&mut self, prefix: impl Iterator<Item = u8>, state: usize) {
        self.pending.push((prefix.collect(), state));
        if self.pending.len() > PENDING {
            self.sort();
        }
    }

    fn sort(&mut self) {
        for (prefix, state) in self.pending.drain(..) {
            self.sorted.push(Entry {
                prefix,
                states: vec![state],
                parent: None,
            });
        }
        self.sorted.sort_by(|one, other| one.prefix.cmp(&other.prefix));
        self.sorted.dedup_by(|later, first| {
            let same = later.prefix == first.prefix;
            if same {
                first.states.append(&mut later.states);
            }
            same
        });
        let mut open: Vec<usize> = Vec::new();
        for at in 0..self.sorted.len() {
            while open
                .last()
                .is_some_and(|last| !self.sorted[at].prefix.starts_with(&self.sorted[*last].prefix))
            {
                open.pop();
            }
            self.sorted[at].parent = open.last().copied();
            open.push(at);
        }
    }

    /// Adds the states of all prefixes of the text.
    pub(super) fn find(&self, text: &[u8], reached: &mut Vec<usize>) {
        let pending = self.pending.iter().filter(|(prefix, _)| text.starts_with(prefix));
        reached.extend(pending.map(|(_, state)| *state));
        let after = self.sorted.partition_point(|entry| *entry.prefix <= *text);
        let mut at = after.checked_sub(1);
        while let Some(entry) = at.map(|at| &self.sorted[at]) {
            if text.starts_with(&entry.prefix) {
                reached.extend_from_slice(&entry.states);
            }
            at = entry.parent;
        }
    }
}
