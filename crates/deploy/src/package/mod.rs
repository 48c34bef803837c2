//! From a project to the files of one package.
//!
//! [`prepare`] runs the builds a package needs ([`crate::build`]), picks the project's files by its patterns,
//! puts both together and checks that the handlers will find what they import. [`write_zip`] makes the archive;
//! the development loop takes the files as they are.

mod archive;
mod artifact;
mod braces;
pub(crate) mod glob;
pub(crate) mod installed;
mod layer;
pub(crate) mod manifest;
pub(crate) mod rules;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tradewind_model::Language;

use self::rules::Rules;
use self::walk::{Scope, Selection, select};
use crate::build::{self, Built, Context, check};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::serverless::{PackageRequest, Project};

pub use crate::build::Tools;
pub use archive::{WriteZipError, write_zip};

/// Messages of a build that wait to be shown; of more, some are lost.
const PROGRESS_MESSAGES: usize = 64;

/// A package that can be deployed.
#[derive(Clone, Debug, Default)]
pub struct PreparedPackage {
    /// Its files, sorted by path. Empty when there is an artifact.
    pub files: Vec<PreparedFile>,
    /// A prebuilt zip that is deployed as it is.
    pub artifact: Option<PathBuf>,
    /// The files and directories whose change can change the package. A directory stands for its own entries,
    /// not for those of directories below it.
    pub watched: Vec<PathBuf>,
    /// What should be looked at but does not keep the package from being deployed.
    pub warnings: Vec<Diagnostic>,
}

/// One file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedFile {
    /// Its path, with `/` between the parts.
    pub path_in_package: String,
    /// Where it is now.
    pub source: PathBuf,
    /// Whether it may be executed.
    pub executable: bool,
}

/// Builds what the package needs and picks its files.
///
/// `progress` is told what takes time, such as the installation of packages. A second call without changes
/// runs no tool.
///
/// # Errors
/// Everything that keeps the code from running: a failing build with the end of its output, handlers that are
/// not there, packages that are imported and missing. Outputs of the last good build stay as they are.
///
/// # Cancel safety
/// Dropping the future ends the running tool and everything it has started. The next call starts over.
pub async fn prepare(
    project: &Project,
    request: &PackageRequest,
    tools: &Tools,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<PreparedPackage, Diagnostics> {
    let root = std::fs::canonicalize(&project.root).unwrap_or_else(|_| project.root.clone());
    let rooted_in = |path: &Path| root.join(path.strip_prefix(&project.root).unwrap_or(path));
    let mut rooted = project.clone();
    rooted.root.clone_from(&root);
    let job = Job {
        project: rooted,
        request: PackageRequest {
            artifact: request.artifact.as_deref().map(rooted_in),
            folder: request.folder.as_deref().map(rooted_in),
            ..request.clone()
        },
        tools: tools.clone(),
    };
    let prepared = job.run_aside(progress).await;
    let relative = |diagnostic| with_path_as_given(diagnostic, &root, &project.root);
    match prepared {
        Ok(mut package) => {
            package.warnings = package.warnings.into_iter().map(relative).collect();
            Ok(package)
        }
        Err(found) => Err(Diagnostics(found.0.into_iter().map(relative).collect())),
    }
}

/// Shows files the way the user named the service directory.
fn with_path_as_given(mut diagnostic: Diagnostic, root: &Path, given: &Path) -> Diagnostic {
    if let Some(span) = &mut diagnostic.span
        && let Ok(inside) = span.file.strip_prefix(root)
    {
        span.file = given.join(inside).into();
    }
    diagnostic
}

/// The preparation of one package, with all it needs.
struct Job {
    project: Project,
    request: PackageRequest,
    tools: Tools,
}

impl Job {
    /// Runs the job where it may read and write files without holding up other work.
    async fn run_aside(self, progress: &(dyn Fn(&str) + Sync)) -> Result<PreparedPackage, Diagnostics> {
        let (say, mut said) = mpsc::channel::<String>(PROGRESS_MESSAGES);
        let stop = CancellationToken::new();
        let _stopped_with_the_caller = stop.clone().drop_guard();
        let runtime = Handle::current();
        let mut work = spawn_blocking(move || {
            let progress = |text: &str| {
                // A message too many is not worth waiting for.
                say.try_send(text.to_owned()).ok();
            };
            runtime.block_on(async {
                tokio::select! {
                    () = stop.cancelled() => Err(Diagnostic::error("the build was interrupted").into()),
                    done = Box::pin(self.run(&progress)) => done,
                }
            })
        });
        let done = loop {
            tokio::select! {
                biased;
                Some(text) = said.recv() => progress(&text),
                done = &mut work => break done,
            }
        };
        done.unwrap_or_else(|error| Err(ended(error)))
    }

    async fn run(&self, progress: &(dyn Fn(&str) + Sync)) -> Result<PreparedPackage, Diagnostics> {
        let context = Context {
            project: &self.project,
            request: &self.request,
            tools: &self.tools,
            progress,
        };
        if let Some(path) = &self.request.artifact {
            return artifact::prepare(context, path);
        }
        if let Some(folder) = &self.request.folder {
            return layer::prepare(context, folder);
        }
        let mut built = build::run(context).await?;
        let selection = pick(context, &built)?;
        warn(context, &selection, &mut built);
        let files = put_together(&mut built, selection.files);
        if files.is_empty() {
            return Err(nothing_matches(context));
        }
        let mut findings = check::package(context, &built, &files);
        check::python_modules(context, &mut findings).await;
        finish(files, selection.directories, built, findings.diagnostics)
    }
}

/// A panic in the job is one of ours.
fn ended(error: JoinError) -> Diagnostics {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => Diagnostic::error(format!("the build was interrupted: {error}")).into(),
    }
}

