//! From a resolved configuration to a checked [`Definition`]: every key is either honoured, known to
//! mean nothing here, refused by name, or reported as unknown.

mod cloudwatch_log;
mod event_invoke;
mod event_pattern;
mod events;
mod expression;
mod function;
mod http;
mod http_api;
mod kafka;
mod layers;
mod logs;
mod package;
mod packages;
mod plugins;
mod provider;
mod routes;
mod rule;
mod rule_input;
mod s3;
mod schedule;
mod section;
mod sns;
mod sqs;
mod url;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tradewind_model::Region;

use self::provider::Provider;
use self::section::{Problems, Section, UnknownKeys};
use super::LoadOptions;
use super::merge::merge_nodes;
use super::model::Definition;
use super::names;
use super::project::{Project, ProjectFunction};
use super::pseudo::lists_plugin;
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::{Content, Entry, Map, Node};

pub(super) use events::{NOT_YET, SERVED};
pub(super) use expression::name_of;
pub(super) use http::DEFAULT_HEADERS;
pub(super) use plugins::{BUILT, NOT_NEEDED};
pub(super) use provider::tag_list;
pub use section::{KnownKeys, Meaning};

/// Top-level keys that change nothing here.
const IGNORED: [&str; 12] = [
    "app",
    "console",
    "dashboard",
    "deprecationNotificationMode",
    "disabledDeprecations",
    "licenseKey",
    "org",
    "outputs",
    "projectDir",
    "state",
    "tenant",
    "variablesResolutionMode",
];

/// Top-level keys that are read before the rest: by the resolver, and by [`unknown_keys`].
const READ_BEFORE: [&str; 4] = ["configValidationMode", "params", "stages", "useDotenv"];

/// Checks the resolved configuration `root` and everything that follows from it. `environment` goes to every
/// function that does not set the same variable.
pub(super) fn read(
    root: &Node,
    file: &Path,
    options: &LoadOptions,
    environment: &BTreeMap<String, String>,
) -> (Project, Vec<Diagnostic>) {
    let mut problems = Problems {
        unknown_keys: unknown_keys(root),
        ..Problems::default()
    };
    let other = root.child("provider").and_then(provider::another_cloud);
    if let Some(problem) = other {
        return (Project::default(), vec![problem]);
    }
    let given = Given {
        file,
        options,
        environment,
    };
    let project = service(root, &given, &mut problems);
    (project, problems.found)
}

/// The keys that are known in the mappings that `root` has.
pub(super) fn known_keys(root: &Node, options: &LoadOptions) -> Vec<KnownKeys> {
    let mut problems = Problems::default();
    let given = Given {
        file: Path::new("serverless.yml"),
        options,
        environment: &BTreeMap::new(),
    };
    service(root, &given, &mut problems);
    problems.sections
}

fn unknown_keys(root: &Node) -> UnknownKeys {
    match root.child("configValidationMode").and_then(Node::as_text) {
        Some("error") => UnknownKeys::Refuse,
        Some("off") => UnknownKeys::Ignore,
        _ => UnknownKeys::Warn,
    }
}

/// What does not come from the configuration itself.
#[derive(Clone, Copy, Debug)]
struct Given<'a> {
    file: &'a Path,
    options: &'a LoadOptions,
    environment: &'a BTreeMap<String, String>,
}

