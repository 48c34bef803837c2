//! One function: its own settings over what it inherits.

use std::str::FromStr;

use serde_json::{Map, Value};
use tradewind_model::{
    EphemeralStorageMib, FunctionName, Language, LimitError, MemoryMib, Runtime, TimeoutSeconds,
};

use super::package::Packaging;
use super::provider::{self, Provider};
use super::section::{Problems, Section};
use super::{events, http_api};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::serverless::model::{Function, Role};
use crate::serverless::names;
use crate::yaml::{Content, Entry, Node};

/// The framework's defaults (3.40).
const DEFAULT_RUNTIME: &str = "nodejs16.x";
const DEFAULT_MEMORY_MIB: u64 = 1024;
const DEFAULT_TIMEOUT_SECONDS: u64 = 6;

/// Runtimes to suggest for a name nobody has published.
const RUNTIMES: [&str; 23] = [
    "java8.al2",
    "java11",
    "java17",
    "java21",
    "java25",
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "python3.8",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "ruby2.7",
    "ruby3.2",
    "ruby3.3",
    "provided.al2",
    "provided.al2023",
    "provided",
    "go1.x",
];

/// Days CloudWatch keeps logs (API reference, PutRetentionPolicy).
const RETENTION_DAYS: [u64; 23] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    0,
];

const REFUSED: [(&str, &str); 8] = [
    (
        "image",
        "package the function as a zip: give it a `handler` and a `runtime`",
    ),
    (
        "vpc",
        "remove it, or set `vpc: false`; functions run without a network of their own",
    ),
    ("snapStart", "remove it; instances are started on demand"),
    ("fileSystemConfig", "remove it; use /tmp, or a bucket"),
    (
        "capacityProviderConfig",
        "remove it; instances are started on demand",
    ),
    ("durableConfig", "remove it"),
    ("tenancyConfig", "remove it"),
    ("awsKmsKeyArn", "write `kmsKeyArn`"),
];

/// Keys of plugins and dashboards that change nothing here.
const IGNORED: [&str; 11] = [
    "cors",
    "dashboard",
    "disableDeprecations",
    "iamRoleStatements",
    "iamRoleStatementsInherit",
    "iamRoleStatementsName",
    "logDataProtectionPolicy",
    "recursiveLoop",
    "runtimeManagement",
    "warmup",
    "prewarm",
];

/// A function and how it wants to be packaged.
#[derive(Debug)]
pub(super) struct ReadFunction {
    pub(super) function: Function,
    pub(super) packaging: Packaging,
}

/// Reads one entry of `functions`; none when it cannot be deployed.
pub(super) fn read(
    entry: &Entry,
    provider: &Provider,
    default_name: impl Fn(&str) -> String,
    problems: &mut Problems,
) -> Option<ReadFunction> {
    let key = entry.key.as_str();
    if !names::is_function_key(key) {
        problems.add(
            Diagnostic::error(format!("`{key}` cannot name a function"))
                .at(&entry.key_span)
                .hint("use letters, digits, `-` and `_`"),
        );
        return None;
    }
    let mut section = Section::new(&entry.node, format!("functions.{key}"), problems);
    section.refuse(&REFUSED, problems);
    warn_of_roles(&section, key, problems);
    section.ignore(&IGNORED);
    let function = settings(&mut section, entry, provider, default_name(key), problems);
    let packaging = Packaging::read(section.get("package"), &section.path_of("package"), problems);
    section.finish(problems);
    Some(ReadFunction {
        function: function?,
        packaging,
    })
}

