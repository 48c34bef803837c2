//! EventBridge Pipes: from a queue, through filters, an enrichment and templates, to one target.
//!
//! A request goes through `api.rs`: read, checked (`settings.rs`), stored (`tables.rs`). Each pipe that is
//! to run has a task (`worker.rs`) that receives batches of its queue; what becomes of one is in `batch.rs`.
//!
//! # Invariants
//! - A message leaves its queue only after its target has it. Where the target takes it within the node
//!   (queue, topic, bus, asynchronous function) and the source is a standard queue, both are one
//!   transaction, so it is neither lost nor doubled.
//! - A message whose way fails stays in its queue, whose redrive policy has the last word.
//! - What is stored was parsed: a setting that a node does not honour is refused, not kept.

mod api;
mod batch;
mod error;
mod model;
mod operation;
mod resource;
mod service;
mod settings;
mod tables;
mod target;
mod template;
mod token;
mod worker;

#[cfg(test)]
mod testing;

pub use error::PipesError;
pub use operation::operations;
pub use service::{FunctionFailure, Functions, PipesConfig, PipesService};
pub use tables::MIGRATIONS;
