//! A list that mostly has one entry, which then stands where the list does: what is looked up among thousands is
//! seldom in the processor's caches, so each place to look at counts.

/// Numbers of states or rules.
#[derive(Clone, Debug, Default)]
pub(super) enum Few {
    #[default]
    None,
    One(usize),
    Many(Vec<usize>),
}

impl Few {
    pub(super) fn push(&mut self, entry: usize) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(entry),
            Self::One(first) => Self::Many(vec![first, entry]),
            Self::Many(mut all) => {
                all.push(entry);
                Self::Many(all)
            }
        };
    }

    pub(super) fn as_slice(&self) -> &[usize] {
        match self {
            Self::None => &[],
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Many(all) => all,
        }
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(usize) -> bool) {
        match self {
            Self::None => {}
            Self::One(entry) if is_kept(*entry) => {}
            Self::One(_) => *self = Self::None,
            Self::Many(all) => all.retain(|entry| is_kept(*entry)),
        }
    }
}
