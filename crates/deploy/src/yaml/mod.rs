//! YAML and JSON files as trees that know where each value stands.
//!
//! YAML 1.2 with the core schema, merge keys, and CloudFormation's short tags (`!Ref`, `!Sub`, …)
//! written out. What a reader could take for something else stays text: dates, numbers with leading
//! zeros, numbers beyond 2^53, `yes` and `no`. Duplicate keys are errors; depth, size and the expansion of
//! aliases are bounded.

mod json;
mod node;
mod reader;
mod scalar;
mod tags;

pub use node::{Content, Entry, Map, Node};

use std::path::Path;

use crate::diagnostic::Diagnostic;

/// Values nested deeper than this are refused.
const MAX_DEPTH: usize = 100;
/// Nodes of one file, aliases expanded.
const MAX_NODES: usize = 200_000;

/// Reads one YAML document; an empty one is null.
///
/// # Errors
/// The first thing that is wrong, at its place in `file`.
pub fn parse_yaml(text: &str, file: &Path) -> Result<Node, Diagnostic> {
    reader::read(text, file)
}

/// Reads a JSON text.
///
/// # Errors
/// The first thing that is wrong, at its place in `file`.
pub fn parse_json(text: &str, file: &Path) -> Result<Node, Diagnostic> {
    json::read(text, file)
}
