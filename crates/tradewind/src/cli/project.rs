//! A project on its way to a node: loaded, built, staged or zipped, compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use base64::Engine as _;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tradewind_compute::{Interpreters, PackageFile, PackageStore};
use tradewind_deploy::diagnostic::{Diagnostic, Diagnostics};
use tradewind_deploy::package::{PreparedPackage, Tools, prepare, write_zip};
use tradewind_deploy::serverless::{LoadOptions, Project, ProjectFunction, load};
use tradewind_deploy::stack::StackName;
use tradewind_model::{AccountId, Language, Runtime};

use super::arguments::{Assignment, ProjectArguments};
use super::failure::{Failure, render_diagnostic};
use super::output;
use super::surroundings::Surroundings;

/// The folder below a project's that belongs to Tradewind.
pub(crate) const STATE_DIR: &str = ".tradewind";

/// Where a project is, how it is to be loaded, and what it is built with.
#[derive(Debug)]
pub(crate) struct Workspace {
    options: LoadOptions,
    clock: tradewind_model::Clock,
    tools: Tools,
    interpreters: Interpreters,
}

/// The packages of a project in a node: by the `S3Key` that the template names them with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Artifacts {
    /// Key → id of the package in the node.
    pub(crate) packages: BTreeMap<String, String>,
    /// Key → base64 of its SHA-256.
    pub(crate) digests: BTreeMap<String, String>,
}

impl Workspace {
    /// The project that was asked for. Functions get versions where `publish_versions` says so.
    pub(crate) fn new(
        arguments: &ProjectArguments,
        surroundings: &Surroundings,
        account: AccountId,
        publish_versions: bool,
    ) -> Self {
        let dir = surroundings.directory.join(&arguments.dir);
        let tools = Tools::new(&surroundings.path, surroundings.cache_dir(&dir.join(STATE_DIR)));
        let options = LoadOptions {
            dir: arguments.dir.clone(),
            config: arguments.config.clone(),
            stage: arguments.stage.clone(),
            region: arguments.region.clone(),
            params: pairs(&arguments.params),
            options: pairs(&arguments.options),
            environment: surroundings.variables.clone(),
            account,
            node: tools.find("node"),
            publish_versions,
            now: surroundings.clock.now(),
        };
        let interpreters = Interpreters::discover(&surroundings.path);
        Self {
            options,
            clock: surroundings.clock.clone(),
            tools,
            interpreters,
        }
    }

    /// Leaves the folder that keeps a node's state out of packages, should it lie in the project.
    pub(crate) fn leaving_out(mut self, data_dir: &Path) -> Self {
        self.tools = self.tools.leaving_out(data_dir);
        self
    }

    /// The project's folder as it was given.
    pub(crate) fn dir(&self) -> &Path {
        &self.options.dir
    }

    /// Reads the project as it is now.
    pub(crate) async fn load(&self) -> Result<Project, Failure> {
        let options = LoadOptions {
            now: self.clock.now(),
            ..self.options.clone()
        };
        Ok(load(&options).await?)
    }

    /// Builds every package of the project; all that is wrong is reported together.
    pub(crate) async fn prepare(&self, project: &Project) -> Result<Vec<PreparedPackage>, Failure> {
        let tools = self.tools_for(project).await;
        let mut packages = Vec::new();
        let mut problems = Vec::new();
        for request in &project.packages {
            match prepare(project, request, &tools, &output::progress).await {
                Ok(package) => packages.push(package),
                Err(Diagnostics(found)) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(packages)
        } else {
            Err(Diagnostics(problems).into())
        }
    }

    /// The tools, told which interpreter will run each runtime.
    async fn tools_for(&self, project: &Project) -> Tools {
        let mut tools = self.tools.clone();
        for (runtime, found) in self.interpreters_of(project).await {
            if let Ok(interpreter) = found {
                tools = tools.with_interpreter(&runtime, interpreter.program);
            }
        }
        tools
    }

    async fn interpreters_of(
        &self,
        project: &Project,
    ) -> Vec<(
        Runtime,
        Result<tradewind_compute::Interpreter, tradewind_compute::MissingInterpreter>,
    )> {
        let mut runtimes: Vec<Runtime> = Vec::new();
        for function in &project.functions {
            if is_interpreted(&function.runtime) && !runtimes.contains(&function.runtime) {
                runtimes.push(function.runtime.clone());
            }
        }
        let interpreters = self.interpreters.clone();
        // Looking for a version runs programs.
        aside(move || {
            let find = |runtime: Runtime| {
                let found = interpreters.for_runtime(&runtime);
                (runtime, found)
            };
            runtimes.into_iter().map(find).collect()
        })
        .await
    }

    /// What this machine has for the project's runtimes: warnings where it is another version.
    ///
    /// # Errors
    /// When a function's language has no interpreter here.
    pub(crate) async fn check_interpreters(&self, project: &Project) -> Result<Vec<Diagnostic>, Failure> {
        let mut warnings = Vec::new();
        let mut problems = Vec::new();
        for (runtime, found) in self.interpreters_of(project).await {
            let Some(function) = project
                .functions
                .iter()
                .find(|function| function.runtime == runtime)
            else {
                continue;
            };
            match found {
                Ok(interpreter) if interpreter.exact => {}
                Ok(interpreter) => warnings.push(substituted(function, &interpreter)),
                Err(missing) => {
                    let message = format!("no interpreter for runtime `{runtime}` was found in PATH");
                    problems.push(
                        Diagnostic::error(message)
                            .at(&function.runtime_span)
                            .hint(missing.hint),
                    );
                }
            }
        }
        if problems.is_empty() {
            Ok(warnings)
        } else {
            Err(Diagnostics(problems).into())
        }
    }
}

fn pairs(assignments: &[Assignment]) -> BTreeMap<String, String> {
    assignments
        .iter()
        .map(|one| (one.key.clone(), one.value.clone()))
        .collect()
}

fn is_interpreted(runtime: &Runtime) -> bool {
    !matches!(runtime.language(), Language::Provided | Language::Go)
}

fn substituted(function: &ProjectFunction, interpreter: &tradewind_compute::Interpreter) -> Diagnostic {
    let message = format!(
        "runtime `{}` is run by {} {} here",
        function.runtime,
        interpreter.program.display(),
        interpreter.version
    );
    Diagnostic::warning(message).at(&function.runtime_span)
}

/// The stack's name as the engine takes it.
pub(crate) fn stack_name(project: &Project) -> Result<StackName, Failure> {
    StackName::from_str(&project.stack_name).map_err(|invalid| {
        Failure::new(invalid.to_string()).hint("set `service` or `provider.stackName` in the configuration")
    })
}

/// Prints warnings, each only once over the life of `told`.
pub(crate) fn warn_once<'w>(warnings: impl IntoIterator<Item = &'w Diagnostic>, told: &mut BTreeSet<String>) {
    for warning in warnings {
        let text = render_diagnostic(warning);
        if told.insert(text.clone()) {
            output::note(&text);
        }
    }
}