/// Everything but the packaging. All of it is read, so that all problems are found, before what must be
/// there is asked for.
fn settings(
    section: &mut Section<'_>,
    entry: &Entry,
    provider: &Provider,
    default_name: String,
    problems: &mut Problems,
) -> Option<Function> {
    let events = events::read(section.get("events"), &entry.key, problems);
    let handler = handler(section, entry, problems);
    let runtime_node = section.get("runtime").or(provider.runtime.as_ref());
    let runtime_span = runtime_node.map_or(&entry.key_span, |node| &node.span).clone();
    let runtime = runtime(runtime_node, &runtime_span, problems);
    let name = name(section, default_name, &entry.key_span, problems);
    let kms_key = section.get("kmsKeyArn").map(Node::to_json);
    let version = section.boolean("versionFunction", problems);
    let span = handler.as_ref().map(|(_, span)| span.clone());
    Some(Function {
        key: entry.key.clone(),
        id: names::normalise(&entry.key),
        memory: memory(section, provider, problems),
        timeout: timeout(section, provider, problems),
        description: section.get("description").map(Node::to_json),
        environment: environment(section, provider, problems),
        tags: tags(section, provider, problems),
        layers: super::layers::used(section, problems).unwrap_or_else(|| provider.layers.clone()),
        ephemeral_storage: ephemeral_storage(section, problems),
        reserved_concurrency: section.integer("reservedConcurrency", problems),
        provisioned_concurrency: section
            .integer("provisionedConcurrency", problems)
            .filter(|count| *count > 0),
        tracing: tracing_mode(section, provider, problems),
        architecture: architecture(section, provider, problems),
        kms_key: kms_key.or_else(|| provider.kms_key.clone()),
        role: section.get("role").and_then(|node| role(node, problems)),
        condition: section.text("condition", problems),
        depends_on: section.texts("dependsOn", problems).unwrap_or_default(),
        logs_disabled: section.boolean("disableLogs", problems).unwrap_or(false),
        logging: super::logs::of_function(section, problems).or_else(|| provider.logging.clone()),
        log_retention: log_retention(section, provider, problems),
        version: version.or(provider.version_functions).unwrap_or(true),
        payload: payload(section, problems),
        url: super::url::read(section, problems),
        event_invoke: super::event_invoke::read(section, problems),
        http: events.http,
        dead_letters: super::event_invoke::dead_letters(section, problems),
        http_api: events.http_api,
        events: events.others,
        node: entry.node.clone(),
        span: span.unwrap_or_else(|| entry.key_span.clone()),
        name: name?,
        runtime_span,
        runtime: runtime?,
        handler: handler?.0,
    })
}

fn memory(section: &mut Section<'_>, provider: &Provider, problems: &mut Problems) -> MemoryMib {
    let inherited = provider.memory.as_ref();
    limited(
        section,
        "memorySize",
        inherited,
        DEFAULT_MEMORY_MIB,
        MemoryMib::new,
        problems,
    )
}

fn timeout(section: &mut Section<'_>, provider: &Provider, problems: &mut Problems) -> TimeoutSeconds {
    let inherited = provider.timeout.as_ref();
    limited(
        section,
        "timeout",
        inherited,
        DEFAULT_TIMEOUT_SECONDS,
        TimeoutSeconds::new,
        problems,
    )
}

/// Policies of single functions are not applied, as no policy is yet.
fn warn_of_roles(section: &Section<'_>, key: &str, problems: &mut Problems) {
    if let Some(entry) = section.given("iamRoleStatements") {
        problems.warn(
            &entry.key_span,
            format!("function `{key}` runs under the service's role; `iamRoleStatements` makes no role of its own yet"),
        );
    }
}

fn handler(section: &mut Section<'_>, entry: &Entry, problems: &mut Problems) -> Option<(String, Span)> {
    let span = section.get("handler").map(|node| node.span.clone());
    let has_image = section.get("image").is_some();
    let handler = section
        .text("handler", problems)
        .filter(|handler| !handler.trim().is_empty());
    if handler.is_none() && span.is_none() && !has_image {
        problems.add(
            Diagnostic::error(format!("function `{}` has no handler", entry.key))
                .at(&entry.key_span)
                .hint("add `handler: file.function`"),
        );
    }
    handler.zip(span)
}

fn runtime(node: Option<&Node>, span: &Span, problems: &mut Problems) -> Option<Runtime> {
    let name = match node {
        Some(node) => node.scalar_text().unwrap_or_default(),
        None => DEFAULT_RUNTIME.to_owned(),
    };
    match Runtime::from_str(&name) {
        Ok(runtime) if runtime.language() == Language::Dotnet => {
            let hint = "publish it as an executable for `provided.al2023`";
            problems.unsupported(span, &format!("runtime `{name}`"), hint);
            None
        }
        Ok(runtime) => Some(runtime),
        Err(unknown) => {
            let error = Diagnostic::error(unknown.to_string()).at(span);
            problems.add(match nearest(&name, RUNTIMES) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("for example `nodejs20.x`, `python3.12` or `provided.al2023`"),
            });
            None
        }
    }
}

fn name(
    section: &mut Section<'_>,
    default: String,
    key_span: &Span,
    problems: &mut Problems,
) -> Option<String> {
    let span = section.get("name").map_or(key_span, |node| &node.span);
    let name = section.text("name", problems).unwrap_or(default);
    if name.parse::<FunctionName>().is_ok() {
        return Some(name);
    }
    let hint = if name.len() > 64 {
        format!(
            "it has {} characters, 64 are allowed; give the function a shorter `name`",
            name.len()
        )
    } else {
        "use letters, digits, `-` and `_`".to_owned()
    };
    problems.add(
        Diagnostic::error(format!("`{name}` is not a function name"))
            .at(span)
            .hint(hint),
    );
    None
}

