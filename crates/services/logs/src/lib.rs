//! CloudWatch Logs: groups, streams, events, filter patterns and subscription filters.
//!
//! The events themselves are in `tradewind_observe`, where functions write them too; this crate owns what
//! AWS adds around them: names and ARNs, settings, the API with its pages and tokens (`api/`), patterns
//! (`pattern/`), and what is delivered of a group to functions (`worker.rs`).
//!
//! # Invariants
//! - A group's row says whose it is (`owner`): a stack never overwrites or deletes another's.
//! - The retention in the row is the one the log store enforces, from the first moment after a start.
//! - Events may exist for a group without a row (a function that logs before any deploy names its
//!   group): such a group is there for the API. Deleting a group deletes its events.
//! - An answered `PutLogEvents` is on the disk.
//! - A delivery of a subscription filter and how far the filter has come are one transaction: what a
//!   group keeps is delivered once, and events that do not match are looked at again after a crash at most.

mod api;
mod error;
mod model;
mod operation;
mod pattern;
mod receiver;
mod registry;
mod resource;
mod service;
mod tables;
mod token;
mod worker;

#[cfg(test)]
mod testing;

pub use error::LogsError;
pub use model::{InvalidLogGroup, LogGroup, LogGroupName, LogStreamName, RetentionDays};
pub use operation::operations;
pub use pattern::{FilterPattern, InvalidFilterPattern};
pub use service::{LogGroupOf, LogsConfig, LogsService};
pub use tables::MIGRATIONS;