/// The project's own files.
fn pick(context: Context<'_>, built: &Built) -> Result<Selection, Diagnostics> {
    let rules = rules(context, built);
    let production_only = context.request.exclude_dev_dependencies && built.scope == Scope::All;
    select(context.root(), &rules, built.scope, production_only).map_err(|error| {
        Diagnostic::error(error.to_string())
            .at(&context.request.span)
            .hint("exclude what is not code with `package.patterns: ['!folder/**']`")
            .into()
    })
}

fn rules(context: Context<'_>, built: &Built) -> Rules {
    let mut rules = Rules::with_defaults();
    rules.extend(&context.request.patterns);
    rules.extend(&built.kept);
    for pattern in &built.left_out {
        rules.exclude(pattern);
    }
    rules.exclude_always(".tradewind/**");
    for folder in context.tools.left_out() {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        if let Ok(inside) = folder.strip_prefix(context.root())
            && !inside.as_os_str().is_empty()
        {
            rules.exclude_always(&format!("{}/**", glob::escaped(&inside.display().to_string())));
        }
    }
    rules
}

fn warn(context: Context<'_>, selection: &Selection, built: &mut Built) {
    let place = &context.request.span;
    let notes = selection.notes.iter();
    built
        .warnings
        .extend(notes.map(|note| Diagnostic::warning(note).at(place)));
    if let Some(pattern) = context
        .request
        .patterns
        .iter()
        .find(|pattern| pattern.starts_with("../"))
    {
        let message =
            format!("the pattern `{pattern}` reaches out of the service directory and has no effect");
        let hint = "link or copy what is needed into the service directory";
        built
            .warnings
            .push(Diagnostic::warning(message).at(place).hint(hint));
    }
    let links = |file: &PreparedFile| file.path_in_package.starts_with("node_modules/.pnpm/");
    if !context.functions(Language::Node).is_empty() && selection.files.iter().any(links) {
        let message = "pnpm has installed the packages as links, which do not survive in a package";
        let hint =
            "put `node-linker=hoisted` into .npmrc and install again, or bundle with serverless-esbuild";
        built
            .warnings
            .push(Diagnostic::warning(message).at(place).hint(hint));
    }
}

/// The package's files, sorted: what was made replaces the project's, which wins over what was installed.
fn put_together(built: &mut Built, own: Vec<PreparedFile>) -> Vec<PreparedFile> {
    let own = own
        .into_iter()
        .filter(|file| !built.replaced.contains(&file.source));
    let installed = std::mem::take(&mut built.installed);
    let layers = installed.into_iter().chain(own).chain(built.made.iter().cloned());
    let files: BTreeMap<String, PreparedFile> =
        layers.map(|file| (file.path_in_package.clone(), file)).collect();
    files.into_values().collect()
}

fn nothing_matches(context: Context<'_>) -> Diagnostics {
    Diagnostic::error("No file matches include / exclude patterns")
        .at(&context.request.span)
        .hint("patterns apply in order and later ones win: include something after `!**`")
        .into()
}

fn finish(
    files: Vec<PreparedFile>,
    directories: BTreeSet<PathBuf>,
    built: Built,
    found: Vec<Diagnostic>,
) -> Result<PreparedPackage, Diagnostics> {
    let (errors, mut warnings): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|one| one.severity == Severity::Error);
    warnings.splice(0..0, built.warnings);
    if !errors.is_empty() {
        return Err(Diagnostics(errors.into_iter().chain(warnings).collect()));
    }
    let mut watched = directories;
    watched.extend(built.watched);
    Ok(PreparedPackage {
        files,
        artifact: None,
        watched: watched.into_iter().collect(),
        warnings,
    })
}

#[cfg(test)]
mod tests;
