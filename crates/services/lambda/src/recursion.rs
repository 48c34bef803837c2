//! Recursive loops: events that lead a function to itself, through queues, topics, buckets or directly
//! (Developer Guide, "Recursive loop detection").
//!
//! The trace header of an event carries `Lineage`: a digest of each function that the event has been through,
//! and how often. The AWS SDKs hand the header on from within a function. A function that the same chain of
//! events has run [`MOST`] times is not run again, unless its owner allows it. A retry does not count.

use sha2::{Digest as _, Sha256};
use tradewind_events::Trace;
use tradewind_model::FunctionArn;

use crate::model::Function;

/// How often one chain of events runs the same function.
const MOST: u32 = 16;
/// Functions that the header remembers; those that came first are forgotten first.
const REMEMBERED: usize = 8;
const LINEAGE: &str = "Lineage";
/// X-Ray's word for whether a trace is recorded there; SDKs expect it.
const SAMPLED: &str = "Sampled";

/// What becomes of events that go round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RecursiveLoop {
    /// They are stopped.
    #[default]
    Terminate,
    /// They run.
    Allow,
}

impl RecursiveLoop {
    /// As the API spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "Terminate",
            Self::Allow => "Allow",
        }
    }

    /// Reads the API's spelling.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Terminate, Self::Allow]
            .into_iter()
            .find(|known| known.as_str() == text)
    }
}

/// The event went round too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GoesRound;

/// The trace with which `function` runs: it has been there once more.
///
/// # Errors
/// [`GoesRound`] if it has been there often enough and its owner does not allow that.
pub(crate) fn enter(function: &Function, trace: Trace) -> Result<Trace, GoesRound> {
    match once_more(&trace, &function.arn) {
        Err(GoesRound) if function.recursive_loop == RecursiveLoop::Allow => Ok(trace),
        entered => entered,
    }
}

/// How often the chain of events that `trace` is of has run the function.
pub(crate) fn visits(function: &Function, trace: &Trace) -> u32 {
    let digest = digest(&function.arn);
    let lineage = parse(trace.field(LINEAGE).unwrap_or_default());
    let found = lineage.into_iter().find(|(other, _)| *other == digest);
    found.map_or(0, |(_, count)| count)
}

fn once_more(trace: &Trace, function: &FunctionArn) -> Result<Trace, GoesRound> {
    let digest = digest(function);
    let mut lineage = parse(trace.field(LINEAGE).unwrap_or_default());
    let before = lineage.iter().position(|(other, _)| *other == digest);
    let before = before.map_or(0, |at| lineage.remove(at).1);
    if before >= MOST {
        return Err(GoesRound);
    }
    lineage.push((digest, before + 1));
    let forgotten = lineage.len().saturating_sub(REMEMBERED);
    let text: Vec<String> = lineage
        .iter()
        .skip(forgotten)
        .map(|(digest, count)| format!("{digest}:{count}"))
        .collect();
    let trace = trace.clone();
    let trace = match trace.field(SAMPLED) {
        Some(_) => trace,
        None => trace.with_field(SAMPLED, "0"),
    };
    Ok(trace.with_field(LINEAGE, &text.join("|")))
}

fn parse(text: &str) -> Vec<(String, u32)> {
    let entry = |part: &str| {
        let (digest, count) = part.split_once(':')?;
        Some((digest.to_owned(), count.parse().ok()?))
    };
    text.split('|').filter_map(entry).collect()
}

/// 8 hexadecimal digits that stand for a function, all its versions together.
fn digest(function: &FunctionArn) -> String {
    let digest = Sha256::digest(function.unqualified().to_string().as_bytes());
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use tradewind_model::Timestamp;

    use super::*;

    fn arn(name: &str) -> FunctionArn {
        format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
            .parse()
            .unwrap()
    }

    fn start() -> Trace {
        let header = "Root=1-5e5ffb9e-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=0";
        Trace::from_header(Some(header), Timestamp::from_millis(0))
    }

    #[test]
    fn the_seventeenth_time_is_too_often() {
        let mut trace = start();
        for _ in 0..16 {
            trace = once_more(&trace, &arn("f")).unwrap();
        }
        assert_eq!(once_more(&trace, &arn("f")), Err(GoesRound));
        assert_eq!(once_more(&trace, &arn("f:live")), Err(GoesRound));
        assert!(once_more(&trace, &arn("g")).is_ok());
    }

    #[test]
    fn functions_are_counted_apart_and_the_header_stays_short() {
        let mut trace = start();
        for turn in 0..15 {
            for name in ["a", "b", "c"] {
                trace = once_more(&trace, &arn(name)).unwrap_or_else(|_| panic!("{name} {turn}"));
            }
        }
        assert_eq!(trace.field(LINEAGE).unwrap().matches(":15").count(), 3);
        for n in 0..100 {
            trace = once_more(&trace, &arn(&format!("f{n}"))).unwrap();
        }
        assert!(trace.to_string().len() < 256, "{trace}");
        assert_eq!(trace.root(), start().root());
    }

    #[test]
    fn a_lineage_of_others_is_no_reason_to_stop() {
        for lineage in ["", "x", "a:b|c", "1:7daa8b84:99"] {
            let trace = start().with_field(LINEAGE, lineage);
            assert!(once_more(&trace, &arn("f")).is_ok(), "{lineage}");
        }
    }
}
