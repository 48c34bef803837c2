//! `provider`: what the whole service shares and functions inherit.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::expression::is_expression;
use super::section::{Problems, Section};
use super::{function, http_api};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::{BucketSettings, DeploymentBucket, ExecutionRole, HttpApi, Logging, RestApi};
use crate::yaml::{Content, Node};

/// `provider`, read.
#[derive(Debug, Default)]
pub(super) struct Provider {
    pub(super) stage: Option<String>,
    pub(super) region: Option<String>,
    pub(super) stack_name: Option<String>,
    pub(super) deployment_prefix: Option<String>,
    pub(super) runtime: Option<Node>,
    pub(super) memory: Option<Node>,
    pub(super) timeout: Option<Node>,
    pub(super) environment: Option<Map<String, Value>>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) tracing: Option<Node>,
    pub(super) architecture: Option<Node>,
    pub(super) kms_key: Option<Value>,
    pub(super) log_retention: Option<Node>,
    pub(super) version_functions: Option<bool>,
    pub(super) export_outputs: bool,
    pub(super) stack_parameters: BTreeMap<String, String>,
    pub(super) logging: Option<Logging>,
    pub(super) layers: Vec<Value>,
    pub(super) stack_tags: BTreeMap<String, String>,
    pub(super) bucket: DeploymentBucket,
    pub(super) role: ExecutionRole,
    pub(super) rest_api: RestApi,
    pub(super) http_api: HttpApi,
    pub(super) buckets: BTreeMap<String, BucketSettings>,
}

/// Keys that need what is not there yet.
const REFUSED: [(&str, &str); 5] = [
    ("vpc", "remove it; functions run without a network of their own"),
    ("apiKeys", "remove them; routes are served without API keys"),
    ("usagePlan", "remove it; routes are served without API keys"),
    (
        "resourcePolicy",
        "remove it; the API answers everybody who can reach it",
    ),
    (
        "vpcEndpointIds",
        "remove them; the API answers everybody who can reach it",
    ),
];

/// Keys that change nothing here: other clouds' and services' settings, how to deploy, how to watch.
const IGNORED: [&str; 27] = [
    "alb",
    "cfnRole",
    "cloudFront",
    "credentials",
    "deploymentMethod",
    "disableRollback",
    "ecr",
    "kinesis",
    "lambdaHashingVersion",
    "logDataProtectionPolicy",
    "monitoring",
    "notificationArns",
    "parameters",
    "profile",
    "rollbackConfiguration",
    "runtimeManagement",
    "snapStart",
    "stackPolicy",
    "variableSyntax",
    "websocketsApiName",
    "websocketsApiRouteSelectionExpression",
    "websocketsDescription",
    "websocket",
    "layerRetention",
    "dynamoStreamArn",
    "build",
    "resolver",
];

