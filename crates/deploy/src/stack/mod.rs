//! The template engine: a CloudFormation template → a graph → a diff against the stored stack →
//! changes in dependency order, undone on failure.
//!
//! Invariants:
//! - What is wrong with a template is found and reported before anything is changed.
//! - A resource's row is stored before the resource is made, so a crash at any point leaves a
//!   stack that the next apply brings to its template ([`tradewind_model::resource`] says what that
//!   asks of resource types).
//! - A failed apply leaves what ran before it running: created resources are removed, changed ones
//!   changed back, replaced ones kept until everything else has succeeded.

mod apply;
mod artifacts;
mod dynamic;
mod engine;
mod exports;
mod graph;
mod intrinsics;
mod model;
mod rollback;
mod sources;
mod tables;
mod tags;
mod template;

pub use engine::{ApplyError, ApplyRequest, RemoveError, StackEngine};
pub use model::{
    InvalidStackName, ResourceDescription, StackDescription, StackEvent, StackName, StackOutcome, StackStatus,
};
pub use sources::EventSource;
pub use tables::MIGRATIONS;
pub use template::TemplateProblem;

#[cfg(test)]
mod tests;
