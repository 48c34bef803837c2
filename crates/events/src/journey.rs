//! The journeys of events: what happened on the way from a source to the last function, step by step.
//!
//! Every hop of the [`Router`](crate::Router) and every attempt of an invocation is a [`Step`]. It names the
//! step it comes from, which travels in the trace ([`Trace::after`]), so the steps of a journey are a tree
//! ([`tree`]).
//!
//! # Invariants
//! - A step is noted after what it tells of is committed. It costs who notes it one slot of a bounded queue,
//!   and never makes anybody wait: when the queue is full it is dropped, and counted.
//! - Steps are written behind. A crash loses those of the last moment; the events themselves it does not.
//! - All journeys together take no more than [`JOURNEY_BYTES`] on disk; the oldest go first.

mod tree;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tradewind_model::{Clock, Timestamp};
use tradewind_observe::{LogEvent, LogKind, LogOptions, LogQuery, LogStore, ReadLogsError};

use crate::trace::{Trace, is_root};
pub use tree::{Branch, tree};

/// What all journeys may take on disk, in bytes.
pub const JOURNEY_BYTES: u64 = 64 * 1024 * 1024;
/// The one group that holds all steps.
const GROUP: &str = "steps";
/// How much earlier than its id says a journey may have begun: ids are made by other clocks, too.
const SKEW_MS: i64 = 60 * 60_000;
/// Of an invocation's id so many characters name it, as logs show them.
const SHORTEST: usize = 8;

/// One step of a journey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its id, 16 hexadecimal digits.
    pub id: Box<str>,
    /// The step it comes from; none for the first one, or for one whose cause is not of this node.
    pub parent: Option<Box<str>>,
    /// What happens: `delivery`, `invocation`, or the name of what set the event going.
    pub what: Box<str>,
    /// Who sends; empty if that is not known.
    pub from: Box<str>,
    /// Who gets it: an ARN.
    pub to: Box<str>,
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
    /// How long it took, in milliseconds; none for what takes no time.
    pub took_ms: Option<u64>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The id of an invocation.
    pub request: Option<Box<str>>,
    /// `ok`, or why it went wrong.
    pub outcome: Box<str>,
}

impl Step {
    /// The outcome of what went well.
    pub const OK: &'static str = "ok";

    /// A step that comes after `trace`, now.
    #[must_use]
    pub fn after(trace: &Trace, what: &str, from: &str, to: &str, now: Timestamp) -> Self {
        Self {
            id: Trace::step_id().into(),
            parent: trace.parent().map(Into::into),
            what: what.into(),
            from: from.into(),
            to: to.into(),
            at_ms: now.as_millis(),
            took_ms: None,
            attempt: 1,
            request: None,
            outcome: Self::OK.into(),
        }
    }
}

/// Where steps are kept. A clone is the same journal.
#[derive(Clone, Debug)]
pub struct Journal {
    store: LogStore,
    clock: Clock,
    lost: Arc<AtomicU64>,
}

impl Journal {
    /// The bounds of the store that a journal is made of.
    #[must_use]
    pub fn options() -> LogOptions {
        LogOptions {
            group_bytes: JOURNEY_BYTES,
            ..LogOptions::default()
        }
    }

    /// A journal over a store of its own.
    #[must_use]
    pub fn new(store: LogStore, clock: Clock) -> Self {
        Self {
            store,
            clock,
            lost: Arc::default(),
        }
    }

    /// The time that steps are dated by.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Notes steps of the journeys `root`. It does not wait.
    pub fn note(&self, steps: impl IntoIterator<Item = (Box<str>, Step)>) {
        let events: Vec<LogEvent> = steps.into_iter().filter_map(event).collect();
        if events.is_empty() {
            return;
        }
        if let Err(lost) = self.store.try_append(events) {
            let lost = u64::try_from(lost.len()).unwrap_or(u64::MAX);
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }

    /// Steps that could not be noted since the start, because the disk did not keep up.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The id of the journey that `id` names: its own, or that of an invocation that is part of it.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn find(&self, id: &str) -> Result<Option<Box<str>>, ReadLogsError> {
        if is_root(id) {
            return Ok(Some(id.into()));
        }
        if id.len() < SHORTEST {
            return Ok(None);
        }
        let query = LogQuery {
            groups: vec![GROUP.to_owned()],
            contains: Some(beginning_with(id)),
            limit: 1,
            ..LogQuery::default()
        };
        let found = self.store.read(query).await?;
        Ok(found
            .first()
            .and_then(|event| event.request_id.as_deref().map(Into::into)))
    }

