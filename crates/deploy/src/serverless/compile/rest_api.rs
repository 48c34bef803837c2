//! The REST API of `http` events.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::builder::Builder;
use super::function::invoked_arn;
use super::intrinsics::{api_permission, attribute, endpoint, reference};
use super::{api_method, cors};
use crate::diagnostic::Span;
use crate::serverless::model::{Function, HttpEvent, RestApi};
use crate::serverless::names::{normalise_method, normalise_path};

const API: &str = "ApiGatewayRestApi";

pub(super) fn compile(builder: &mut Builder<'_>) {
    let functions = &builder.definition.functions;
    let events: Vec<(&Function, &HttpEvent)> = functions
        .iter()
        .flat_map(|function| function.http.iter().map(move |event| (function, event)))
        .collect();
    let Some((_, first)) = events.first() else { return };
    api(builder, &first.span);
    resources(builder, &events);
    let mut methods = preflight_methods(builder, &events);
    methods.extend(event_methods(builder, &events));
    deployment(builder, &methods, &first.span);
    for function in functions.iter().filter(|function| !function.http.is_empty()) {
        let permission = api_permission(function, API, "/*/*");
        builder.add(&permission_id(function), permission, &function.span);
    }
    let stage = stage_name(builder).to_owned();
    let value = endpoint(API, Some(format!("/{stage}")));
    builder.output("ServiceEndpoint", Some("URL of the service endpoint"), value);
}

fn permission_id(function: &Function) -> String {
    format!("{}LambdaPermissionApiGateway", function.id)
}

fn stage_name<'b>(builder: &'b Builder<'_>) -> &'b str {
    let configured = builder.definition.rest_api.stage.as_deref();
    configured.unwrap_or(&builder.project.stage)
}

fn api(builder: &mut Builder<'_>, span: &Span) {
    let settings = &builder.definition.rest_api;
    let (service, stage) = (&builder.project.service, &builder.project.stage);
    let default_name = if settings.service_first {
        format!("{service}-{stage}")
    } else {
        format!("{stage}-{service}")
    };
    let name = settings.name.clone().unwrap_or_else(|| default_name.into());
    let resource = json!({"Type": "AWS::ApiGateway::RestApi", "Properties": api_properties(settings, name)});
    builder.add(API, resource, span);
    for (property, path) in [
        ("Name", ["apiName"].as_slice()),
        ("EndpointConfiguration", &["endpointType"]),
        ("BinaryMediaTypes", &["apiGateway", "binaryMediaTypes"]),
        (
            "MinimumCompressionSize",
            &["apiGateway", "minimumCompressionSize"],
        ),
        ("Description", &["apiGateway", "description"]),
        ("ApiKeySourceType", &["apiGateway", "apiKeySourceType"]),
        (
            "DisableExecuteApiEndpoint",
            &["apiGateway", "disableDefaultEndpoint"],
        ),
    ] {
        builder.locate_in_provider(API, property, path);
    }
}

fn api_properties(settings: &RestApi, name: Value) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            properties.insert(name.to_owned(), value);
        }
    };
    let endpoint_type = settings.endpoint_type.as_deref().unwrap_or("EDGE").to_uppercase();
    set("Name", Some(name));
    let media_types = &settings.binary_media_types;
    set(
        "BinaryMediaTypes",
        (!media_types.is_empty()).then(|| media_types.clone().into()),
    );
    set("EndpointConfiguration", Some(json!({"Types": [endpoint_type]})));
    set("Policy", Some("".into()));
    set(
        "MinimumCompressionSize",
        settings.minimum_compression_size.map(Value::from),
    );
    set("Description", settings.description.clone().map(Value::from));
    set(
        "ApiKeySourceType",
        settings.api_key_source.clone().map(Value::from),
    );
    set(
        "DisableExecuteApiEndpoint",
        settings.disable_default_endpoint.map(Value::from),
    );
    properties
}

/// A resource for each part of each path, parents first, paths in the order they first appear.
fn resources(builder: &mut Builder<'_>, events: &[(&Function, &HttpEvent)]) {
    let mut tree = PathTree::default();
    for (_, event) in events.iter().filter(|(_, event)| !event.path.is_empty()) {
        tree.insert(&event.path, &event.span);
    }
    tree.visit("", &mut |path, span| {
        let (parent, part) = path.rsplit_once('/').unwrap_or(("", path));
        let resource = json!({
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                "ParentId": resource_reference(parent),
                "PathPart": part,
                "RestApiId": reference(API),
            },
        });
        builder.add(&resource_id(path), resource, span);
    });
}

fn resource_id(path: &str) -> String {
    format!("ApiGatewayResource{}", normalise_path(path))
}

