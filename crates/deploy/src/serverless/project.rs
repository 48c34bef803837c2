//! What a loaded project offers to those who build, package and deploy it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use tradewind_model::{AccountId, Runtime, Timestamp};

use super::model::Definition;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::yaml::Node;

/// How a project is to be loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The service directory.
    pub dir: PathBuf,
    /// The configuration file, when it is not the first of the usual names in `dir`; relative to `dir`.
    pub config: Option<PathBuf>,
    /// `--stage`
    pub stage: Option<String>,
    /// `--region`
    pub region: Option<String>,
    /// `--param k=v`
    pub params: BTreeMap<String, String>,
    /// Further options as given, for `${opt:…}`.
    pub options: BTreeMap<String, String>,
    /// The process environment, for `${env:…}`.
    pub environment: BTreeMap<String, String>,
    /// For `${aws:accountId}`.
    pub account: AccountId,
    /// The `node` program, for configuration written in JavaScript.
    pub node: Option<PathBuf>,
    /// Whether functions get an `AWS::Lambda::Version` each time their code changes. Projects can
    /// still turn it off.
    pub publish_versions: bool,
    /// The time of this deployment: names the folder of its artifacts.
    pub now: Timestamp,
}

/// A project that can be deployed.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// The service directory.
    pub root: PathBuf,
    /// The configuration file.
    pub config_file: PathBuf,
    /// `service`
    pub service: String,
    /// The effective stage.
    pub stage: String,
    /// The effective region.
    pub region: String,
    /// The stack's name.
    pub stack_name: String,
    /// The functions in the order of the file.
    pub functions: Vec<ProjectFunction>,
    /// The packages they need: one for all, or one each; then those of the layers.
    pub packages: Vec<PackageRequest>,
    /// `plugins` as written.
    pub plugins: Vec<(String, Span)>,
    /// What should be looked at but does not stop a deployment.
    pub warnings: Vec<Diagnostic>,
    /// Every configuration file that was read, to be watched.
    pub inputs: Vec<PathBuf>,
    /// Values for the template's parameters (`provider.stackParameters`).
    pub stack_parameters: BTreeMap<String, String>,
    /// Tags of the stack.
    pub stack_tags: BTreeMap<String, String>,
    /// Patterns, as in [`PackageRequest::patterns`], of files only the project can name.
    pub(crate) excluded_files: Vec<String>,
    /// What the template is made from.
    pub(crate) definition: Definition,
    /// `custom`, resolved: where bundlers keep their settings.
    pub custom: Value,
    /// `build`, resolved; null when the project declares none.
    pub build: Value,
}

/// One function of a project.
#[derive(Clone, Debug)]
pub struct ProjectFunction {
    /// The key below `functions`.
    pub key: String,
    /// The function's name.
    pub name: String,
    /// Its logical id in the template.
    pub logical_id: String,
    /// `file.export`, as written.
    pub handler: String,
    /// What runs it.
    pub runtime: Runtime,
    /// Where its runtime is named, in the function or for all of them.
    pub runtime_span: Span,
    /// Where its handler is named.
    pub span: Span,
    /// Index into [`Project::packages`].
    pub package: usize,
    /// Whether it has layers, which may bring what its package does not hold.
    pub has_layers: bool,
}

/// One zip the project asks for.
#[derive(Clone, Debug)]
pub struct PackageRequest {
    /// For example `shop.zip`.
    pub artifact_name: String,
    /// `serverless/<service>/<stage>/<ms>-<ISO time>/<artifact_name>`: the template's `S3Key`.
    pub artifact_key: String,
    /// Patterns in the order they apply, later ones win, `!x` excludes. The configuration file and the
    /// other files only the project can name come first; fixed default exclusions are not listed.
    pub patterns: Vec<String>,
    /// `package.artifact`: a zip that exists already.
    pub artifact: Option<PathBuf>,
    /// Of a layer: the folder whose contents it holds. Nothing is built for it.
    pub folder: Option<PathBuf>,
    /// Whether Node development dependencies are left out.
    pub exclude_dev_dependencies: bool,
    /// Indices into [`Project::functions`].
    pub functions: Vec<usize>,
    /// Where the packaging is configured, else the functions or the service.
    pub span: Span,
}

impl Project {
    /// The template of this project.
    ///
    /// `digests` gives the base64 SHA-256 of each package by its artifact key.
    ///
    /// # Errors
    /// What only shows when everything is put together, such as a patch for a resource that is not there.
    pub fn compile(&self, digests: &BTreeMap<String, String>) -> Result<Template, Diagnostics> {
        super::compile::compile(self, digests)
    }
}

/// A CloudFormation template and where its parts come from.
#[derive(Clone, Debug, Default)]
pub struct Template {
    /// The template; keys are in the order they are to be shown.
    pub body: Value,
    /// Where each logical id comes from: the function, event or resource.
    pub locations: BTreeMap<String, Span>,
    /// Where single properties of generated resources come from, by logical id and property.
    pub(super) details: BTreeMap<(String, String), Span>,
    /// Resources as the user wrote them.
    pub(super) written: BTreeMap<String, Node>,
}

impl Template {
    /// Where the value at `path` was written: its own line when the user wrote it, else the line of the
    /// nearest thing it was generated from. `path` leads into the resource `logical_id` or into its
    /// `Properties`.
    #[must_use]
    pub fn span_of(&self, logical_id: &str, path: &[String]) -> Option<Span> {
        let below_properties = match path {
            [first, rest @ ..] if first == "Properties" => rest,
            _ => path,
        };
        let written = self.written.get(logical_id);
        let in_written = written.and_then(|node| {
            let whole = deepest(node, path);
            let properties = node
                .child("Properties")
                .and_then(|node| deepest(node, below_properties));
            let deeper = |found: &(usize, Span)| found.0;
            [whole, properties].into_iter().flatten().max_by_key(deeper)
        });
        let detail = || {
            let property = below_properties.first()?;
            self.details
                .get(&(logical_id.to_owned(), property.clone()))
                .cloned()
        };
        in_written
            .map(|(_, span)| span)
            .or_else(detail)
            .or_else(|| self.locations.get(logical_id).cloned())
    }
}

/// Where the last key of `path` stands that is there, and how many of its keys are; none if not one is.
fn deepest(node: &Node, path: &[String]) -> Option<(usize, Span)> {
    let mut current = node;
    let mut found = None;
    for (index, key) in path.iter().enumerate() {
        let span = match current.as_map().and_then(|map| map.entry(key)) {
            Some(entry) => entry.key_span.clone(),
            None => match current.child(key) {
                Some(child) => child.span.clone(),
                None => return found,
            },
        };
        current = current.child(key)?;
        found = Some((index + 1, span));
    }
    found
}
