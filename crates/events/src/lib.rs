//! Events: from a source, through topics and buses, to the targets that are owed them.
//!
//! A source does not send an event, it adds it to its own batch: [`Router::deliver`] resolves the target,
//! through as many topics and buses as there are on the way, and what comes of it are rows of that one
//! batch. The source's change and all deliveries of it commit together or not at all.
//!
//! # Invariants
//! - Between the source and the last queue inside the node nothing is lost and nothing is doubled: there is
//!   one transaction.
//! - Resolving reads memory only, so it can happen while a batch is made.
//! - A fan-out ends: no target is entered twice on one way, a way has at most [`MAX_HOPS`] hops, and one
//!   event has at most [`MAX_DELIVERIES`] deliveries.
//! - Who receives does not know who sends. Services meet here ([`Router::connect`]) and nowhere else.

pub mod api_destination;
mod batch_response;
pub mod bucket_event;
pub mod delivery;
pub mod filter_policy;
#[cfg(test)]
mod fuzz;
pub mod http_client;
pub mod journey;
pub mod mail;
mod message;
pub mod pattern;
mod queue_source;
mod receiver;
mod router;
pub mod schedule;
mod share;
mod trace;
pub mod transform;

pub use batch_response::{BatchItem, Verdict, batch_item_failures, verdict};
pub use message::{AttributeValue, Message, MessageAttribute};
pub use queue_source::{QueueFacts, QueueRecord, QueueSource, RecordAttribute};
pub use receiver::{Receiver, Undeliverable};
pub use router::{MAX_DELIVERIES, MAX_HOPS, Router, Routing};
pub use share::share_of;
pub use trace::Trace;
