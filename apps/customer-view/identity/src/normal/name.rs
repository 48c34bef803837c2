//! Names of persons.

use super::{cased, tidy};

/// A name in two parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// Given names.
    pub given: Option<String>,
    /// Family name.
    pub family: Option<String>,
}

/// What is no part of a name.
const TITLES: [&str; 9] = ["dr", "prof", "herr", "frau", "mr", "mrs", "ms", "mme", "m"];

/// From the parts, where a record has them, else from the whole name.
pub(super) fn normal(given: Option<&str>, family: Option<&str>, whole: Option<&str>) -> Name {
    let mut name = whole.map(split).unwrap_or_default();
    let tidied = |part: Option<&str>| part.and_then(tidy).map(|part| cased(&part));
    name.given = tidied(given).or(name.given);
    name.family = tidied(family).or(name.family);
    name
}

/// `Weiß, Ada` and `Dr. Ada Weiß` as given and family name. A single word is a family name.
#[must_use]
pub fn split(whole: &str) -> Name {
    let (given, family) = match whole.split_once(',') {
        Some((family, given)) => (words(given), words(family)),
        None => {
            let mut given = words(whole);
            let family = given.pop().into_iter().collect();
            (given, family)
        }
    };
    let part = |words: Vec<&str>| tidy(&words.join(" ")).map(|part| cased(&part));
    Name {
        given: part(given),
        family: part(family),
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().filter(|word| !is_title(word)).collect()
}

fn is_title(word: &str) -> bool {
    let word = word.to_lowercase();
    TITLES.contains(&word.trim_end_matches('.'))
}
