//! From a folder to a project: find, parse, resolve, check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::variables::{self, Context, NOT_SUPPORTED, Resolver};
use super::{LoadOptions, Project, dotenv, pseudo, read, source};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::yaml::Node;

/// Reads the project in `options.dir`: parse, variables, validation, defaults.
///
/// # Errors
/// Everything that keeps the project from being deployed, with its place; warnings too, after the errors.
///
/// # Cancel safety
/// Nothing is changed, so the future may be dropped; a configuration file that is being evaluated is
/// then still waited for in the background.
pub async fn load(options: &LoadOptions) -> Result<Project, Diagnostics> {
    let options = options.clone();
    let loaded = tokio::task::spawn_blocking(move || load_blocking(&options)).await;
    loaded.unwrap_or_else(|error| {
        let message = format!("reading the configuration was interrupted: {error}");
        Err(Diagnostic::error(message).into())
    })
}

fn load_blocking(options: &LoadOptions) -> Result<Project, Diagnostics> {
    let file = source::locate(options)?;
    let (root, parts) = source::read(&file, options)?;
    let stage = stage_of(&root, options);
    let dotenv = dotenv_variables(&root, &stage, options);
    let mut environment = options.environment.clone();
    environment.extend(dotenv.variables.clone());
    let context = Context {
        stage: Some(stage),
        environment: &environment,
        ..bare_context(options)
    };
    let resolution = variables::resolve(root, &context);
    let mut root = resolution.root;
    if pseudo::lists_plugin(&root, "serverless-pseudo-parameters") {
        root = pseudo::rewrite(root);
    }
    let (mut project, problems) = read::read(&root, &file, options, &dotenv.for_functions);
    // A value that could not be resolved was reported; what its absence leads to would only confuse.
    let unresolved = resolution
        .diagnostics
        .iter()
        .any(|d| d.severity == Severity::Error);
    let stands = |problem: &Diagnostic| !unresolved || problem.message.ends_with(NOT_SUPPORTED);
    let mut diagnostics = resolution.diagnostics;
    diagnostics.extend(problems.into_iter().filter(stands));
    let parts = parts.into_iter().filter(|part| !same_file(part, &file));
    project.inputs = std::iter::once(file.clone())
        .chain(parts)
        .chain(dotenv.file)
        .chain(resolution.files)
        .collect();
    finish(project, diagnostics)
}

fn same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok() == other.canonicalize().ok()
}

fn finish(mut project: Project, diagnostics: Vec<Diagnostic>) -> Result<Project, Diagnostics> {
    let (errors, warnings): (Vec<_>, Vec<_>) = diagnostics
        .into_iter()
        .partition(|diagnostic| diagnostic.severity == Severity::Error);
    if !errors.is_empty() {
        return Err(Diagnostics::in_order(errors.into_iter().chain(warnings)));
    }
    project.warnings = warnings;
    Ok(project)
}

/// A context that knows neither stage nor dotenv files yet.
fn bare_context(options: &LoadOptions) -> Context<'_> {
    Context {
        dir: &options.dir,
        stage_option: options.stage.as_deref(),
        region_option: options.region.as_deref(),
        stage: None,
        region: None,
        account: options.account.as_str(),
        params: &options.params,
        options: &options.options,
        environment: &options.environment,
        node: options.node.as_deref(),
        instance_id: format!("{:x}", options.now.as_millis()),
    }
}

/// The effective stage: given, configured, or `dev`. One that cannot be resolved yet is reported later.
fn stage_of(root: &Node, options: &LoadOptions) -> String {
    if let Some(stage) = &options.stage {
        return stage.clone();
    }
    let context = bare_context(options);
    let mut resolver = Resolver::new(root.clone(), &context);
    let configured = resolver.property(&["provider".into(), "stage".into()]);
    let text = configured.ok().flatten().and_then(|node| node.scalar_text());
    text.filter(|stage| !stage.is_empty())
        .unwrap_or_else(|| "dev".into())
}

/// What a dotenv file adds.
#[derive(Debug, Default)]
struct Dotenv {
    file: Option<PathBuf>,
    variables: BTreeMap<String, String>,
    /// The same for serverless-dotenv-plugin, which also hands them to every function.
    for_functions: BTreeMap<String, String>,
}

/// Reads a dotenv file when `useDotenv` or the plugin asks for one.
fn dotenv_variables(root: &Node, stage: &str, options: &LoadOptions) -> Dotenv {
    let asked = root.child("useDotenv").and_then(Node::scalar_text).as_deref() == Some("true");
    let plugin = pseudo::lists_plugin(root, "serverless-dotenv-plugin");
    if !asked && !plugin {
        return Dotenv::default();
    }
    let Some((file, variables)) = dotenv::load(&options.dir, stage, &options.environment) else {
        return Dotenv::default();
    };
    let for_functions = if plugin {
        variables.clone()
    } else {
        BTreeMap::new()
    };
    Dotenv {
        file: Some(file),
        variables,
        for_functions,
    }
}