    /// The steps of a journey that are known, in the order in which they were noted; at most 10,000.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn steps(&self, root: &str) -> Result<Vec<Step>, ReadLogsError> {
        let query = LogQuery {
            groups: vec![GROUP.to_owned()],
            since: began(root),
            request_id: Some(root.to_owned()),
            limit: 10_000,
            ..LogQuery::default()
        };
        let events = self.store.read(query).await?;
        let step = |event: &LogEvent| serde_json::from_str(&event.message).ok();
        Ok(events.iter().filter_map(step).collect())
    }

    /// Writes what waits. Call it after the last step was noted.
    pub async fn shutdown(&self) {
        self.store.shutdown().await;
    }
}

/// The text of a step whose request's id begins so.
fn beginning_with(id: &str) -> String {
    let quoted = serde_json::Value::from(id).to_string();
    format!("\"request\":{}", quoted.strip_suffix('"').unwrap_or(&quoted))
}

fn event((root, step): (Box<str>, Step)) -> Option<LogEvent> {
    if root.is_empty() {
        return None;
    }
    Some(LogEvent {
        group: GROUP.into(),
        stream: "".into(),
        timestamp: Timestamp::from_millis(step.at_ms),
        request_id: Some(root.into()),
        kind: LogKind::Platform,
        message: serde_json::to_string(&step).ok()?.into(),
    })
}

/// When a journey began at the earliest, as its id says.
fn began(root: &str) -> Option<Timestamp> {
    let seconds = i64::from_str_radix(root.split('-').nth(1)?, 16).ok()?;
    Some(Timestamp::from_millis(seconds * 1000 - SKEW_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(folder: &tempfile::TempDir) -> Journal {
        let clock = Clock::manual(Timestamp::from_millis(1_583_349_662_000));
        let store = LogStore::open(folder.path().to_owned(), clock.clone(), Journal::options()).unwrap();
        Journal::new(store, clock)
    }

    #[tokio::test]
    async fn a_journey_is_found_by_its_id_and_by_its_invocations() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(&folder);
        let (one, other) = (Trace::new(journal.now()), Trace::new(journal.now()));
        let step = |trace: &Trace, request: &str| Step {
            request: Some(request.into()),
            ..Step::after(trace, "invocation", "", "arn:aws:lambda:::f", journal.now())
        };
        journal.note([
            (one.root().into(), step(&one, "11111111-aaaa")),
            (other.root().into(), step(&other, "22222222-bbbb")),
            (one.root().into(), step(&one, "33333333-cccc")),
        ]);
        let steps = journal.steps(one.root()).await.unwrap();
        let requests: Vec<_> = steps.iter().filter_map(|step| step.request.as_deref()).collect();
        assert_eq!(requests, ["11111111-aaaa", "33333333-cccc"]);
        for id in ["22222222", "22222222-bb", "22222222-bbbb"] {
            assert_eq!(
                journal.find(id).await.unwrap().as_deref(),
                Some(other.root()),
                "{id}"
            );
        }
        for id in ["2222222", "44444444", "22222222-bc", ""] {
            assert_eq!(journal.find(id).await.unwrap(), None, "{id}");
        }
        assert_eq!(journal.lost(), 0);
    }

    #[tokio::test]
    async fn a_journal_that_is_closed_counts_what_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(&folder);
        journal.shutdown().await;
        let trace = Trace::new(journal.now());
        let step = Step::after(&trace, "delivery", "", "", journal.now());
        journal.note([(trace.root().into(), step.clone()), ("".into(), step)]);
        assert_eq!(journal.lost(), 1, "what is part of no journey is not noted");
    }
}
