//! SQS: standard and FIFO queues, in both protocols that its clients speak.
//!
//! A request goes through `api.rs`: either protocol is read into one shape (`protocol.rs`), the operation
//! runs (`api/`), and its answer is written in the protocol that was spoken. What a message goes through
//! is the store's queue (`tradewind_store::queue`); this crate owns what AWS adds around it: names and
//! URLs, attributes and their ranges, message attributes and digests, error codes, move tasks.
//!
//! # Invariants
//! - Every queue of the registry has a row of `sqs_queues` and a queue in the store. A crash between the
//!   two is mended when the service opens: the rows decide.
//! - What is stored was parsed: an attribute that a node does not honour is refused, not kept.
//! - What is sent to a queue with `SqsManagedSseEnabled` is stored sealed under the node's key (`sealed.rs`).
//! - An answered `SendMessage` is on disk (the store's promise, not weakened here).

mod api;
mod attributes;
mod error;
mod handle;
mod message;
mod model;
mod names;
mod operation;
mod policy;
mod protocol;
mod queue_source;
mod receiver;
mod registry;
mod resource;
mod sealed;
mod service;
mod tables;
mod token;

#[cfg(test)]
mod testing;

pub use error::SqsError;
pub use names::{InvalidQueueName, QueueArn, QueueName};
pub use operation::operations;
pub use service::{SqsConfig, SqsService};
pub use tables::MIGRATIONS;
