//! Variables: what `${…}` in a configuration stands for.
//!
//! [`resolve`] walks the whole configuration. Each variable is resolved once, when it is first needed;
//! what it yields is resolved too, so nothing in the outcome is left to resolve. A cycle is an error that
//! names the path around it; nesting, the size of texts and the number of values are bounded.

mod file;
mod grammar;
mod resolver;
mod sources;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::yaml::Node;

pub(super) use resolver::Resolver;
pub(super) use sources::NOT_SUPPORTED;
pub(super) use sources::{SOURCES, UNAVAILABLE};

/// What variables can refer to besides the configuration itself.
#[derive(Clone, Debug)]
pub(super) struct Context<'a> {
    /// The service directory.
    pub(super) dir: &'a Path,
    /// `--stage`, as given.
    pub(super) stage_option: Option<&'a str>,
    /// `--region`, as given.
    pub(super) region_option: Option<&'a str>,
    /// The effective stage; none while it is being found out.
    pub(super) stage: Option<String>,
    /// The effective region; likewise.
    pub(super) region: Option<String>,
    /// The account.
    pub(super) account: &'a str,
    /// `--param`
    pub(super) params: &'a BTreeMap<String, String>,
    /// Options as given.
    pub(super) options: &'a BTreeMap<String, String>,
    /// Process environment and dotenv files.
    pub(super) environment: &'a BTreeMap<String, String>,
    /// The `node` program.
    pub(super) node: Option<&'a Path>,
    /// Different in every run.
    pub(super) instance_id: String,
}

impl Context<'_> {
    /// All options, as JavaScript files see them.
    fn options_json(&self) -> Value {
        let mut all = self.options.clone();
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                all.insert(name.to_owned(), value.to_owned());
            }
        };
        add("stage", self.stage_option);
        add("region", self.region_option);
        all.into_iter()
            .map(|(key, value)| (key, Value::String(value)))
            .collect()
    }
}

/// A configuration without variables.
#[derive(Debug)]
pub(super) struct Resolution {
    /// The configuration; what could not be resolved is null.
    pub(super) root: Node,
    /// What is wrong.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
}

/// Resolves every variable of `root`.
pub(super) fn resolve(root: Node, context: &Context<'_>) -> Resolution {
    Resolver::new(root, context).resolve_all()
}
