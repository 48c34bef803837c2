//! Who takes events.

use tradewind_model::Arn;

use crate::message::Message;
use crate::router::Routing;

/// The part of a service that takes events for its resources: a function's queue, a queue, a topic, a bus.
pub trait Receiver: Send + Sync + std::fmt::Debug {
    /// Whether `target` is there and takes events; asked when somebody names it as a destination.
    ///
    /// # Errors
    /// [`Undeliverable::NotFound`], or why it takes none.
    fn find(&self, target: &Arn) -> Result<(), Undeliverable>;

    /// Adds to the routing's batch what makes `target` owe the event, or hands it to further targets.
    ///
    /// It reads memory only and is short. What it notes in memory must not count until the batch commits
    /// (`Batch::after_commit`).
    ///
    /// # Errors
    /// When the target does not take it: nothing was added then.
    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable>;
}

/// Why a target does not get an event. To try again at once does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// No service of this node takes events for such a target.
    #[error("{target} is not something that events can be sent to on this node")]
    NoReceiver {
        /// The ARN.
        target: String,
    },
    /// The target is not there.
    #[error("{target} does not exist")]
    NotFound {
        /// The ARN.
        target: String,
    },
    /// The target takes no message of this size.
    #[error("the message of {bytes} bytes is larger than the {limit} bytes that {target} takes")]
    TooLarge {
        /// The ARN.
        target: String,
        /// Its size.
        bytes: usize,
        /// What the target takes.
        limit: usize,
    },
    /// As many wait for the target as it may have.
    #[error("too many events wait for {target}")]
    Full {
        /// The ARN.
        target: String,
    },
    /// The way leads back to where it came through.
    #[error("the event would go round for ever: {way}")]
    Loop {
        /// The targets on the way, with arrows.
        way: String,
    },
    /// The way is longer than [`crate::MAX_HOPS`].
    #[error(
        "the event would go through more than {} topics and buses: {way}",
        crate::MAX_HOPS
    )]
    TooDeep {
        /// The targets on the way, with arrows.
        way: String,
    },
    /// The event has more than [`crate::MAX_DELIVERIES`] deliveries.
    #[error("the event would have more than {} deliveries", crate::MAX_DELIVERIES)]
    TooMany,
    /// The target refuses this event, for example a FIFO queue one without a group.
    #[error("{target} refuses the event: {reason}")]
    Refused {
        /// The ARN.
        target: String,
        /// Why.
        reason: String,
    },
}
