//! How slots are shared among those that take them for long.

/// How many more of `free` slots somebody may take who holds `held`, while `others` ask after it.
///
/// Nobody takes more than are left free then: `n` who would take all get `1 / (n + 1)` of the slots each, one alone
/// half of them.
#[must_use]
pub fn share_of(free: usize, held: usize, others: usize) -> usize {
    free.saturating_sub(held).div_ceil(others.saturating_add(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_for_long_leaves_some_for_others() {
        for holders in [1, 4, 16, 100, 255] {
            let (mut free, mut held) = (256, vec![0; holders]);
            for _ in 0..1000 {
                for (before, held) in held.iter_mut().enumerate() {
                    let more = share_of(free, *held, holders - 1 - before);
                    (free, *held) = (free - more, *held + more);
                }
            }
            assert!(free > 0, "{holders} hold all");
            assert!(held.iter().all(|held| *held > 0), "{holders}: one has none");
        }
    }
}
