//! Which of many wildcards a text matches.
//!
//! Each is found by the longest of its literal pieces, and then asked: by a prefix, a suffix, or three
//! letters of a piece in the middle. Those without three letters in a row are asked always.

use std::collections::HashMap;

use super::super::matcher::Wildcard;
use super::branch::reversed;
use super::ends::Ends;

const GRAM: usize = 3;

/// See the module. The indexes lead to places in `all`.
#[derive(Clone, Debug, Default)]
pub(super) struct Wildcards {
    all: Vec<(Wildcard, usize)>,
    prefixes: Ends,
    suffixes: Ends,
    grams: HashMap<[u8; GRAM], Vec<usize>>,
    always: Vec<usize>,
}

impl Wildcards {
    pub(super) fn insert(&mut self, wildcard: &Wildcard, state: usize) {
        let at = self.all.len();
        self.all.push((wildcard.clone(), state));
        let pieces = wildcard.pieces();
        let (first, last) = (&pieces[0], &pieces[pieces.len() - 1]);
        let middle = self.rarest(pieces);
        let longest = pieces.iter().map(|piece| piece.len()).max().unwrap_or(0);
        match middle {
            _ if longest > 0 && first.len() == longest => self.prefixes.insert(first.bytes(), at),
            _ if longest > 0 && last.len() == longest => self.suffixes.insert(last.bytes().rev(), at),
            Some(gram) => self.grams.entry(gram).or_default().push(at),
            None => self.always.push(at),
        }
    }

    /// Three letters of the pieces that lead to the fewest others.
    fn rarest(&self, pieces: &[Box<str>]) -> Option<[u8; GRAM]> {
        let grams = pieces.iter().flat_map(|piece| grams(piece));
        grams.min_by_key(|gram| self.grams.get(gram).map_or(0, Vec::len))
    }

    /// Adds the states of all that the text matches.
    pub(super) fn find(&self, text: &str, reached: &mut Vec<usize>) {
        let mut candidates = self.always.clone();
        self.prefixes.find(text.as_bytes(), &mut candidates);
        self.suffixes.find(&reversed(text), &mut candidates);
        if !self.grams.is_empty() {
            let found = grams(text).filter_map(|gram| self.grams.get(&gram));
            candidates.extend(found.flatten());
        }
        let asked = candidates.into_iter().map(|at| &self.all[at]);
        let matching = asked.filter(|(wildcard, _)| wildcard.matches(text));
        reached.extend(matching.map(|(_, state)| *state));
    }
}

fn grams(text: &str) -> impl Iterator<Item = [u8; GRAM]> {
    text.as_bytes()
        .windows(GRAM)
        .filter_map(|gram| gram.try_into().ok())
}