impl Provider {
    /// Reads `provider`, which may be the provider's name alone.
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Self {
        if node.as_text().is_some() {
            check_name(node, problems);
            return Self {
                export_outputs: true,
                ..Self::default()
            };
        }
        let mut section = Section::new(node, "provider", problems);
        match section.get("name") {
            Some(name) => check_name(name, problems),
            None => problems.add(
                Diagnostic::error("`provider.name` is missing")
                    .at(&node.span)
                    .hint("add `name: aws` below `provider`"),
            ),
        }
        section.refuse(&REFUSED, problems);
        section.ignore(&IGNORED);
        if let Some(mut event_bridge) = section.section("eventBridge", problems) {
            // rules are resources of the template whatever it says
            event_bridge.ignore(&["useCloudFormation"]);
            event_bridge.finish(problems);
        }
        let tags = texts_of(&mut section, "tags", problems);
        let provider = Self {
            stage: section.text("stage", problems),
            region: section.text("region", problems),
            stack_name: section.text("stackName", problems),
            deployment_prefix: section.text("deploymentPrefix", problems),
            runtime: section.get("runtime").cloned(),
            memory: section.get("memorySize").cloned(),
            timeout: section.get("timeout").cloned(),
            environment: environment(&mut section, problems),
            tracing: tracing_of_functions(&mut section),
            architecture: section.get("architecture").cloned(),
            kms_key: section.get("kmsKeyArn").map(Node::to_json),
            layers: super::layers::used(&mut section, problems).unwrap_or_default(),
            logging: super::logs::of_provider(&mut section, problems),
            log_retention: section.get("logRetentionInDays").cloned(),
            version_functions: section.boolean("versionFunctions", problems),
            export_outputs: section.boolean("disableDefaultOutputExportNames", problems) != Some(true),
            stack_parameters: stack_parameters(&mut section, problems),
            stack_tags: texts_of(&mut section, "stackTags", problems),
            bucket: bucket(&mut section, problems),
            role: role(&mut section, problems),
            rest_api: rest_api(&mut section, problems),
            http_api: http_api(&mut section, &tags, problems),
            buckets: super::s3::settings(&mut section, problems),
            tags,
        };
        section.finish(problems);
        provider
    }
}

fn check_name(node: &Node, problems: &mut Problems) {
    if node.as_text() != Some("aws") {
        problems.add(other_provider(node));
    }
}

/// The one thing to say about a project for another cloud; none if it is for AWS.
pub(super) fn another_cloud(provider: &Node) -> Option<Diagnostic> {
    let name = provider.child("name").unwrap_or(provider);
    let other = name.as_text().is_some_and(|name| name != "aws");
    other.then(|| other_provider(name))
}

fn other_provider(name: &Node) -> Diagnostic {
    let text = name.scalar_text().unwrap_or_default();
    Diagnostic::error(format!("provider `{text}` is not supported"))
        .at(&name.span)
        .hint("the provider that works is `aws`")
}

/// `environment`: CloudFormation's expressions are kept, scalars become text, null unsets.
pub(super) fn environment(section: &mut Section<'_>, problems: &mut Problems) -> Option<Map<String, Value>> {
    let node = section.get("environment")?;
    let Some(map) = node.as_map() else {
        section.wrong("environment", node, "a mapping", problems);
        return None;
    };
    let mut variables = Map::new();
    for entry in map {
        let valid = entry
            .key
            .chars()
            .enumerate()
            .all(|(index, c)| c.is_ascii_alphabetic() || (index > 0 && (c.is_ascii_digit() || c == '_')));
        if !valid || entry.key.is_empty() {
            problems.add(
                Diagnostic::error(format!(
                    "`{}` is not a name of an environment variable",
                    entry.key
                ))
                .at(&entry.key_span)
                .hint("names start with a letter and contain letters, digits and `_`"),
            );
        }
        match environment_value(&entry.node) {
            Some(value) => drop(variables.insert(entry.key.clone(), value)),
            None => problems.error(
                &entry.node.span,
                format!(
                    "environment variable `{}` is {}, not text",
                    entry.key,
                    entry.node.kind()
                ),
            ),
        }
    }
    Some(variables)
}

fn environment_value(node: &Node) -> Option<Value> {
    match &node.content {
        Content::Null => Some(Value::Null),
        Content::Map(map) if map.len() == 1 => Some(node.to_json()),
        Content::Map(_) | Content::List(_) => None,
        Content::Bool(_) | Content::Number(_) | Content::Text(_) => node.scalar_text().map(Value::String),
    }
}

/// A mapping of texts; null entries are dropped.
pub(super) fn texts_of(
    section: &mut Section<'_>,
    key: &'static str,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let Some(node) = section.get(key) else {
        return BTreeMap::new();
    };
    let Some(map) = node.as_map() else {
        section.wrong(key, node, "a mapping", problems);
        return BTreeMap::new();
    };
    let mut texts = BTreeMap::new();
    for entry in map.iter().filter(|entry| !entry.node.is_null()) {
        match entry.node.scalar_text() {
            Some(text) => drop(texts.insert(entry.key.clone(), text)),
            None => section.wrong(key, &entry.node, "text", problems),
        }
    }
    texts
}

