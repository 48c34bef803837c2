//! Secrets Manager: secrets, their versions and stages.
//!
//! All secrets are in memory (`registry.rs`), their values sealed: a value is opened for the request that
//! asks for it. So who logs in somewhere gets a secret without asking the database
//! ([`tradewind_model::Secrets`]).
//!
//! # Invariants
//! - A value is stored and kept sealed under the node's key, together with the secret and version it is of: a
//!   row that was moved to another place does not open. Values are never printed.
//! - A secret with a value has exactly one version that is `AWSCURRENT`; a stage is of one version at most.
//! - An answered change is on the disk; memory shows it no sooner. The days on which values were asked for are
//!   written later, by the worker: a disk that takes nothing keeps nobody from a secret.
//! - A secret that is scheduled for deletion gives no value; when its time has come, its rows go.
//! - The value of a version never changes.

mod access;
mod api;
mod error;
mod filter;
mod generated;
mod model;
mod names;
mod operation;
mod password;
mod registry;
mod resource;
mod sealed;
mod service;
mod tables;
mod token;
mod worker;

#[cfg(test)]
mod testing;

pub use error::SecretsManagerError;
pub use operation::operations;
pub use service::{SecretsManagerConfig, SecretsManagerService};
pub use tables::MIGRATIONS;