/// Puts the packages into a node of this process, file by file.
pub(crate) async fn stage(
    store: &PackageStore,
    project: &Project,
    packages: &[PreparedPackage],
) -> Result<Artifacts, Failure> {
    let mut artifacts = Artifacts::default();
    for (request, package) in project.packages.iter().zip(packages) {
        let staged = match &package.artifact {
            Some(zip) => store.add_zip(read_artifact(zip).await?).await,
            None => store.add_folder(&package_files(package)).await,
        };
        let id = staged.map_err(|error| {
            Failure::Project(
                Diagnostic::error(format!("`{}`: {error}", request.artifact_name))
                    .at(&request.span)
                    .into(),
            )
        })?;
        artifacts
            .digests
            .insert(request.artifact_key.clone(), id.code_sha256_base64());
        artifacts
            .packages
            .insert(request.artifact_key.clone(), id.to_string());
    }
    Ok(artifacts)
}

async fn read_artifact(zip: &Path) -> Result<Bytes, Failure> {
    let path = zip.to_path_buf();
    let read = aside(move || std::fs::read(path)).await;
    read.map(Bytes::from)
        .map_err(|error| Failure::new(format!("cannot read `{}`", zip.display())).because(&error))
}

fn package_files(package: &PreparedPackage) -> Vec<PackageFile> {
    let file = |file: &tradewind_deploy::package::PreparedFile| PackageFile {
        path_in_package: file.path_in_package.clone(),
        source: file.source.clone(),
        executable: file.executable,
    };
    package.files.iter().map(file).collect()
}

/// A package as a zip, with its name and the key the template knows it by.
#[derive(Debug)]
pub(crate) struct ZippedPackage {
    /// `S3Key`
    pub(crate) key: String,
    /// For example `shop.zip`.
    pub(crate) name: String,
    /// The archive.
    pub(crate) zip: Bytes,
}

/// Zips the packages. Functions that are packaged individually may still have the same files: these are zipped once.
pub(crate) async fn zip(
    project: &Project,
    packages: Vec<PreparedPackage>,
) -> Result<Vec<ZippedPackage>, Failure> {
    let mut zipped: Vec<ZippedPackage> = Vec::new();
    for (index, (request, package)) in project.packages.iter().zip(&packages).enumerate() {
        let same = packages[..index]
            .iter()
            .position(|other| has_same_content(other, package));
        let zip = match same {
            Some(same) => zipped[same].zip.clone(),
            None => zip_one(package.clone()).await.map_err(|reason| {
                Failure::new(format!("cannot write `{}`: {reason}", request.artifact_name))
            })?,
        };
        zipped.push(ZippedPackage {
            key: request.artifact_key.clone(),
            name: request.artifact_name.clone(),
            zip,
        });
    }
    Ok(zipped)
}

fn has_same_content(one: &PreparedPackage, other: &PreparedPackage) -> bool {
    one.files == other.files && one.artifact == other.artifact
}

async fn zip_one(package: PreparedPackage) -> Result<Bytes, String> {
    aside(move || {
        let mut archive = Cursor::new(Vec::new());
        write_zip(&package, &mut archive).map_err(|error| error.to_string())?;
        Ok(Bytes::from(archive.into_inner()))
    })
    .await
}

/// Runs work that takes a while on a thread that serves nobody else. Its panics are passed on.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
}

/// Base64 of each zip's SHA-256, by key.
pub(crate) fn digests(packages: &[ZippedPackage]) -> BTreeMap<String, String> {
    let digest = |zip: &Bytes| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(zip));
    packages
        .iter()
        .map(|package| (package.key.clone(), digest(&package.zip)))
        .collect()
}

/// Everything whose change may change what runs: configuration files and what builds read.
pub(crate) fn watched_paths(project: &Project, packages: &[PreparedPackage]) -> Vec<PathBuf> {
    let mut paths = project.inputs.clone();
    paths.extend(
        packages
            .iter()
            .flat_map(|package| package.watched.iter().cloned()),
    );
    paths.extend(packages.iter().filter_map(|package| package.artifact.clone()));
    paths
}
