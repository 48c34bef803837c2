//! The world outside of the node that is neither HTTP nor mail: Kafka, in and out.
//!
//! [`Cluster`] says where brokers are and how to log in; [`Clusters`] are those that a node knows by name. What goes
//! wrong with them is a [`Problem`], in the words that Lambda has for it. The client is librdkafka; `client.rs` is the
//! only place that knows its settings.
//!
//! [`Producer`] writes to a cluster, [`Topics`] to what an ARN names.
//!
//! # Invariants
//! - A record is written when all replicas have it; what a producer tries again, it writes once and in order.
//! - Nothing of the client runs on an asynchronous thread: its calls may block.
//! - What it buffers is bounded; its logs go to `tracing`; it keeps no statistics.
//! - A password and a private key are [`SecretText`](tradewind_model::SecretText): they are not printed.

mod client;
mod cluster;
pub mod consumer;
mod credential;
mod named;
mod problem;
mod producer;
mod topics;

pub use client::{Health, config};
pub use cluster::{ClientCertificate, Cluster, InvalidServers, Login, Mechanism, Security, Servers, Tls};
pub use credential::{CredentialError, Credentials, certificate_authority, client_certificate};
pub use named::{Clusters, NamedCluster};
pub use problem::Problem;
pub use producer::{ProduceCode, ProduceError, Producer, Record};
pub use topics::{InvalidTopic, TopicArn, Topics};