/// `tracing.lambda`, or `tracing` of versions 1 and 2.
fn tracing_of_functions(section: &mut Section<'_>) -> Option<Node> {
    let node = section.get("tracing")?;
    match node.content {
        Content::Map(_) => node.child("lambda").filter(|node| !node.is_null()).cloned(),
        _ => Some(node.clone()),
    }
}

/// `stackParameters: [{ParameterKey, ParameterValue}]`
fn stack_parameters(section: &mut Section<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let Some(node) = section.get("stackParameters") else {
        return BTreeMap::new();
    };
    let mut parameters = BTreeMap::new();
    for item in node.as_list().unwrap_or_default() {
        let part = |key| item.child(key).and_then(Node::scalar_text);
        match part("ParameterKey").zip(part("ParameterValue")) {
            Some((key, value)) => drop(parameters.insert(key, value)),
            None => problems.error(
                &item.span,
                "a stack parameter has `ParameterKey` and `ParameterValue`",
            ),
        }
    }
    if node.as_list().is_none() {
        section.wrong("stackParameters", node, "a list", problems);
    }
    parameters
}

fn bucket(section: &mut Section<'_>, problems: &mut Problems) -> DeploymentBucket {
    let Some(node) = section.get("deploymentBucket") else {
        return DeploymentBucket::default();
    };
    if node.as_text().is_some() {
        return DeploymentBucket {
            name: Some(node.to_json()),
            ..DeploymentBucket::default()
        };
    }
    let mut section = Section::new(node, "provider.deploymentBucket", problems);
    section.ignore(&[
        "accelerate",
        "enableVersioning",
        "maxPreviousDeploymentArtifacts",
        "sseCustomerAlgorithim",
        "sseCustomerAlgorithm",
        "sseCustomerKey",
        "sseCustomerKeyMD5",
        "sseKMSKeyId",
        "policy",
    ]);
    let mut properties = Map::new();
    let tags = texts_of(&mut section, "tags", problems);
    if !tags.is_empty() {
        properties.insert("Tags".into(), tag_list(&tags));
    }
    if section.boolean("blockPublicAccess", problems) == Some(true) {
        let block = json!({"BlockPublicAcls": true, "BlockPublicPolicy": true,
            "IgnorePublicAcls": true, "RestrictPublicBuckets": true});
        properties.insert("PublicAccessBlockConfiguration".into(), block);
    }
    if section.boolean("versioning", problems) == Some(true) {
        properties.insert("VersioningConfiguration".into(), json!({"Status": "Enabled"}));
    }
    let bucket = DeploymentBucket {
        name: section.get("name").map(Node::to_json),
        properties,
        encryption: section.text("serverSideEncryption", problems),
        skip_policy: section.boolean("skipPolicySetup", problems).unwrap_or(false),
    };
    section.finish(problems);
    bucket
}

/// Tags as CloudFormation lists them.
pub(crate) fn tag_list(tags: &BTreeMap<String, String>) -> Value {
    let tag = |(key, value)| json!({"Key": key, "Value": value});
    tags.iter().map(tag).collect()
}

/// `iam.role` and its spellings in versions 1 and 2.
fn role(section: &mut Section<'_>, problems: &mut Problems) -> ExecutionRole {
    let mut role = ExecutionRole {
        existing: section
            .get("role")
            .and_then(|node| function::role(node, problems)),
        permissions_boundary: section.get("rolePermissionsBoundary").map(Node::to_json),
        statements: statements(section, "iamRoleStatements", problems),
        managed_policies: list_of(section, "iamManagedPolicies", problems),
        ..ExecutionRole::default()
    };
    let Some(mut iam) = section.section("iam", problems) else {
        return role;
    };
    iam.ignore(&["deploymentRole", "servicePrincipal"]);
    if let Some(node) = iam.get("role") {
        if node.as_text().is_some() || is_expression(node) {
            role.existing = function::role(node, problems);
        } else {
            configured_role(&mut role, node, problems);
        }
    }
    iam.finish(problems);
    role
}

