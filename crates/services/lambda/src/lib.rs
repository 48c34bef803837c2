//! The Lambda service: functions, their versions, aliases, policies and tags; invocations over the wire,
//! synchronous and asynchronous; and the CloudFormation types `AWS::Lambda::*`.
//!
//! A change is decided on the function as it is in memory, written to the database, then put into
//! memory, then told to the engine, one change at a time ([`LambdaService`], in `service.rs`).
//! Requests are answered from memory alone. An `Event` invocation is a row before it is a `202`
//! (`queue.rs`, `worker.rs`), and runs at least once.
//!
//! # Invariants
//! - What an operation acknowledged is in the database.
//! - The engine never knows a function or version that the database does not.
//! - A setting that is not honoured is refused by name, never stored (`settings.rs`).
//! - A version's code and settings never change; version numbers are never used twice.
//! - Every operation of the API is in one table (`operation.rs`), the missing ones too.

mod api;
mod dead_letter;
mod destination;
mod error;
mod event_invoke;
mod event_stream;
mod journey;
mod layer;
mod mapping;
mod model;
mod names;
mod objects;
mod operation;
mod payload;
mod policy;
mod queue;
mod receiver;
mod recursion;
mod registry;
mod resource;
mod schedule;
mod service;
mod settings;
mod tables;
mod token;
mod view;
mod worker;

#[cfg(test)]
mod testing;

pub use error::{KafkaMappingError, LambdaError, LayerError, MappingError, Violation, Violations};
pub use mapping::MIGRATIONS as MAPPING_MIGRATIONS;
pub use objects::{ObjectError, ObjectName, Objects};
pub use operation::{Entry, OPERATIONS, Operation, operations};
pub use service::{FunctionSummary, KafkaConfig, LambdaConfig, LambdaService};
pub use settings::Refusal;
pub use tables::{LoadFunctionsError, MIGRATIONS};
