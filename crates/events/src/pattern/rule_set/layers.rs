//! Sorted lists that grow: few lists, each much longer than the next, instead of one that is sorted anew
//! for each entry.

/// A list that is asked as a whole, and made of entries at once.
pub(super) trait Layer: Sized {
    /// What it is made of.
    type Entry;

    /// The list of these entries.
    fn build(entries: Vec<Self::Entry>) -> Self;

    /// What it was made of, in some order.
    fn entries(self) -> Vec<Self::Entry>;

    /// About how many entries it has.
    fn len(&self) -> usize;
}

/// A list is made one with the next if it is not longer by this factor.
const FACTOR: usize = 8;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Layers<L>(Vec<L>);

impl<L> Default for Layers<L> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<L: Layer> Layers<L> {
    pub(super) fn insert(&mut self, entry: L::Entry) {
        let mut entries = vec![entry];
        while let Some(last) = self.0.pop_if(|last| last.len() <= FACTOR * entries.len()) {
            entries.extend(last.entries());
        }
        self.0.push(L::build(entries));
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, L> {
        self.0.iter()
    }
}
