//! Durable deliveries to what is outside of the node, HTTP endpoints and mail relays, and to functions that
//! have no room at the moment.
//!
//! A delivery is owed in the transaction of its event ([`Deliveries::owe`]) and lies in its target's **lane**,
//! a queue of the store, until the target has it or it is given up:
//!
//! ```text
//! owe ──▶ lane ──fetch──▶ attempt ──Done──▶ gone
//!           ▲                │
//!           └──after a delay─┤ Retry, while the policy allows one
//!                            └─ GiveUp, or no retry left ──▶ dead-letter queue, or dropped and logged
//! ```
//!
//! # Invariants
//! - A delivery that committed is attempted at least once, also across a crash; it ends in the one
//!   transaction that puts its dead letter, or that gives it to its target inside of the node.
//! - A target has a lane of its own with a bound of its own ([`LaneSettings::concurrency`]), and lanes take
//!   turns: a slow target holds up nobody.
//! - A rate may be shared by many lanes ([`Rate`]): who has no turn yet waits in its lane, in order, and neither an attempt
//!   nor a place among those that run is used up by waiting.
//! - A lane without work costs no task and no timer, one that waits for a retry costs one entry.
//! - A lane may keep order ([`LaneSettings::in_order`]): then it delivers batches, one after the other, and what
//!   is to be tried again holds up what was owed later; also across a crash.
//! - What a lane's settings are is its owner's to keep: they are told when the node starts
//!   ([`Deliveries::open`]), and hold from the next attempt.

mod lanes;
mod model;
mod retry;
mod worker;

#[cfg(test)]
mod tests;

pub use lanes::{Deliveries, DeliveriesConfig, Stopped};
pub use model::{Death, Deliverer, Delivery, LaneId, LaneSettings, Outcome, Rate};
pub use retry::{Backoff, Exhausted, Jitter, RetryPolicy};