/// The resource of `path`; the API's root for the empty one.
fn resource_reference(path: &str) -> Value {
    if path.is_empty() {
        attribute(API, "RootResourceId")
    } else {
        reference(&resource_id(path))
    }
}

fn method_id(path: &str, method: &str) -> String {
    format!(
        "ApiGatewayMethod{}{}",
        normalise_path(path),
        normalise_method(method)
    )
}

/// OPTIONS methods; a path that has one of its own keeps it.
fn preflight_methods(builder: &mut Builder<'_>, events: &[(&Function, &HttpEvent)]) -> Vec<String> {
    let own = |path: &str| {
        events
            .iter()
            .any(|(_, e)| e.path == path && e.method == "OPTIONS")
    };
    let mut ids = Vec::new();
    for preflight in cors::preflights(events.iter().map(|(_, event)| *event)) {
        if own(&preflight.path) {
            continue;
        }
        let mut properties = preflight.properties();
        properties.insert("ResourceId".into(), resource_reference(&preflight.path));
        properties.insert("RestApiId".into(), reference(API));
        let resource = json!({"Type": "AWS::ApiGateway::Method", "Properties": properties});
        let span = events
            .iter()
            .find(|(_, e)| e.path == preflight.path && e.cors.is_some())
            .map_or_else(|| builder.service_span(), |(_, event)| event.span.clone());
        let id = method_id(&preflight.path, "OPTIONS");
        builder.add(&id, resource, &span);
        ids.push(id);
    }
    ids
}

fn event_methods(builder: &mut Builder<'_>, events: &[(&Function, &HttpEvent)]) -> Vec<String> {
    let mut ids = Vec::new();
    for (function, event) in events {
        let resource = resource_reference(&event.path);
        let resource = json!({
            "Type": "AWS::ApiGateway::Method",
            "Properties": api_method::properties(event, resource, invoked_arn(function)),
            "DependsOn": [permission_id(function)],
        });
        let id = method_id(&event.path, &event.method);
        builder.add(&id, resource, &event.span);
        ids.push(id);
    }
    ids
}

/// The deployment's logical id changes exactly when the API does, so that a changed API is deployed anew.
fn deployment(builder: &mut Builder<'_>, methods: &[String], span: &Span) {
    let mut properties = Map::new();
    properties.insert("RestApiId".into(), reference(API));
    properties.insert("StageName".into(), stage_name(builder).into());
    if let Some(description) = &builder.definition.rest_api.description {
        properties.insert("Description".into(), description.as_str().into());
    }
    let resource = json!({
        "Type": "AWS::ApiGateway::Deployment",
        "Properties": properties,
        "DependsOn": methods,
    });
    let id = format!("ApiGatewayDeployment{}", fingerprint(builder));
    builder.add(&id, resource, span);
}

/// A hash of everything that makes the API: what was generated and what the user adds to it.
fn fingerprint(builder: &Builder<'_>) -> String {
    let is_api = |id: &str| id.starts_with("ApiGateway");
    let generated = builder.resources.iter().filter(|(id, _)| is_api(id));
    let sorted: BTreeMap<&String, &Value> = generated.collect();
    let mut hash = Sha256::new();
    for (id, resource) in sorted {
        hash.update(id);
        hash.update(resource.to_string());
    }
    let written = builder.definition.resources.as_ref();
    for section in ["Resources", "extensions"] {
        let section = written
            .and_then(|node| node.child(section))
            .and_then(|node| node.as_map());
        for entry in section.into_iter().flatten().filter(|entry| is_api(&entry.key)) {
            hash.update(&entry.key);
            hash.update(entry.node.to_json().to_string());
        }
    }
    hash.finalize()
        .iter()
        .take(8)
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
            text
        })
}

/// Paths as a tree whose children keep the order they came in.
#[derive(Debug, Default)]
struct PathTree {
    children: Vec<(String, Option<Span>, PathTree)>,
}

impl PathTree {
    fn insert(&mut self, path: &str, span: &Span) {
        let (part, rest) = match path.split_once('/') {
            Some((part, rest)) => (part, Some(rest)),
            None => (path, None),
        };
        let known = self.children.iter().position(|(name, ..)| name == part);
        let index = known.unwrap_or_else(|| {
            self.children
                .push((part.to_owned(), Some(span.clone()), PathTree::default()));
            self.children.len() - 1
        });
        if let (Some(rest), Some((_, _, child))) = (rest, self.children.get_mut(index)) {
            child.insert(rest, span);
        }
    }

    fn visit(&self, parent: &str, visitor: &mut dyn FnMut(&str, &Span)) {
        for (part, span, child) in &self.children {
            let path = if parent.is_empty() {
                part.clone()
            } else {
                format!("{parent}/{part}")
            };
            if let Some(span) = span {
                visitor(&path, span);
            }
            child.visit(&path, visitor);
        }
    }
}
