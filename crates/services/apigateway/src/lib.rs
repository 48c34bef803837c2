//! API Gateway's control plane: the REST and HTTP APIs that stacks declare, kept in tables and
//! handed to the gateway.
//!
//! # Invariants
//! - What is stored is what is served: each change is written, then taken into memory, then given to
//!   the gateway as a whole API. After a restart [`ApiGatewayService::open`] serves the same.
//! - A REST API serves deployments. A deployment is a copy of the methods there were when it was
//!   made; changing a method changes nothing that is served until the next deployment. (Removing
//!   one does: unlike AWS, a method that is gone is not served by older copies either, because a
//!   stack makes its new deployment before it removes old methods.)
//! - An HTTP API serves its routes as they are (`AutoDeploy`).
//! - A property is honoured or refused by name; none is stored and ignored.
//!
//! # Where to look
//! `resource/` (a file for each CloudFormation type: what it accepts, and its record), `model.rs` (the
//! records), `state.rs` (all of them, and the API the gateway gets), `tables.rs` (their rows).

mod ids;
mod model;
mod resource;
mod service;
mod state;
mod tables;
mod uri;
mod urls;

pub use service::{ApiGatewayService, OpenApiGatewayError};
pub use tables::MIGRATIONS;
pub use urls::{Url, UrlKind};