fn service(root: &Node, given: &Given<'_>, problems: &mut Problems) -> Project {
    let Given { file, options, .. } = *given;
    let mut section = Section::new(root, "", problems);
    section.ignore(&IGNORED);
    section.expect(&READ_BEFORE);
    refuse_sections(&mut section, problems);
    check_framework_version(&mut section, problems);
    let (name, span) = service_name(&mut section, file, problems);
    let provider_entry = section.entry("provider");
    let provider = provider(provider_entry, given, problems);
    let provider = with_apigw_binary(provider, root);
    let stage = stage(options, &provider, provider_entry, &span, problems);
    let region = region(options, &provider, provider_entry, &span, problems);
    let plugins = plugins::read(&mut section, problems);
    let packaging = package::Packaging::read(section.get("package"), "package", problems);
    let resources = list_or_map(section.get("resources"), "resources", problems);
    let functions = list_or_map(section.get("functions"), "functions", problems);
    let layers = list_or_map(section.get("layers"), "layers", problems);
    let mut layers = layers::read(layers.as_ref(), problems);
    let mut project = Project {
        root: options.dir.clone(),
        config_file: file.to_owned(),
        stack_name: provider
            .stack_name
            .clone()
            .unwrap_or_else(|| format!("{name}-{stage}")),
        plugins,
        custom: section.get("custom").map_or(Value::Null, Node::to_json),
        build: section.get("build").map_or(Value::Null, Node::to_json),
        stack_parameters: provider.stack_parameters.clone(),
        stack_tags: stack_tags(&provider, &stage),
        excluded_files: excluded_files(root, &layers),
        service: name,
        stage,
        region,
        ..Project::default()
    };
    section.finish(problems);
    let read = functions_of(functions.as_ref(), &project, &provider, problems);
    routes::check(&read, problems);
    if let Some(entry) = provider_entry {
        s3::warn_of_unused(&entry.node, &read, problems);
    }
    let shared = packages::Shared {
        packaging: &packaging,
        prefix: provider.deployment_prefix.as_deref().unwrap_or("serverless"),
        span: &span,
        options,
    };
    project.packages = packages::requests(&project, &read, &shared, problems);
    packages::of_layers(&mut project, &mut layers, &shared);
    let offered = |(index, read)| offered(index, read, &project);
    project.functions = read.iter().enumerate().map(offered).collect();
    project.definition = Definition {
        functions: read.into_iter().map(|read| read.function).collect(),
        layers: layers.into_iter().map(|read| read.layer).collect(),
        resources,
        provider: provider_entry.map(|entry| entry.node.clone()),
        span: Some(span),
        publish_versions: options.publish_versions,
        ..shared_definition(provider)
    };
    project
}

/// What the provider says of the things all functions share.
fn shared_definition(provider: Provider) -> Definition {
    Definition {
        bucket: provider.bucket,
        role: provider.role,
        rest_api: provider.rest_api,
        http_api: provider.http_api,
        buckets: provider.buckets,
        export_outputs: provider.export_outputs,
        ..Definition::default()
    }
}

fn provider(entry: Option<&Entry>, given: &Given<'_>, problems: &mut Problems) -> Provider {
    let Some(entry) = entry else {
        problems.add(
            Diagnostic::error("`provider` is missing")
                .at(&Span::start_of(given.file))
                .hint("add `provider: {name: aws, runtime: nodejs20.x}`"),
        );
        return Provider::default();
    };
    let mut provider = Provider::read(&entry.node, problems);
    if !given.environment.is_empty() {
        let texts = given.environment.iter();
        let mut variables: serde_json::Map<String, Value> = texts
            .map(|(key, text)| (key.clone(), text.as_str().into()))
            .collect();
        variables.extend(provider.environment.take().unwrap_or_default());
        provider.environment = Some(variables);
    }
    provider
}

/// `custom.apigwBinary.types` of the serverless-apigw-binary plugin.
fn with_apigw_binary(mut provider: Provider, root: &Node) -> Provider {
    let types = ["custom", "apigwBinary", "types"]
        .iter()
        .try_fold(root, |node, key| node.child(key));
    let types = types.and_then(Node::as_list).unwrap_or_default();
    if lists_plugin(root, "serverless-apigw-binary") && provider.rest_api.binary_media_types.is_empty() {
        provider.rest_api.binary_media_types = types.iter().filter_map(Node::scalar_text).collect();
    }
    provider
}

fn refuse_sections(section: &mut Section<'_>, problems: &mut Problems) {
    section.refuse(
        &[(
            "stepFunctions",
            "remove it to run the functions without state machines",
        )],
        problems,
    );
}

/// `frameworkVersion` is a range of versions of another program; only nonsense is worth a word.
fn check_framework_version(section: &mut Section<'_>, problems: &mut Problems) {
    let Some(node) = section.get("frameworkVersion") else {
        return;
    };
    let text = node.scalar_text().unwrap_or_default();
    let plausible = |c: char| c.is_ascii_alphanumeric() || " .*^~><=|-+,".contains(c);
    if !text.chars().all(plausible) || !text.contains(|c: char| c.is_ascii_digit() || c == '*' || c == 'x') {
        problems.warn(
            &node.span,
            format!("`frameworkVersion: {text}` is not a range of versions"),
        );
    }
}

/// The service's name and where it is given.
fn service_name(section: &mut Section<'_>, file: &Path, problems: &mut Problems) -> (String, Span) {
    let Some(entry) = section.entry("service") else {
        problems.add(
            Diagnostic::error("`service` is missing")
                .at(&Span::start_of(file))
                .hint("name the project: add `service: my-service`"),
        );
        return (String::new(), Span::start_of(file));
    };
    let node = match &entry.node.content {
        Content::Map(map) => map.get("name").unwrap_or(&entry.node),
        _ => &entry.node,
    };
    let name = node.scalar_text().unwrap_or_default();
    if !names::is_service_name(&name) {
        problems.add(
            Diagnostic::error(format!("`{name}` cannot name a service"))
                .at(&node.span)
                .hint("start with a letter; use letters, digits and `-`"),
        );
    }
    (name, entry.key_span.clone())
}

