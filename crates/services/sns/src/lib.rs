//! SNS: topics, standard and FIFO, and what is subscribed to them: queues, functions, HTTP endpoints, mail.
//!
//! A publish, whether by a client (`api/publish.rs`) or by another service (`receiver.rs`), is checked once
//! (`publication.rs`) and resolved to what each subscription gets (`fan_out.rs`). For queues and functions
//! that happens in the publisher's own transaction; to HTTP endpoints and mail addresses it owes a delivery, which `endpoint.rs`
//! makes later and again until it succeeds or the policy ends it.
//!
//! # Invariants
//! - An answered publish, and what each subscription is owed of it, is on disk.
//! - Topics and subscriptions are in memory as they are in the tables; a publish reads memory only.
//! - An attribute that is not honoured is refused by name, not kept.
//! - Nothing but its confirmation is sent to an endpoint before it has confirmed its subscription.

mod api;
mod attributes;
mod delivery_policy;
mod endpoint;
mod error;
mod fan_out;
mod fifo;
mod filter;
mod model;
mod names;
mod notification;
mod operation;
mod protocol;
mod publication;
mod receiver;
mod registry;
mod resource;
mod service;
mod signing;
mod tables;
mod worker;

#[cfg(test)]
mod testing;

pub use error::SnsError;
pub use names::{InvalidTopicName, SubscriptionArn, TopicArn, TopicName};
pub use operation::operations;
pub use service::{SnsConfig, SnsService};
pub use tables::MIGRATIONS;
