//! Event source mappings: the node reads a source and runs a function with batches of what is in it.
//!
//! ```text
//! source ──receive──▶ hand ──size, window, 6 MB──▶ batch ──invoke──▶ settle: acked, left, or given back
//!            ▲                                       │
//!            └──── as many batches as the scale allows ◀── backlog, throttles
//! ```
//!
//! Each mapping has one poller (`poller.rs`), a task that waits in the queue's own waiting room and never
//! asks in vain; its batches run in tasks of their own (`run.rs`). A lease is the queue's visibility
//! timeout, so what a crash leaves behind becomes visible again, and what fails too often reaches the
//! dead-letter queue of the source.
//!
//! # Invariants
//! - A message leaves the source only after the function succeeded with it, or because no filter matches it.
//! - A FIFO queue's group is in one batch at a time: the store leases no second one.
//! - A throttled function slows its poller and costs no receive: the batch is kept and tried again.
//! - A batch runs only while its messages are leased. What no function got is put back as if it had not been
//!   received.
//! - One mapping never holds up another; all of them together hold a bounded amount of memory, and one that holds
//!   half of what is free waits with more.
//! - The source is an enum ([`Source`](model::Source)): a topic of Kafka (`kafka/`) has a poller and batches of its own
//!   over the same scale, filters and memory.

mod batch;
mod filter;
mod kafka;
mod limits;
mod model;
mod poller;
mod registry;
mod run;
mod scale;
mod tables;
mod view;
mod worker;
mod written;

#[cfg(test)]
mod tests;

pub(crate) use limits::MAPPINGS_PAGE;
pub(crate) use model::{Mapping, MappingId};
pub(crate) use registry::{Found, Mappings};
pub use tables::MIGRATIONS;
pub(crate) use view::{Transition, view};
pub(crate) use written::{NOT_FOR_SOURCES, REFUSED, REFUSED_WITHIN, WrittenMapping};
