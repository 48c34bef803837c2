//! A view compared with the truth, pair by pair of accounts.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

/// How right a view is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Accounts of the truth.
    pub accounts: usize,
    /// Of these, how many the view has.
    pub known: usize,
    /// People of the truth.
    pub people: usize,
    /// People of the view.
    pub persons: usize,
    /// Of the pairs that the view joined, which part is one person.
    pub precision: f64,
    /// Of the pairs that are one person, which part the view joined.
    pub recall: f64,
    /// Persons of the view that are several people: their accounts, by person of the truth. The largest few.
    pub confused: Vec<Vec<String>>,
    /// People whom the view has as several persons: their accounts, by person of the view. The largest few.
    pub split: Vec<Vec<String>>,
}

/// How many confusions are told.
const TOLD: usize = 10;

/// Compares: (account, person of the truth), and account → person of the view.
#[must_use]
pub fn score<T: Copy + Ord + std::hash::Hash, V: Clone + Ord>(
    truth: &[(String, T)],
    view: &HashMap<String, V>,
) -> Score {
    let mut cells: BTreeMap<(T, V), Vec<&str>> = BTreeMap::new();
    let mut people: BTreeMap<T, usize> = BTreeMap::new();
    let mut persons: BTreeMap<V, usize> = BTreeMap::new();
    for (account, person) in truth {
        *people.entry(*person).or_default() += 1;
        if let Some(seen) = view.get(account) {
            *persons.entry(seen.clone()).or_default() += 1;
            cells.entry((*person, seen.clone())).or_default().push(account);
        }
    }
    let right: u64 = cells.values().map(|accounts| pairs(accounts.len())).sum();
    let said = persons.values().copied().map(pairs).sum();
    let real = people.values().copied().map(pairs).sum();
    Score {
        accounts: truth.len(),
        known: cells.values().map(Vec::len).sum(),
        people: people.len(),
        persons: persons.len(),
        precision: share(right, said),
        recall: share(right, real),
        confused: told(cells.iter().map(|((_, person), accounts)| (person, accounts))),
        split: told(cells.iter().map(|((person, _), accounts)| (person, accounts))),
    }
}

fn pairs(count: usize) -> u64 {
    let count = count as u64;
    count * count.saturating_sub(1) / 2
}

fn share(part: u64, whole: u64) -> f64 {
    let small = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 {
        1.0
    } else {
        small(part) / small(whole)
    }
}

/// The largest that fall into several.
fn told<'a, K: Ord>(cells: impl Iterator<Item = (K, &'a Vec<&'a str>)>) -> Vec<Vec<String>> {
    let mut whole: BTreeMap<K, Vec<String>> = BTreeMap::new();
    for (key, accounts) in cells {
        whole.entry(key).or_default().push(accounts.join(" "));
    }
    let mut several: Vec<Vec<String>> = whole.into_values().filter(|parts| parts.len() > 1).collect();
    several.sort_by_key(|parts| std::cmp::Reverse(parts.len()));
    several.truncate(TOLD);
    several
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted() {
        let truth: Vec<(String, u8)> = [("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 3)]
            .map(|(a, p)| (a.to_owned(), p))
            .to_vec();
        let view: HashMap<String, &str> = [("a", "x"), ("b", "x"), ("d", "x"), ("c", "y")]
            .map(|(a, p)| (a.to_owned(), p))
            .into();
        let score = score(&truth, &view);
        // Said: ab ad bd. Real: ab ac bc.
        assert!((score.precision - 1.0 / 3.0).abs() < 1e-9 && (score.recall - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(
            (score.accounts, score.known, score.people, score.persons),
            (5, 4, 3, 2)
        );
        assert_eq!(score.confused, [["a b", "d"]]);
        assert_eq!(score.split, [["a b", "c"]]);
    }
}
