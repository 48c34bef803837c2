//! SES: mail of applications to any address, through the node's mail relay.
//!
//! Both of AWS's APIs come to the same: a letter is written (`letter.rs`) or taken as it is (`raw.rs`), checked
//! (`send.rs`), and owed to each recipient as a delivery that `worker.rs` hands to the relay.
//!
//! # Invariants
//! - An answered send is on the disk, for all recipients or for none.
//! - Every recipient has a delivery of their own: an address that the relay refuses keeps nobody else from theirs.
//! - What the relay gets names no `Bcc`; no member of a request can add a header of its own.
//! - Who sends is an identity of the account, or the node's own sender.

mod api;
mod error;
mod letter;
mod model;
mod operation;
mod raw;
mod resource;
mod send;
mod service;
mod tables;
mod worker;

#[cfg(test)]
mod testing;

pub use error::SesError;
pub use operation::{operations, query_operations};
pub use service::{SesConfig, SesService};
pub use tables::MIGRATIONS;
