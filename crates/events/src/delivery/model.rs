//! What is delivered, by whom, and what comes of it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tradewind_model::{Arn, Timestamp};

use super::retry::{Exhausted, RetryPolicy};
use crate::message::Message;
use crate::router::Routing;

/// Which lane: the kind of deliverer, and the target in its owner's words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId {
    kind: Box<str>,
    key: Box<str>,
}

impl LaneId {
    /// The lane of the target `key` that deliverers of `kind` (without a colon) deliver to.
    #[must_use]
    pub fn new(kind: &str, key: &str) -> Self {
        Self {
            kind: kind.into(),
            key: key.into(),
        }
    }

    /// Who delivers.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The target.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The name of the lane's queue.
impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delivery:{}:{}", self.kind, self.key)
    }
}

/// How a lane's deliveries are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneSettings {
    /// When a delivery is tried again.
    pub retry: RetryPolicy,
    /// Where it goes when it is given up.
    pub dead_letter: Option<Arn>,
    /// Attempts that may run at the same time, at least one.
    pub concurrency: usize,
    /// How many attempts may begin within a time.
    pub rate: Option<Rate>,
    /// As many deliveries are attempted together, in the order in which they were owed, one batch after the other
    /// ([`Deliverer::deliver_in_order`]). What is to be tried again holds up what was owed later. `concurrency` and
    /// `rate` do not count then.
    pub in_order: Option<usize>,
}

/// How many attempts may begin within a second. They are evenly spread; one that has no turn yet is not made, and costs
/// its delivery none of those that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    pub(super) per_second: u32,
    shared: Option<Box<str>>,
}

impl Rate {
    /// For the attempts of one lane.
    #[must_use]
    pub fn own(per_second: u32) -> Self {
        Self {
            per_second,
            shared: None,
        }
    }

    /// For the attempts of all that have a rate of this name, lanes and callers ([`super::Deliveries::turn`]), in
    /// the order in which they ask.
    #[must_use]
    pub fn shared(per_second: u32, name: &str) -> Self {
        Self {
            per_second,
            shared: Some(name.into()),
        }
    }

    /// Its name; that of a lane's own is the lane's.
    pub(super) fn name_for(&self, lane: &LaneId) -> Box<str> {
        match &self.shared {
            Some(_) => self.name(),
            None => lane.to_string().into(),
        }
    }

    /// Its name where no lane asks.
    pub(super) fn name(&self) -> Box<str> {
        let name = self.shared.as_deref().unwrap_or_default();
        format!("shared:{name}").into()
    }
}

/// One delivery, at one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its lane.
    pub lane: LaneId,
    /// Its own id, the same at every attempt.
    pub id: String,
    /// What its owner wrote when it was owed.
    pub payload: Bytes,
    /// The number of this attempt, from 1. An attempt that a crash cut off counts.
    pub attempt: u32,
    /// When it was owed.
    pub owed_at: Timestamp,
}

/// What came of an attempt. `code` is a short word for machines, `reason` a line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target has it.
    Done,
    /// It failed, and may succeed later.
    Retry {
        /// For example a status.
        code: String,
        /// What happened.
        reason: String,
        /// The target asked for this much time.
        after: Option<Duration>,
    },
    /// It failed, and will fail again.
    GiveUp {
        /// For example a status.
        code: String,
        /// What happened.
        reason: String,
    },
}

/// Why a delivery was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The last attempt's.
    pub code: String,
    /// The last attempt's.
    pub reason: String,
    /// Attempts that were made.
    pub attempts: u32,
    /// Why there was no further one.
    pub exhausted: Exhausted,
}

/// Makes the deliveries of one kind.
#[async_trait::async_trait]
pub trait Deliverer: Send + Sync + fmt::Debug {
    /// An attempt that has not ended after this time has failed.
    fn time_limit(&self) -> Duration;

    /// Makes an attempt. What it adds to `routing` is committed in the transaction that ends the delivery,
    /// if the outcome is [`Outcome::Done`], and else dropped: a target inside of the node gets it once.
    ///
    /// # Cancel safety
    /// It is dropped at its time limit and when the node stops: then the attempt has failed, though the
    /// target may have it.
    async fn deliver(&self, delivery: &Delivery, routing: &mut Routing) -> Outcome;

    /// Makes attempts of a lane whose settings say so, together and in order; what came of each.
    ///
    /// # Cancel safety
    /// As [`Deliverer::deliver`].
    async fn deliver_in_order(&self, deliveries: &[Delivery]) -> Vec<Outcome> {
        let not_made = |_: &Delivery| Outcome::GiveUp {
            code: "InternalError".into(),
            reason: "deliveries of this kind are not made in order".into(),
        };
        deliveries.iter().map(not_made).collect()
    }

    /// What the dead-letter queue gets of a delivery that is given up. None: it is no longer wanted.
    fn dead_letter(&self, delivery: &Delivery, death: &Death) -> Option<Message>;
}
