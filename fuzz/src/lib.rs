//! Hostile input for the parsers that are ours.
//!
//! A target is a unit test beside its parser, which calls [`fuzz`] with inputs that mean something and a closure that
//! must neither panic nor take long, whatever it is given. Plain `cargo test` tries the inputs and a fixed number of
//! mutants of them, always the same, and judges no time. `cargo xtask fuzz TARGET --seconds N` compiles the crate under
//! test with counters of what was reached ([`coverage`]) and goes on: an input that reaches something new is mutated
//! further. What breaks a target is made small and printed; it belongs among the target's seeds then, for good.

#![expect(
    clippy::print_stdout,
    reason = "progress and findings of a test that may run for hours"
)]

mod coverage;
mod mutate;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use self::coverage::Coverage;
use self::mutate::Mutator;
use self::watch::Watch;

/// For how long to try, in seconds; without it a fixed number of mutants is tried.
const SECONDS: &str = "TRADEWIND_FUZZ_SECONDS";
/// Mutants in a plain test run.
const SHORT: u64 = 2_000;
/// What one input may take: whatever takes longer is a way to stop a node. A plain test run does not judge it, since
/// nobody knows what else the machine does then.
const LIMIT: Duration = Duration::from_secs(2);
/// Inputs that are kept at most, the newest ones.
const CORPUS: usize = 20_000;

/// Tries `parse` with the seeds and with mutants of them, made with `words` that mean something to it.
///
/// # Panics
/// When an input makes `parse` panic; with `TRADEWIND_FUZZ_SECONDS` also when one takes it longer than two seconds.
/// One that takes a minute ends the process then.
pub fn fuzz(seeds: &[&str], words: &[&str], parse: impl Fn(&[u8])) {
    let mut corpus: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    corpus.push(Vec::new());
    let (mut coverage, length) = (Coverage::new(), length());
    let watch = matches!(length, Length::Time(_)).then(Watch::start);
    for seed in &corpus {
        attempt(&parse, seed, watch.as_ref());
        coverage.is_new();
    }
    let begun = Instant::now();
    let (mut mutator, mut tries, mut said) = (Mutator::new(words), 0_u64, Duration::ZERO);
    while length.goes_on(tries, begun) {
        let input = mutator.next(&corpus);
        coverage.reset();
        attempt(&parse, &input, watch.as_ref());
        tries += 1;
        if coverage.is_new() {
            if corpus.len() > CORPUS {
                corpus.remove(seeds.len());
            }
            corpus.push(input);
        }
        if begun.elapsed() > said + Duration::from_secs(10) {
            said = begun.elapsed();
            println!("{tries} inputs, {} kept, {coverage}", corpus.len());
        }
    }
    println!("{tries} inputs, {} kept, {coverage}", corpus.len());
}

enum Length {
    Mutants(u64),
    Time(Duration),
}

impl Length {
    fn goes_on(&self, tries: u64, begun: Instant) -> bool {
        match self {
            Self::Mutants(most) => tries < *most,
            Self::Time(most) => begun.elapsed() < *most,
        }
    }
}

fn length() -> Length {
    match std::env::var(SECONDS).ok().and_then(|text| text.parse().ok()) {
        Some(seconds) => Length::Time(Duration::from_secs(seconds)),
        None => Length::Mutants(SHORT),
    }
}

fn attempt(parse: &impl Fn(&[u8]), input: &[u8], watch: Option<&Watch>) {
    if let Some(wrong) = wrong(parse, input, watch) {
        let small = smaller(parse, input.to_vec(), watch);
        panic!(
            "{wrong}\n  with the input \"{}\"\n  made small: \"{}\"",
            input.escape_ascii(),
            small.escape_ascii()
        );
    }
}

/// What is wrong with how the input was taken; how long it took is, if it is watched.
fn wrong(parse: &impl Fn(&[u8]), input: &[u8], watch: Option<&Watch>) -> Option<String> {
    let begun = watch.map(|watch| watch.begin(input));
    let outcome = catch_unwind(AssertUnwindSafe(|| parse(input)));
    if let Some(watch) = watch {
        watch.end();
    }
    match (outcome, begun.map(|begun| begun.elapsed())) {
        (Err(_), _) => Some("the parser panicked".into()),
        (Ok(()), Some(took)) if took > LIMIT => Some(format!("the parser took {took:?}")),
        (Ok(()), _) => None,
    }
}

/// Takes pieces out as long as it stays wrong.
fn smaller(parse: &impl Fn(&[u8]), mut input: Vec<u8>, watch: Option<&Watch>) -> Vec<u8> {
    let mut piece = input.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < input.len() {
            let mut less = input.clone();
            less.drain(at..input.len().min(at + piece));
            if wrong(parse, &less, watch).is_some() {
                input = less;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(seeds: &[&str], words: &[&str], parse: impl Fn(&[u8])) -> String {
        let found = catch_unwind(AssertUnwindSafe(|| fuzz(seeds, words, parse)));
        let told = found.expect_err("it is broken");
        told.downcast_ref::<String>().expect("it says how").clone()
    }

    #[test]
    fn a_parser_that_panics_is_found_and_the_input_is_made_small() {
        let told = finds(&["rate(5 minutes)"], &["days"], |input| {
            assert!(!input.windows(4).any(|four| four == b"days"), "no days here");
        });
        assert!(told.contains("made small: \"days\""), "{told}");
    }

    #[test]
    fn a_parser_that_takes_anything_is_left_alone() {
        let tries = std::cell::Cell::new(0_u64);
        fuzz(&["a", "b"], &[], |_| tries.set(tries.get() + 1));
        assert!(tries.get() >= SHORT, "{tries:?}");
    }
}
