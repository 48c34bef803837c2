//! What the user writes below `resources`: merged into the template, patched onto it.

use serde_json::{Map, Value};

use super::builder::Builder;
use crate::diagnostic::{Diagnostic, nearest};
use crate::serverless::merge::{merge_json, without_nulls};
use crate::yaml::{Entry, Node};

/// Sections of a template (CloudFormation User Guide, "Template sections").
const SECTIONS: [&str; 10] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

pub(super) fn merge(builder: &mut Builder<'_>) {
    let resources = builder.definition.resources.as_ref().and_then(Node::as_map);
    let entries: Vec<&Entry> = resources.into_iter().flatten().collect();
    for entry in entries.iter().filter(|entry| !entry.node.is_null()) {
        match entry.key.as_str() {
            "Resources" => merge_resources(builder, &entry.node),
            "Outputs" => merge_into(&mut builder.outputs, &entry.node.to_json()),
            "extensions" => {}
            name if SECTIONS.contains(&name) => merge_section(builder, entry),
            _ => unknown_section(builder, entry),
        }
    }
    for entry in entries.iter().filter(|entry| entry.key == "extensions") {
        for extension in entry.node.as_map().into_iter().flatten() {
            extend(builder, extension);
        }
    }
}

fn merge_resources(builder: &mut Builder<'_>, node: &Node) {
    let Some(map) = node.as_map() else {
        let message = format!("`resources.Resources` is {}, not a mapping", node.kind());
        builder.problem(Diagnostic::error(message).at(&node.span));
        return;
    };
    for entry in map.iter().filter(|entry| !entry.node.is_null()) {
        let generated = builder.locations.contains_key(&entry.key);
        if !generated {
            builder
                .locations
                .insert(entry.key.clone(), entry.key_span.clone());
        }
        builder.written(&entry.key, &entry.node);
    }
    let mut resources = node.to_json();
    for resource in resources
        .as_object_mut()
        .into_iter()
        .flatten()
        .map(|(_, resource)| resource)
    {
        list_dependencies(resource);
    }
    merge_into(&mut builder.resources, &resources);
}

/// A dependency alone becomes a list of one, as the framework makes it.
fn list_dependencies(resource: &mut Value) {
    if let Some(dependency) = resource.get_mut("DependsOn").filter(|value| value.is_string()) {
        *dependency = Value::Array(vec![dependency.take()]);
    }
}

fn merge_into(into: &mut Map<String, Value>, from: &Value) {
    let mut whole = Value::Object(std::mem::take(into));
    merge_json(&mut whole, from);
    if let Value::Object(merged) = whole {
        *into = merged;
    }
}

fn merge_section(builder: &mut Builder<'_>, entry: &Entry) {
    // Sections stand in the order of the template: resources and outputs before what the user adds.
    builder.sections.entry("Resources").or_insert(Value::Null);
    builder.sections.entry("Outputs").or_insert(Value::Null);
    let value = entry.node.to_json();
    match builder.sections.get_mut(&entry.key) {
        Some(section) => merge_json(section, &value),
        None => drop(builder.sections.insert(entry.key.clone(), without_nulls(&value))),
    }
}

fn unknown_section(builder: &mut Builder<'_>, entry: &Entry) {
    let error = Diagnostic::error(format!("`resources` has no section `{}`", entry.key)).at(&entry.key_span);
    let is_resource = entry.node.child("Type").is_some();
    let known = SECTIONS.into_iter().chain(["extensions"]);
    builder.problem(match nearest(&entry.key, known) {
        _ if is_resource => error.hint(format!("put `{}` below `resources.Resources`", entry.key)),
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("resources go below `resources.Resources`, outputs below `resources.Outputs`"),
    });
}

/// Patches one resource that is there: properties by name, the rest as a whole.
fn extend(builder: &mut Builder<'_>, extension: &Entry) {
    let id = extension.key.as_str();
    if !builder.resources.contains_key(id) {
        let ids: Vec<&str> = builder.resources.keys().map(String::as_str).collect();
        let error = Diagnostic::error(format!("`extensions` names `{id}`, which is not in the template"))
            .at(&extension.key_span);
        let problem = match nearest(id, ids) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        };
        builder.problem(problem);
        return;
    }
    for attribute in extension.node.as_map().into_iter().flatten() {
        if let Err(problem) = extend_attribute(&mut builder.resources, id, attribute) {
            builder.problem(problem);
        }
    }
}

fn extend_attribute(
    resources: &mut Map<String, Value>,
    id: &str,
    attribute: &Entry,
) -> Result<(), Diagnostic> {
    let Some(resource) = resources.get_mut(id).and_then(Value::as_object_mut) else {
        return Ok(());
    };
    let value = without_nulls(&attribute.node.to_json());
    let old = resource.get_mut(&attribute.key);
    match (attribute.key.as_str(), old, value) {
        ("Properties" | "Metadata", Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
        ("DependsOn", Some(old), new) => {
            let listed = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            let mut all = listed(old);
            all.extend(listed(&new));
            *old = Value::Array(all);
        }
        (
            "Properties"
            | "Metadata"
            | "DependsOn"
            | "Condition"
            | "DeletionPolicy"
            | "UpdatePolicy"
            | "UpdateReplacePolicy"
            | "CreationPolicy",
            _,
            new,
        ) => drop(resource.insert(attribute.key.clone(), new)),
        (other, ..) => {
            return Err(Diagnostic::error(format!("`extensions` cannot change `{other}`"))
                .at(&attribute.key_span)
                .hint("it changes Properties, DependsOn, Metadata, Condition and the policies"));
        }
    }
    Ok(())
}
