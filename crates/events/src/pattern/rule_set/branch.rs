//! From a value to the states it leads to.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use super::super::matcher::{Block, Matcher};
use super::super::value::{Number, Scalar};
use super::ends::Ends;
use super::few::Few;
use super::ranges::Ranges;
use super::wildcards::Wildcards;

/// The indexes of one field of one state: only those that there is something for, because most states
/// have one.
#[derive(Clone, Debug, Default)]
pub(super) struct Branch(Vec<Part>);

/// One index. Each is of the states that its kind of matcher leads to.
#[derive(Clone, Debug)]
enum Part {
    Texts(HashMap<Box<str>, Few>),
    Numbers(HashMap<Number, Few>),
    /// `null`, `true` and `false`.
    Words(Vec<(Scalar<'static>, usize)>),
    Prefixes(Ends),
    Suffixes(Ends),
    LowerTexts(HashMap<Box<str>, Few>),
    LowerPrefixes(Ends),
    LowerSuffixes(Ends),
    Ranges(Ranges),
    Blocks(Blocks),
    Wildcards(Wildcards),
    /// States that any value leads to.
    Any(Vec<usize>),
    /// `anything-but`: what matches nearly everything cannot be found, only asked.
    Others(Vec<(Matcher, usize)>),
}

impl Branch {
    pub(super) fn insert(&mut self, matcher: &Matcher, state: usize) {
        let taken = self.0.iter_mut().any(|part| part.take(matcher, state));
        if !taken {
            let mut part = Part::of(matcher);
            part.take(matcher, state);
            self.0.push(part);
        }
    }

    /// Adds the states that the value leads to, perhaps some of them twice.
    pub(super) fn find(&self, value: &Scalar<'_>, reached: &mut Vec<usize>) {
        for part in &self.0 {
            match value {
                Scalar::Text(text) => part.find_text(text, reached),
                Scalar::Number(number) => part.find_number(*number, reached),
                Scalar::Null | Scalar::Bool(_) => {}
            }
            part.find_any(value, reached);
        }
    }
}

impl Part {
    /// An empty index for what is like this.
    fn of(matcher: &Matcher) -> Self {
        match matcher {
            Matcher::Exact(Scalar::Text(_)) => Self::Texts(HashMap::new()),
            Matcher::Exact(Scalar::Number(_)) => Self::Numbers(HashMap::new()),
            Matcher::Exact(Scalar::Null | Scalar::Bool(_)) => Self::Words(Vec::new()),
            Matcher::Prefix(_) => Self::Prefixes(Ends::default()),
            Matcher::Suffix(_) => Self::Suffixes(Ends::default()),
            Matcher::EqualsIgnoreCase(_) => Self::LowerTexts(HashMap::new()),
            Matcher::PrefixIgnoreCase(_) => Self::LowerPrefixes(Ends::default()),
            Matcher::SuffixIgnoreCase(_) => Self::LowerSuffixes(Ends::default()),
            Matcher::Wildcard(_) => Self::Wildcards(Wildcards::default()),
            Matcher::Range(_) => Self::Ranges(Ranges::default()),
            Matcher::Cidr(_) => Self::Blocks(Blocks::default()),
            Matcher::Exists => Self::Any(Vec::new()),
            Matcher::Absent | Matcher::AnythingBut(_) => Self::Others(Vec::new()),
        }
    }

    /// Adds the matcher if this is the index for its kind.
    fn take(&mut self, matcher: &Matcher, state: usize) -> bool {
        match (self, matcher) {
            (Self::Texts(texts), Matcher::Exact(Scalar::Text(text))) => {
                texts.entry(text.as_ref().into()).or_default().push(state);
            }
            (Self::LowerTexts(texts), Matcher::EqualsIgnoreCase(text)) => {
                texts.entry(text.clone()).or_default().push(state);
            }
            (Self::Numbers(numbers), Matcher::Exact(Scalar::Number(number))) => {
                numbers.entry(*number).or_default().push(state);
            }
            (Self::Words(words), Matcher::Exact(word @ (Scalar::Null | Scalar::Bool(_)))) => {
                words.push((word.clone(), state));
            }
            (Self::Prefixes(ends), Matcher::Prefix(text))
            | (Self::LowerPrefixes(ends), Matcher::PrefixIgnoreCase(text)) => {
                ends.insert(text.bytes(), state)
            }
            (Self::Suffixes(ends), Matcher::Suffix(text))
            | (Self::LowerSuffixes(ends), Matcher::SuffixIgnoreCase(text)) => {
                ends.insert(text.bytes().rev(), state);
            }
            (Self::Wildcards(wildcards), Matcher::Wildcard(wildcard)) => wildcards.insert(wildcard, state),
            (Self::Ranges(ranges), Matcher::Range(range)) => ranges.insert(*range, state),
            (Self::Blocks(blocks), Matcher::Cidr(cidr)) => blocks.insert(cidr.block, state),
            (Self::Any(states), Matcher::Exists) => states.push(state),
            (Self::Others(others), Matcher::AnythingBut(_) | Matcher::Absent) => {
                others.push((matcher.clone(), state));
            }
            _ => return false,
        }
        true
    }

    fn find_text(&self, text: &str, reached: &mut Vec<usize>) {
        match self {
            Self::Texts(texts) => add(texts, text, reached),
            Self::LowerTexts(texts) => add(texts, &*text.to_lowercase(), reached),
            Self::Prefixes(ends) => ends.find(text.as_bytes(), reached),
            Self::LowerPrefixes(ends) => ends.find(text.to_lowercase().as_bytes(), reached),
            Self::Suffixes(ends) => ends.find(&reversed(text), reached),
            Self::LowerSuffixes(ends) => ends.find(&reversed(&text.to_lowercase()), reached),
            Self::Wildcards(wildcards) => wildcards.find(text, reached),
            Self::Blocks(blocks) => blocks.find(text, reached),
            Self::Numbers(_) | Self::Words(_) | Self::Ranges(_) | Self::Any(_) | Self::Others(_) => {}
        }
    }

    fn find_number(&self, number: Number, reached: &mut Vec<usize>) {
        if let Self::Numbers(numbers) = self {
            add(numbers, &number, reached);
        } else if let Self::Ranges(ranges) = self {
            ranges.find(number.order(), reached);
        }
    }

    fn find_any(&self, value: &Scalar<'_>, reached: &mut Vec<usize>) {
        if let Self::Any(states) = self {
            reached.extend_from_slice(states);
        } else if let Self::Words(words) = self {
            reached.extend(
                words
                    .iter()
                    .filter(|(word, _)| word == value)
                    .map(|(_, state)| *state),
            );
        } else if let Self::Others(others) = self {
            let matching = others.iter().filter(|(matcher, _)| matcher.matches(value));
            reached.extend(matching.map(|(_, state)| *state));
        }
    }
}

fn add<K, Q>(states: &HashMap<K, Few>, key: &Q, reached: &mut Vec<usize>)
where
    K: Hash + Eq + std::borrow::Borrow<Q>,
    Q: Hash + Eq + ?Sized,
{
    if let Some(states) = states.get(key) {
        reached.extend_from_slice(states.as_slice());
    }
}

pub(super) fn reversed(text: &str) -> Vec<u8> {
    text.bytes().rev().collect()
}

/// Blocks of addresses, asked once for each length that there is.
#[derive(Clone, Debug, Default)]
struct Blocks {
    /// The lengths of each version.
    lengths: Vec<(bool, u8)>,
    states: HashMap<Block, Few>,
}

impl Blocks {
    fn insert(&mut self, block: Block, state: usize) {
        let length = (block.version_6, block.length);
        if !self.lengths.contains(&length) {
            self.lengths.push(length);
        }
        self.states.entry(block).or_default().push(state);
    }

    fn find(&self, text: &str, reached: &mut Vec<usize>) {
        let Ok(address) = text.parse::<IpAddr>() else {
            return;
        };
        for (version_6, length) in &self.lengths {
            if *version_6 == address.is_ipv6() {
                add(&self.states, &Block::of(address, *length), reached);
            }
        }
    }
}
