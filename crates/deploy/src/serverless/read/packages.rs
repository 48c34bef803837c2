//! Which zips the functions need.

use super::function::ReadFunction;
use super::layers::ReadLayer;
use super::package::Packaging;
use super::section::Problems;
use crate::diagnostic::Span;
use crate::serverless::project::{PackageRequest, Project};
use crate::serverless::{LoadOptions, compile::artifact_folder};

/// What all packages of a service share.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    /// The service's `package`.
    pub(super) packaging: &'a Packaging,
    /// `provider.deploymentPrefix`
    pub(super) prefix: &'a str,
    /// Where the service is named.
    pub(super) span: &'a Span,
    pub(super) options: &'a LoadOptions,
}

/// The packages of `functions`: one for all of them, except for those that want their own.
pub(super) fn requests(
    project: &Project,
    functions: &[ReadFunction],
    shared: &Shared<'_>,
    problems: &mut Problems,
) -> Vec<PackageRequest> {
    let mut requests: Vec<PackageRequest> = Vec::new();
    let mut common: Option<usize> = None;
    for (index, read) in functions.iter().enumerate() {
        if let Some(own) = own_request(project, read, shared) {
            requests.push(PackageRequest {
                functions: vec![index],
                ..own
            });
            continue;
        }
        warn_of_ignored_patterns(read, problems);
        match common.and_then(|position| requests.get_mut(position)) {
            Some(request) => request.functions.push(index),
            None => {
                common = Some(requests.len());
                requests.push(PackageRequest {
                    functions: vec![index],
                    ..common_request(project, shared)
                });
            }
        }
    }
    requests
}

/// Adds the packages of the layers, one each.
pub(super) fn of_layers(project: &mut Project, layers: &mut [ReadLayer], shared: &Shared<'_>) {
    for read in layers {
        let own = &read.packaging;
        let name = format!("{}.zip", read.layer.key);
        let base = request(project, shared, own.artifact.as_deref(), name, &read.layer.span);
        let parts = [&own.exclude, &own.include, &own.patterns];
        let request = PackageRequest {
            patterns: parts.into_iter().flatten().cloned().collect(),
            folder: read.path.as_ref().map(|path| project.root.join(path)),
            ..distinct(project, base)
        };
        read.layer.package = project.packages.len();
        project.packages.push(request);
    }
}

/// A layer and a function may have the same key, which names their packages.
fn distinct(project: &Project, mut request: PackageRequest) -> PackageRequest {
    while project
        .packages
        .iter()
        .any(|other| other.artifact_key == request.artifact_key)
    {
        let name = format!("layer-{}", request.artifact_name);
        let folder = request.artifact_key.trim_end_matches(&request.artifact_name);
        request.artifact_key = format!("{folder}{name}");
        request.artifact_name = name;
    }
    request
}

/// The request of a function that is packaged on its own.
fn own_request(project: &Project, read: &ReadFunction, shared: &Shared<'_>) -> Option<PackageRequest> {
    let own = &read.packaging;
    let service = shared.packaging;
    let individually = own.individually.or(service.individually).unwrap_or(false);
    if own.artifact.is_none() && !individually {
        return None;
    }
    let parts = [
        &service.exclude,
        &own.exclude,
        &service.include,
        &service.patterns,
        &own.include,
        &own.patterns,
    ];
    let dev = own.exclude_dev_dependencies.or(service.exclude_dev_dependencies);
    let span = own
        .span
        .as_ref()
        .or(service.span.as_ref())
        .unwrap_or(&read.function.span);
    let name = format!("{}.zip", read.function.key);
    let base = request(project, shared, own.artifact.as_deref(), name, span);
    Some(PackageRequest {
        patterns: patterns(project, &parts),
        exclude_dev_dependencies: dev.unwrap_or(true),
        ..base
    })
}

fn common_request(project: &Project, shared: &Shared<'_>) -> PackageRequest {
    let service = shared.packaging;
    let parts = [&service.exclude, &service.include, &service.patterns];
    let span = service.span.as_ref().unwrap_or(shared.span);
    let name = format!("{}.zip", project.service);
    let base = request(project, shared, service.artifact.as_deref(), name, span);
    PackageRequest {
        patterns: patterns(project, &parts),
        exclude_dev_dependencies: service.exclude_dev_dependencies.unwrap_or(true),
        ..base
    }
}

fn request(
    project: &Project,
    shared: &Shared<'_>,
    artifact: Option<&str>,
    name: String,
    span: &Span,
) -> PackageRequest {
    let artifact_name = match artifact {
        Some(path) => path.rsplit('/').next().unwrap_or(path).to_owned(),
        None => name,
    };
    let folder = artifact_folder(
        shared.prefix,
        &project.service,
        &project.stage,
        shared.options.now,
    );
    PackageRequest {
        artifact_key: format!("{folder}/{artifact_name}"),
        artifact_name,
        patterns: Vec::new(),
        artifact: artifact.map(|path| project.root.join(path)),
        folder: None,
        exclude_dev_dependencies: true,
        functions: Vec::new(),
        span: span.clone(),
    }
}

/// The configuration file never belongs into a package; then what the project selects.
fn patterns(project: &Project, parts: &[&Vec<String>]) -> Vec<String> {
    let file = project.config_file.strip_prefix(&project.root).ok();
    let own_file = file.and_then(|file| file.to_str()).map(|file| format!("!{file}"));
    let excluded = own_file.into_iter().chain(project.excluded_files.iter().cloned());
    let selected = parts.iter().copied().flatten().cloned();
    excluded.chain(selected).collect()
}

fn warn_of_ignored_patterns(read: &ReadFunction, problems: &mut Problems) {
    if let Some(span) = read.packaging.span.as_ref().filter(|_| read.packaging.selects()) {
        let key = &read.function.key;
        problems.add(
            crate::diagnostic::Diagnostic::warning(format!(
                "patterns of function `{key}` have no effect: it shares the service's package"
            ))
            .at(span)
            .hint("add `individually: true` to its `package`"),
        );
    }
}