fn configured_role(role: &mut ExecutionRole, node: &Node, problems: &mut Problems) {
    let mut section = Section::new(node, "provider.iam.role", problems);
    section.ignore(&["mode"]);
    role.name = section.get("name").map(Node::to_json);
    role.path = section.text("path", problems);
    role.tags = texts_of(&mut section, "tags", problems);
    let boundary = section
        .get("permissionsBoundary")
        .or_else(|| section.get("permissionBoundary"));
    role.permissions_boundary = boundary.map(Node::to_json).or(role.permissions_boundary.take());
    role.statements
        .extend(statements(&mut section, "statements", problems));
    role.managed_policies
        .extend(list_of(&mut section, "managedPolicies", problems));
    section.finish(problems);
}

/// Statements of a policy; an action alone becomes a list of one, as the framework makes it.
fn statements(section: &mut Section<'_>, key: &'static str, problems: &mut Problems) -> Vec<Value> {
    let mut statements = list_of(section, key, problems);
    for statement in &mut statements {
        for key in ["Action", "NotAction"] {
            if let Some(action) = statement.get_mut(key).filter(|action| action.is_string()) {
                *action = Value::Array(vec![action.take()]);
            }
        }
    }
    statements
}

fn list_of(section: &mut Section<'_>, key: &'static str, problems: &mut Problems) -> Vec<Value> {
    let Some(node) = section.get(key) else {
        return Vec::new();
    };
    match node.as_list() {
        Some(items) => items
            .iter()
            .filter(|item| !item.is_null())
            .map(Node::to_json)
            .collect(),
        None => {
            section.wrong(key, node, "a list", problems);
            Vec::new()
        }
    }
}

fn rest_api(section: &mut Section<'_>, problems: &mut Problems) -> RestApi {
    let mut api = RestApi {
        name: section.get("apiName").map(Node::to_json),
        endpoint_type: section.text("endpointType", problems),
        ..RestApi::default()
    };
    let Some(mut section) = section.section("apiGateway", problems) else {
        return api;
    };
    section.refuse(
        &[
            ("restApiId", "remove it; the service then makes its own REST API"),
            (
                "restApiRootResourceId",
                "remove it; the service then makes its own REST API",
            ),
            (
                "restApiResources",
                "remove them; the service then makes its own REST API",
            ),
            ("apiKeys", "remove them; routes are served without API keys"),
            ("usagePlan", "remove it; routes are served without API keys"),
            (
                "resourcePolicy",
                "remove it; the API answers everybody who can reach it",
            ),
            ("request", "check requests in the handlers"),
            ("websocketApiId", "remove it"),
        ],
        problems,
    );
    section.ignore(&["metrics", "timeoutInMillis"]);
    api.service_first = section
        .boolean("shouldStartNameWithService", problems)
        .unwrap_or(false);
    api.binary_media_types = section.texts("binaryMediaTypes", problems).unwrap_or_default();
    api.minimum_compression_size = section.integer("minimumCompressionSize", problems);
    api.description = section.text("description", problems);
    api.api_key_source = section.text("apiKeySourceType", problems);
    api.disable_default_endpoint = section.boolean("disableDefaultEndpoint", problems);
    api.stage = section.text("stage", problems);
    section.finish(problems);
    api
}

fn http_api(section: &mut Section<'_>, tags: &BTreeMap<String, String>, problems: &mut Problems) -> HttpApi {
    let mut api = http_api::settings(section.section("httpApi", problems), problems);
    api.tags = tags.clone();
    api
}
