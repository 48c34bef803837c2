//! The durable queue: the one primitive under SQS, deliveries and asynchronous work.
//!
//! ```text
//! send ──▶ delayed ──time──▶ ready ──receive──▶ leased ──ack──▶ gone
//!                              ▲                  │
//!                              └──nack, expiry────┤
//!                                                 └─ received too often ──▶ ready in the dead-letter queue
//! ```
//!
//! Invariants:
//! - A message whose [`Queues::send`] answered is on disk; it leaves only by ack, purge, deletion of its
//!   queue, or the end of its retention.
//! - A leased message is visible to nobody until its lease ends. A [`Receipt`] belongs to one lease: it
//!   settles nothing after a later receive.
//! - In a FIFO queue the messages of a group are received in the order of their sequence numbers, and
//!   none of a group is received while another of it is leased. Groups take turns.
//! - A deduplication id is taken once in [`DEDUPLICATION_WINDOW`].
//! - Nobody polls: a receiver that waits is woken by what makes a message ready, also by time.
//!
//! Whether a message is delayed, ready or leased is not stored: its `visible_at` and the time say so.
//! That is why no clean-up has to run for a lease to end.

mod error;
mod in_order;
mod keeper;
mod leases;
mod model;
mod moves;
mod outbox;
mod queues;
mod rows;
mod tables;
mod transaction;
mod waiting;

#[cfg(test)]
mod tests;

pub use error::QueueError;
pub use model::{
    DEDUPLICATION_WINDOW, DeadLetter, Death, DeduplicationScope, Depth, InvalidReceipt, MessageId,
    NewMessage, QueueId, QueueSettings, Receipt, Received, Sent, Settled,
};
pub use moves::{MoveId, MoveStatus, MoveTask};
pub use queues::Queues;
pub use rows::content_hash;
pub use tables::MIGRATIONS;
