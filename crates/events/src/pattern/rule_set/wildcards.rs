//! Which of many wildcards a text matches.
//!
//! Each is found by a few letters in a row of one of its pieces, those that the fewest others are found by,
//! and then asked. Those that have no three letters in a row are found by how they begin or end, or are asked
//! always.

use std::collections::HashMap;

use super::super::matcher::Wildcard;
use super::branch::reversed;
use super::ends::Ends;
use super::paths::ById;

/// Letters in a row: four tell more apart, and three are better than none.
const LENGTHS: [usize; 2] = [4, 3];

/// See the module. The indexes lead to places in `all`.
#[derive(Clone, Debug, Default)]
pub(super) struct Wildcards {
    all: Vec<(Wildcard, usize)>,
    prefixes: Ends,
    suffixes: Ends,
    /// For each of [`LENGTHS`].
    grams: [HashMap<usize, Vec<usize>, ById>; LENGTHS.len()],
    always: Vec<usize>,
}

impl Wildcards {
    pub(super) fn insert(&mut self, wildcard: &Wildcard, state: usize) {
        let at = self.all.len();
        self.all.push((wildcard.clone(), state));
        let pieces = wildcard.pieces();
        for (length, found) in LENGTHS.into_iter().zip(&mut self.grams) {
            let grams = pieces.iter().flat_map(|piece| grams(piece, length));
            if let Some(gram) = grams.min_by_key(|gram| found.get(gram).map_or(0, Vec::len)) {
                return found.entry(gram).or_default().push(at);
            }
        }
        match (&*pieces[0], &*pieces[pieces.len() - 1]) {
            ("", "") => self.always.push(at),
            ("", last) => self.suffixes.insert(last.bytes().rev(), at),
            (first, _) => self.prefixes.insert(first.bytes(), at),
        }
    }

    /// Adds the states of all that the text matches.
    pub(super) fn find(&self, text: &str, reached: &mut Vec<usize>) {
        let mut candidates = self.always.clone();
        if !self.prefixes.is_empty() {
            self.prefixes.find(text.as_bytes(), &mut candidates);
        }
        if !self.suffixes.is_empty() {
            self.suffixes.find(&reversed(text), &mut candidates);
        }
        for (length, found) in LENGTHS.into_iter().zip(&self.grams) {
            if !found.is_empty() {
                candidates.extend(grams(text, length).filter_map(|gram| found.get(&gram)).flatten());
            }
        }
        let asked = candidates.into_iter().map(|at| &self.all[at]);
        let matching = asked.filter(|(wildcard, _)| wildcard.matches(text));
        reached.extend(matching.map(|(_, state)| *state));
    }
}

/// Each so many letters (bytes) in a row as one number.
fn grams(text: &str, length: usize) -> impl Iterator<Item = usize> {
    let number = |gram: &[u8]| {
        gram.iter()
            .fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    text.as_bytes().windows(length).map(number)
}
