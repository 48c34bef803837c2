//! A template while it grows, and where its parts come from.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::serverless::model::{Definition, Function};
use crate::serverless::project::{Project, Template};
use crate::yaml::Node;

const DESCRIPTION: &str = "The AWS CloudFormation template for this Serverless application";

/// A template while it grows.
#[derive(Debug)]
pub(super) struct Builder<'p> {
    pub(super) project: &'p Project,
    pub(super) definition: &'p Definition,
    pub(super) sections: Map<String, Value>,
    pub(super) resources: Map<String, Value>,
    pub(super) outputs: Map<String, Value>,
    pub(super) locations: BTreeMap<String, Span>,
    details: BTreeMap<(String, String), Span>,
    written: BTreeMap<String, Node>,
    problems: Vec<Diagnostic>,
}

impl<'p> Builder<'p> {
    pub(super) fn new(project: &'p Project) -> Self {
        let mut sections = Map::new();
        sections.insert("AWSTemplateFormatVersion".into(), json!("2010-09-09"));
        sections.insert("Description".into(), json!(DESCRIPTION));
        Self {
            project,
            definition: &project.definition,
            sections,
            resources: Map::new(),
            outputs: Map::new(),
            locations: BTreeMap::new(),
            details: BTreeMap::new(),
            written: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Adds a resource that comes from `span`; two things must not get the same logical id.
    pub(super) fn add(&mut self, id: &str, resource: Value, span: &Span) {
        if let Some(other) = self.locations.get(id) {
            let problem = Diagnostic::error(format!("this and {other} get the same logical id, `{id}`"))
                .at(span)
                .hint("rename one of them: case and signs other than `-` do not count");
            self.problems.push(problem);
            return;
        }
        self.resources.insert(id.to_owned(), resource);
        self.locations.insert(id.to_owned(), span.clone());
    }

    /// Adds a resource of the service as a whole.
    pub(super) fn add_shared(&mut self, id: &str, resource: Value) {
        let span = self.service_span();
        self.add(id, resource, &span);
    }

    /// Where the service is named.
    pub(super) fn service_span(&self) -> Span {
        let fallback = || Span::start_of(&self.project.config_file);
        self.definition.span.clone().unwrap_or_else(fallback)
    }

    /// Adds an output and the name other stacks import it by.
    pub(super) fn output(&mut self, key: &str, description: Option<&str>, value: Value) {
        let mut output = Map::new();
        if let Some(description) = description {
            output.insert("Description".into(), description.into());
        }
        output.insert("Value".into(), value);
        if self.definition.export_outputs {
            let name = format!("sls-{}-{}-{key}", self.project.service, self.project.stage);
            output.insert("Export".into(), json!({ "Name": name }));
        }
        self.outputs.insert(key.to_owned(), Value::Object(output));
    }

    /// Notes that `property` of the resource `id` was written below `path` of `provider`.
    pub(super) fn locate_in_provider(&mut self, id: &str, property: &str, path: &[&str]) {
        let provider = self.definition.provider.as_ref();
        if let Some(span) = provider.and_then(|node| key_span(node, path)) {
            self.details.insert((id.to_owned(), property.to_owned()), span);
        }
    }

    /// Notes that `property` of the resource `id` was written as `key` of `node`.
    pub(super) fn locate(&mut self, id: &str, property: &str, node: &Node, key: &str) {
        if let Some(span) = key_span(node, &[key]) {
            self.details.insert((id.to_owned(), property.to_owned()), span);
        }
    }

    /// Notes that `property` of the function's resource was written as `key`, there or in `provider`.
    pub(super) fn locate_in_function(&mut self, id: &str, property: &str, function: &Function, key: &str) {
        match key_span(&function.node, &[key]) {
            Some(span) => drop(self.details.insert((id.to_owned(), property.to_owned()), span)),
            None => self.locate_in_provider(id, property, &[key]),
        }
    }

    /// Keeps a resource as the user wrote it, for the places of its properties.
    pub(super) fn written(&mut self, id: &str, node: &Node) {
        self.written.insert(id.to_owned(), node.clone());
    }

    pub(super) fn problem(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    pub(super) fn finish(mut self) -> Result<Template, Diagnostics> {
        if !self.problems.is_empty() {
            return Err(Diagnostics::in_order(self.problems));
        }
        self.sections.entry("Resources").or_insert(Value::Null);
        self.sections.entry("Outputs").or_insert(Value::Null);
        let mut body = Map::new();
        for (name, section) in self.sections {
            let section = match name.as_str() {
                "Resources" => Value::Object(std::mem::take(&mut self.resources)),
                "Outputs" => Value::Object(std::mem::take(&mut self.outputs)),
                _ => section,
            };
            body.insert(name, section);
        }
        Ok(Template {
            body: Value::Object(body),
            locations: self.locations,
            details: self.details,
            written: self.written,
        })
    }
}

/// Where the last key of `path` stands.
fn key_span(node: &Node, path: &[&str]) -> Option<Span> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(node, |node, key| node.child(key))?;
    parent.as_map()?.entry(last).map(|entry| entry.key_span.clone())
}
