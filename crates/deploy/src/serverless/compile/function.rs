//! Functions, their log groups and their versions.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::builder::Builder;
use super::intrinsics::{attribute, join, reference};
use super::{event_invoke, layers, url};
use crate::serverless::model::{Function, Logging, Role};
use crate::serverless::read::tag_list;

/// Template properties and the keys they are written as.
const WRITTEN_AS: [(&str, &str); 17] = [
    ("Architectures", "architecture"),
    ("DeadLetterConfig", "onError"),
    ("Description", "description"),
    ("Environment", "environment"),
    ("EphemeralStorage", "ephemeralStorageSize"),
    ("FunctionName", "name"),
    ("Handler", "handler"),
    ("KmsKeyArn", "kmsKeyArn"),
    ("Layers", "layers"),
    ("LoggingConfig", "logs"),
    ("MemorySize", "memorySize"),
    ("ReservedConcurrentExecutions", "reservedConcurrency"),
    ("Role", "role"),
    ("Runtime", "runtime"),
    ("Tags", "tags"),
    ("Timeout", "timeout"),
    ("TracingConfig", "tracing"),
];

/// The logical id of a function.
pub(super) fn function_id(function: &Function) -> String {
    format!("{}LambdaFunction", function.id)
}

pub(super) fn log_groups(builder: &mut Builder<'_>) {
    for function in builder.definition.functions.iter().filter(|f| !f.logs_disabled) {
        let mut properties = Map::new();
        properties.insert(
            "LogGroupName".into(),
            format!("/aws/lambda/{}", function.name).into(),
        );
        if let Some(days) = function.log_retention {
            properties.insert("RetentionInDays".into(), days.into());
        }
        let id = format!("{}LogGroup", function.id);
        let resource = json!({"Type": "AWS::Logs::LogGroup", "Properties": properties});
        builder.add(&id, resource, &function.span);
        builder.locate_in_function(&id, "RetentionInDays", function, "logRetentionInDays");
    }
}

pub(super) fn functions(builder: &mut Builder<'_>) {
    for (index, function) in builder.definition.functions.iter().enumerate() {
        let id = function_id(function);
        let resource = resource(builder, index, function);
        builder.add(&id, resource, &function.span);
        for (property, key) in WRITTEN_AS {
            builder.locate_in_function(&id, property, function, key);
        }
        url::compile(builder, function);
        event_invoke::compile(builder, function);
    }
}

fn resource(builder: &Builder<'_>, index: usize, function: &Function) -> Value {
    let mut resource = Map::new();
    resource.insert("Type".into(), "AWS::Lambda::Function".into());
    let code = code(builder, index);
    let role = function
        .role
        .as_ref()
        .or(builder.definition.role.existing.as_ref());
    let role_arn = super::role::arn_of(builder.definition, function);
    resource.insert("Properties".into(), properties(function, code, role_arn).into());
    if let Some(condition) = &function.condition {
        resource.insert("Condition".into(), condition.as_str().into());
    }
    let mut depends_on = Vec::new();
    if !function.logs_disabled {
        depends_on.push(format!("{}LogGroup", function.id));
    }
    depends_on.extend(function.depends_on.iter().cloned());
    if let Some(Role::Resource(id)) = role {
        depends_on.push(id.clone());
    }
    let mut seen = Vec::new();
    depends_on.retain(|id| {
        !seen.contains(id) && {
            seen.push(id.clone());
            true
        }
    });
    if !depends_on.is_empty() {
        resource.insert("DependsOn".into(), depends_on.into());
    }
    Value::Object(resource)
}

fn code(builder: &Builder<'_>, index: usize) -> Value {
    let function = builder.project.functions.get(index);
    package_place(builder, function.map_or(usize::MAX, |function| function.package))
}

/// Bucket and key of a package.
pub(super) fn package_place(builder: &Builder<'_>, package: usize) -> Value {
    let bucket = builder.definition.bucket.name.clone();
    let bucket = bucket.unwrap_or_else(|| reference("ServerlessDeploymentBucket"));
    let request = builder.project.packages.get(package);
    let key = request
        .map(|request| request.artifact_key.clone())
        .unwrap_or_default();
    json!({"S3Bucket": bucket, "S3Key": key})
}

fn properties(function: &Function, code: Value, role: Value) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            properties.insert(name.to_owned(), value);
        }
    };
    set("Code", Some(code));
    set("Handler", Some(function.handler.as_str().into()));
    set("Runtime", Some(function.runtime.as_str().into()));
    set("FunctionName", Some(function.name.as_str().into()));
    set("MemorySize", Some(function.memory.get().into()));
    set("Timeout", Some(function.timeout.get().into()));
    set("Description", function.description.clone());
    set(
        "Tags",
        (!function.tags.is_empty()).then(|| tag_list(&function.tags)),
    );
    set(
        "EphemeralStorage",
        function.ephemeral_storage.map(|size| json!({"Size": size.get()})),
    );
    set("KmsKeyArn", function.kms_key.clone());
    set(
        "TracingConfig",
        function.tracing.as_ref().map(|mode| json!({ "Mode": mode })),
    );
    set(
        "Architectures",
        function.architecture.as_ref().map(|name| json!([name])),
    );
    set(
        "Environment",
        function
            .environment
            .as_ref()
            .map(|variables| json!({ "Variables": variables })),
    );
    set(
        "Layers",
        (!function.layers.is_empty()).then(|| function.layers.clone().into()),
    );
    set(
        "DeadLetterConfig",
        function
            .dead_letters
            .as_ref()
            .map(|arn| json!({ "TargetArn": arn })),
    );
    set("LoggingConfig", function.logging.as_ref().and_then(logging));
    set("Role", Some(role));
    set(
        "ReservedConcurrentExecutions",
        function.reserved_concurrency.map(Value::from),
    );
    properties
}

