//! EventBridge: buses, rules and their targets.
//!
//! An event comes through [`EventBridgeService::handle`] (`PutEvents`) or from another service
//! (`receiver.rs`); either way the bus matches it with its rules in memory and adds what their targets are
//! owed to the batch that the event comes in.
//!
//! # Invariants
//! - An event and all its deliveries commit together or not at all; an answered `PutEvents` is on disk.
//! - What is stored was parsed: a pattern, target or setting that a node does not honour is refused, not
//!   kept.
//! - Matching reads memory only.
//! - Archives keep an event in the batch that it comes in.
//! - What a target does not take goes to a dead-letter queue with the reason, or is told of in the log.

mod api;
mod archive;
mod cloud_event;
mod connection;
mod destination;
mod error;
mod event;
mod model;
mod names;
mod operation;
mod partner;
mod receiver;
mod registry;
mod resource;
mod service;
mod tables;
mod target;
mod token;
mod worker;

#[cfg(test)]
mod testing;

pub use cloud_event::CloudEventError;
pub use error::EventBridgeError;
pub use operation::operations;
pub use service::{EventBridgeConfig, EventBridgeService};
pub use tables::MIGRATIONS;
