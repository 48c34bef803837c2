//! EventBridge Scheduler: schedules in groups, each with a target that gets an event when it is due.
//!
//! A request goes through `api.rs`: read, checked (`settings.rs`), stored together with the schedule's timer
//! (`service.rs`). When the timer is due, `worker.rs` makes the event and hands it to the router: the
//! target's row, the schedule's next time and, at the end, its deletion are one transaction.
//!
//! # Invariants
//! - An enabled schedule that is due again has one timer; a disabled or completed one has none.
//! - Every occurrence is delivered once, or its failure is in the dead-letter queue once, if there is one.
//! - What is stored was parsed: a setting that a node does not honour is refused, not kept.

mod api;
mod error;
mod model;
mod names;
mod operation;
mod registry;
mod resource;
mod service;
mod settings;
mod tables;
mod target;
mod token;
mod worker;

#[cfg(test)]
mod testing;

pub use error::SchedulerError;
pub use operation::operations;
pub use service::{SchedulerConfig, SchedulerService};
pub use tables::MIGRATIONS;

/// The name under which the service's timers are kept.
pub(crate) const TIMERS: &str = "scheduler";