fn stage(
    options: &LoadOptions,
    provider: &Provider,
    entry: Option<&Entry>,
    service: &Span,
    problems: &mut Problems,
) -> String {
    let configured = provider.stage.clone().filter(|stage| !stage.is_empty());
    let stage = options
        .stage
        .clone()
        .or(configured)
        .unwrap_or_else(|| "dev".into());
    if !names::is_stage_name(&stage) {
        let node = entry.and_then(|entry| entry.node.child("stage"));
        let span = node.map_or(service, |node| &node.span);
        problems.add(
            Diagnostic::error(format!("`{stage}` cannot name a stage"))
                .at(span)
                .hint("use letters, digits and `-`"),
        );
    }
    stage
}

fn region(
    options: &LoadOptions,
    provider: &Provider,
    entry: Option<&Entry>,
    service: &Span,
    problems: &mut Problems,
) -> String {
    let configured = provider.region.clone().filter(|region| !region.is_empty());
    let region = options
        .region
        .clone()
        .or(configured)
        .unwrap_or_else(|| "us-east-1".into());
    if region.parse::<Region>().is_err() {
        let node = entry.and_then(|entry| entry.node.child("region"));
        let span = node.map_or(service, |node| &node.span);
        problems.add(
            Diagnostic::error(format!("`{region}` is not a region"))
                .at(span)
                .hint("for example `us-east-1`"),
        );
    }
    region
}

/// Files that are the framework's own: dotenv files it loads, local plugins, what goes into layers.
fn excluded_files(root: &Node, layers: &[layers::ReadLayer]) -> Vec<String> {
    let dotenv = root.child("useDotenv").and_then(Node::scalar_text);
    let local = root
        .child("plugins")
        .and_then(|plugins| plugins.child("localPath"));
    let mut patterns = Vec::new();
    if dotenv.as_deref() == Some("true") {
        patterns.push("!.env*".to_owned());
    }
    let of_layers = layers.iter().filter_map(|read| read.path.as_deref());
    for path in local.and_then(Node::as_text).into_iter().chain(of_layers) {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        if !matches!(path, "" | ".") {
            patterns.push(format!("!{path}/**"));
        }
    }
    patterns
}

fn stack_tags(provider: &Provider, stage: &str) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::from([("STAGE".to_owned(), stage.to_owned())]);
    tags.extend(provider.tags.clone());
    tags.extend(provider.stack_tags.clone());
    tags
}

/// A mapping, or the mappings of a list merged in order.
fn list_or_map(node: Option<&Node>, path: &str, problems: &mut Problems) -> Option<Node> {
    let node = node?;
    let items = match &node.content {
        Content::Map(_) => return Some(node.clone()),
        Content::List(items) => items,
        _ => {
            problems.error(&node.span, format!("`{path}` is {}, not a mapping", node.kind()));
            return None;
        }
    };
    let mut merged = Node::new(&node.span, Content::Map(Map::default()));
    for item in items.iter().filter(|item| !item.is_null()) {
        match item.content {
            Content::Map(_) => merge_nodes(&mut merged, item),
            _ => problems.error(
                &item.span,
                format!("`{path}` lists {}, not a mapping", item.kind()),
            ),
        }
    }
    Some(merged)
}

fn functions_of(
    functions: Option<&Node>,
    project: &Project,
    provider: &Provider,
    problems: &mut Problems,
) -> Vec<function::ReadFunction> {
    let default_name = |key: &str| format!("{}-{}-{key}", project.service, project.stage);
    let entries = functions.and_then(Node::as_map).into_iter().flatten();
    entries
        .filter(|entry| !entry.node.is_null())
        .filter_map(|entry| function::read(entry, provider, default_name, problems))
        .collect()
}

fn offered(index: usize, read: &function::ReadFunction, project: &Project) -> ProjectFunction {
    let function = &read.function;
    let serves = |request: &super::PackageRequest| request.functions.contains(&index);
    ProjectFunction {
        key: function.key.clone(),
        name: function.name.clone(),
        logical_id: format!("{}LambdaFunction", function.id),
        handler: function.handler.clone(),
        runtime: function.runtime.clone(),
        runtime_span: function.runtime_span.clone(),
        span: function.span.clone(),
        package: project.packages.iter().position(serves).unwrap_or_default(),
        has_layers: !function.layers.is_empty(),
    }
}