/// None if nothing is said.
fn logging(logging: &Logging) -> Option<Value> {
    let mut config = Map::new();
    for (name, value) in [
        ("LogFormat", logging.format.clone().map(Value::from)),
        (
            "ApplicationLogLevel",
            logging.application_level.clone().map(Value::from),
        ),
        ("SystemLogLevel", logging.system_level.clone().map(Value::from)),
        ("LogGroup", logging.group.clone()),
    ] {
        config.extend(value.map(|value| (name.to_owned(), value)));
    }
    (!config.is_empty()).then_some(config.into())
}

/// A version for each function whose code or configuration may have changed: its logical id is a hash of both.
pub(super) fn versions(builder: &mut Builder<'_>, digests: &BTreeMap<String, String>) {
    let all = builder.definition.publish_versions;
    for (index, function) in builder.definition.functions.iter().enumerate() {
        // what is provisioned is a version, whether or not versions are wanted otherwise
        if !(all && function.version || function.provisioned_concurrency.is_some()) {
            continue;
        }
        let digest = digest_of(builder, index, digests);
        let layers = layers::digests_of(builder, function, digests);
        let id = version_id(builder, function, digest.as_deref(), &layers);
        let mut properties = Map::new();
        properties.insert("FunctionName".into(), reference(&function_id(function)));
        if let Some(digest) = digest {
            properties.insert("CodeSha256".into(), digest.into());
        }
        if let Some(description) = &function.description {
            properties.insert("Description".into(), description.clone());
        }
        let mut resource = json!({"Type": "AWS::Lambda::Version", "Properties": properties});
        if all && function.version {
            resource["DeletionPolicy"] = "Retain".into();
        }
        builder.add(&id, resource, &function.span);
        let output = format!("{}QualifiedArn", function_id(function));
        builder.output(&output, Some("Current Lambda function version"), reference(&id));
        provisioned_alias(builder, function, &id);
    }
}

/// The name of the alias that what is provisioned is called by.
pub(super) const PROVISIONED: &str = "provisioned";

fn provisioned_alias(builder: &mut Builder<'_>, function: &Function, version: &str) {
    let Some(count) = function.provisioned_concurrency else {
        return;
    };
    let alias = json!({
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "FunctionName": reference(&function_id(function)),
            "FunctionVersion": attribute(version, "Version"),
            "Name": PROVISIONED,
            "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": count},
        },
        "DependsOn": function_id(function),
    });
    let id = provisioned_alias_id(function);
    builder.add(&id, alias, &function.span);
    builder.locate_in_function(
        &id,
        "ProvisionedConcurrencyConfig",
        function,
        "provisionedConcurrency",
    );
}

fn provisioned_alias_id(function: &Function) -> String {
    format!("{}ProvConcLambdaAlias", function.id)
}

/// The ARN that events invoke a function by: its own, or that of the alias of what is provisioned.
pub(super) fn invoked_arn(function: &Function) -> Value {
    let own = attribute(&function_id(function), "Arn");
    match function.provisioned_concurrency {
        Some(_) => join(":", vec![own, PROVISIONED.into()]),
        None => own,
    }
}

/// What must be there before a function is invoked by [`invoked_arn`].
pub(super) fn invoked_alias(function: &Function) -> Option<String> {
    function
        .provisioned_concurrency
        .map(|_| provisioned_alias_id(function))
}

fn digest_of(builder: &Builder<'_>, index: usize, digests: &BTreeMap<String, String>) -> Option<String> {
    let package = builder.project.functions.get(index)?.package;
    let request = builder.project.packages.get(package)?;
    digests.get(&request.artifact_key).cloned()
}

/// `Hello` + `LambdaVersion` + letters and digits of a hash over the package, the properties but its place, and
/// the project's layers.
fn version_id(builder: &Builder<'_>, function: &Function, digest: Option<&str>, layers: &[String]) -> String {
    let resource = builder.resources.get(&function_id(function));
    let mut properties = resource
        .and_then(|r| r.get("Properties"))
        .cloned()
        .unwrap_or_default();
    if let Some(properties) = properties.as_object_mut() {
        properties.remove("Code");
        properties.sort_keys();
    }
    let mut hash = Sha256::new();
    hash.update(digest.unwrap_or_default());
    hash.update(properties.to_string());
    for layer in layers {
        hash.update(layer);
    }
    let text = STANDARD.encode(hash.finalize());
    let kept: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{}LambdaVersion{kept}", function.id)
}