/// A number within limits, the function's own or the provider's.
fn limited<T>(
    section: &mut Section<'_>,
    key: &'static str,
    inherited: Option<&Node>,
    default: u64,
    make: impl Fn(u64) -> Result<T, LimitError>,
    problems: &mut Problems,
) -> T
where
    T: Default,
{
    let Some(node) = section.get(key).or(inherited) else {
        return make(default).unwrap_or_default();
    };
    let Some(number) = node.scalar_text().and_then(|text| text.trim().parse().ok()) else {
        section.wrong(key, node, "a whole number", problems);
        return T::default();
    };
    make(number).unwrap_or_else(|error| {
        problems.error(&node.span, error.to_string());
        T::default()
    })
}

fn ephemeral_storage(section: &mut Section<'_>, problems: &mut Problems) -> Option<EphemeralStorageMib> {
    section.get("ephemeralStorageSize")?;
    Some(limited(
        section,
        "ephemeralStorageSize",
        None,
        512,
        EphemeralStorageMib::new,
        problems,
    ))
}

/// The provider's variables under the function's; null unsets one.
fn environment(
    section: &mut Section<'_>,
    provider: &Provider,
    problems: &mut Problems,
) -> Option<Map<String, Value>> {
    let own = provider::environment(section, problems);
    if own.is_none() && provider.environment.is_none() {
        return None;
    }
    let mut variables = provider.environment.clone().unwrap_or_default();
    variables.extend(own.unwrap_or_default());
    variables.retain(|_, value| !value.is_null());
    Some(variables)
}

fn tags(
    section: &mut Section<'_>,
    provider: &Provider,
    problems: &mut Problems,
) -> std::collections::BTreeMap<String, String> {
    let mut tags = provider.tags.clone();
    tags.extend(provider::texts_of(section, "tags", problems));
    tags
}

fn tracing_mode(section: &mut Section<'_>, provider: &Provider, problems: &mut Problems) -> Option<String> {
    let node = section.get("tracing").or(provider.tracing.as_ref())?;
    match node.scalar_text().as_deref() {
        Some("false") => None,
        Some("true" | "Active") => Some("Active".into()),
        Some("PassThrough") => Some("PassThrough".into()),
        _ => {
            section.wrong(
                "tracing",
                node,
                "true, false, `Active` or `PassThrough`",
                problems,
            );
            None
        }
    }
}

fn architecture(section: &mut Section<'_>, provider: &Provider, problems: &mut Problems) -> Option<String> {
    let node = section.get("architecture").or(provider.architecture.as_ref())?;
    match node.scalar_text().as_deref() {
        Some(known @ ("x86_64" | "arm64")) => Some(known.to_owned()),
        _ => {
            section.wrong("architecture", node, "`x86_64` or `arm64`", problems);
            None
        }
    }
}

fn log_retention(section: &mut Section<'_>, provider: &Provider, problems: &mut Problems) -> Option<u64> {
    let node = section
        .get("logRetentionInDays")
        .or(provider.log_retention.as_ref())?;
    let days = node.scalar_text().and_then(|text| text.parse().ok());
    let known = days.filter(|days| RETENTION_DAYS.contains(days));
    if known.is_none() {
        problems.add(
            Diagnostic::error(format!(
                "logs cannot be kept for `{}` days",
                node.scalar_text().unwrap_or_default()
            ))
            .at(&node.span)
            .hint(
                "use 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or whole years up to 10",
            ),
        );
    }
    known.filter(|days| *days > 0)
}

/// `role`: an ARN, a resource's name, or an expression.
pub(super) fn role(node: &Node, problems: &mut Problems) -> Option<Role> {
    match &node.content {
        Content::Text(text) if text.starts_with("arn:") => Some(Role::Arn(Value::String(text.clone()))),
        Content::Text(text) if names::is_logical_id(text) => Some(Role::Resource(text.clone())),
        Content::Map(map) if map.len() == 1 => {
            let attribute = node.child("Fn::GetAtt").and_then(|parts| match &parts.content {
                Content::List(items) => Some((items.first()?.as_text()?, items.get(1)?.as_text()?)),
                Content::Text(text) => text.split_once('.'),
                _ => None,
            });
            match attribute {
                Some((resource, "Arn")) => Some(Role::Resource(resource.to_owned())),
                _ => Some(Role::Arn(node.to_json())),
            }
        }
        _ => {
            problems.add(
                Diagnostic::error(
                    "a role is an ARN, the name of a resource, or one of CloudFormation's functions",
                )
                .at(&node.span)
                .hint("for example `role: arn:aws:iam::000000000000:role/name`"),
            );
            None
        }
    }
}

/// `httpApi.payload` of a function.
fn payload(section: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let mut settings = section.section("httpApi", problems)?;
    let payload = http_api::payload(&mut settings, problems);
    settings.finish(problems);
    payload
}
