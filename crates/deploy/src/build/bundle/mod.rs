//! Handlers that Node cannot run as they are, or that the project wants in one file each, go through esbuild.
//!
//! A TypeScript handler is translated together with the project's own files it imports, and installed packages
//! stay beside it, as a compiler would leave them. A project with a bundler plugin gets what the plugin would
//! make: each handler in one file with all it imports, and in the package nothing else but the files its
//! patterns ask for and the packages that stay external. `webpack.config.js` and its like are not read.

mod messages;
mod metafile;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tradewind_model::Language;

pub(super) use self::messages::Message;
use self::metafile::Metafile;
use super::check::missing::MissingPackage;
use super::command::{Invocation, ToolError};
use super::entry::{Entry, is_compiled};
use super::esbuild;
use super::install;
use super::settings::{Format, Mode, Settings};
use super::stamp::{Fingerprint, Stamp};
use super::{Built, Context, cannot_write};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::package::glob::escaped;
use crate::package::installed;
use crate::package::manifest::Manifest;
use crate::package::walk::Scope;
use crate::serverless::ProjectFunction;

/// Files that tools import but Node cannot; their text becomes the module.
const TEXT_FILES: [&str; 7] = [".graphql", ".gql", ".html", ".sql", ".txt", ".md", ".pem"];
/// The oldest Node version esbuild can still write for.
const OLDEST_TARGET: u32 = 12;
/// The Node version meant by a runtime name without one.
const DEFAULT_TARGET: u32 = 18;

/// A handler that is bundled.
#[derive(Clone, Debug)]
struct Job<'a> {
    function: &'a ProjectFunction,
    stem: String,
    source: PathBuf,
}

/// Bundles the handlers of the package that need it.
pub(super) async fn run(context: Context<'_>, built: &mut Built) -> Result<(), Diagnostics> {
    let settings = Settings::of(context);
    let jobs = jobs(context, settings.mode);
    if jobs.is_empty() {
        return Ok(());
    }
    built.warnings.extend(settings.warnings.iter().cloned());
    let manifest = install::read_manifest(context.root())?;
    let plan = Plan::new(context, &settings, &manifest, &jobs).await?;
    let metafile = match plan.current() {
        Some(metafile) => metafile,
        None => plan.bundle(&manifest, built).await?,
    };
    plan.collect(&metafile, built)
}

fn jobs(context: Context<'_>, mode: Mode) -> Vec<Job<'_>> {
    let root = context.root();
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for function in context.functions(Language::Node) {
        let Some(entry) = Entry::of(function) else {
            continue;
        };
        let Some(source) = entry.source(root) else {
            continue;
        };
        let wanted = match mode {
            Mode::Bundle => true,
            Mode::PreferSource => is_compiled(&source),
            Mode::Translate => is_compiled(&source) && entry.runnable(root).is_none(),
        };
        if wanted && !jobs.iter().any(|job| job.stem == entry.stem) {
            jobs.push(Job {
                function,
                stem: entry.stem,
                source,
            });
        }
    }
    jobs
}

/// One run of the bundler: what goes in, where it comes out.
struct Plan<'a> {
    context: Context<'a>,
    settings: &'a Settings,
    jobs: &'a [Job<'a>],
    program: PathBuf,
    arguments: Vec<String>,
    output: PathBuf,
    stamp: Stamp,
}

impl<'a> Plan<'a> {
    async fn new(
        context: Context<'a>,
        settings: &'a Settings,
        manifest: &Manifest,
        jobs: &'a [Job<'a>],
    ) -> Result<Self, Diagnostics> {
        let name = format!("bundle-{}", context.slug());
        Ok(Self {
            context,
            settings,
            jobs,
            program: esbuild::program(context).await?,
            arguments: arguments(context, settings, manifest, jobs),
            output: context.build_dir()?.join(&name),
            stamp: Stamp::of(context.root(), &name),
        })
    }

    /// The last run's result, when nothing it read has changed.
    fn current(&self) -> Option<Metafile> {
        let metafile = Metafile::read(&self.output)?;
        self.stamp.is(&self.fingerprint(&metafile)).then_some(metafile)
    }

    fn fingerprint(&self, metafile: &Metafile) -> String {
        let root = self.context.root();
        let start = Fingerprint::default()
            .text(&self.program.display().to_string())
            .text(&self.arguments.join("\n"))
            .file(&root.join("package.json"))
            .file(&root.join("tsconfig.json"));
        let inputs = metafile.inputs.iter();
        inputs
            .fold(start, |all, input| all.metadata(&root.join(input)))
            .finish()
    }

    /// Runs the bundler; packages that are declared but not installed are installed, those that are nowhere
    /// are reported.
    async fn bundle(&self, manifest: &Manifest, built: &mut Built) -> Result<Metafile, Diagnostics> {
        let count = self.jobs.len();
        let handlers = if count == 1 { "handler" } else { "handlers" };
        self.context
            .say(&format!("bundling {count} {handlers} with esbuild"));
        let staging = self.output.with_extension("new");
        let mut missing = match self.esbuild(&staging, &BTreeSet::new()).await? {
            Ok(()) => return self.finish(&staging),
            Err(missing) => missing,
        };
        if self.installable(manifest, &missing) {
            install::ensure_development_packages(self.context, built).await?;
            missing = match self.esbuild(&staging, &BTreeSet::new()).await? {
                Ok(()) => return self.finish(&staging),
                Err(missing) => missing,
            };
        }
        self.without(&staging, &missing).await
    }

    /// Bundles although packages are missing, for imports that may never run; certain ones are errors.
    async fn without(&self, staging: &Path, missing: &[Message]) -> Result<Metafile, Diagnostics> {
        let found: Vec<Diagnostic> = missing.iter().map(|message| self.report(message)).collect();
        let found = Diagnostics(found);
        if found.has_errors() {
            return Err(found);
        }
        let names: BTreeSet<String> = missing.iter().filter_map(Message::unresolved_package).collect();
        match self.esbuild(staging, &names).await? {
            Ok(()) => self.finish(staging),
            Err(still) => Err(Diagnostics(
                still.iter().map(|message| self.report(message)).collect(),
            )),
        }
    }

    fn report(&self, message: &Message) -> Diagnostic {
        let root = self.context.root();
        match message.unresolved_package() {
            Some(name) => {
                MissingPackage::in_source(root, message, &name).diagnose(self.context, self.function())
            }
            None => message.diagnose(root),
        }
    }

    /// The function that messages without a better place are about.
    fn function(&self) -> Option<&'a ProjectFunction> {
        self.jobs.first().map(|job| job.function)
    }

    fn installable(&self, manifest: &Manifest, missing: &[Message]) -> bool {
        let names = missing.iter().filter_map(Message::unresolved_package);
        let declared = ["dependencies", "devDependencies", "optionalDependencies"];
        names.into_iter().any(|name| {
            let listed = declared.iter().any(|field| manifest.lists(field, &name));
            listed && installed::resolve(self.context.root(), &name).is_none()
        })
    }

    /// One run into `staging`: `Ok(Err(…))` when all that is wrong are packages that are not there.
    async fn esbuild(
        &self,
        staging: &Path,
        external: &BTreeSet<String>,
    ) -> Result<Result<(), Vec<Message>>, Diagnostics> {
        fresh(staging).map_err(|cause| cannot_write(staging, &cause))?;
        let invocation = Invocation::new("esbuild", &self.program, self.context.root())
            .args(self.arguments.iter())
            .args([format!("--outdir={}", staging.display())])
            .args([format!("--metafile={}", staging.join(metafile::FILE).display())])
            .args(external.iter().map(|name| format!("--external:{name}")))
            .within(Duration::from_secs(180));
        let error = match invocation.run(self.context.tools).await {
            Ok(_) => return Ok(Ok(())),
            Err(error) => error,
        };
        let messages = match &error {
            ToolError::Failed { output, .. } => messages::errors(output),
            ToolError::Start { .. } | ToolError::TimedOut { .. } => Vec::new(),
        };
        if messages.is_empty() {
            return Err(Diagnostic::error(error.to_string()).into());
        }
        if messages
            .iter()
            .all(|message| message.unresolved_package().is_some())
        {
            return Ok(Err(messages));
        }
        let root = self.context.root();
        Err(Diagnostics(
            messages.iter().map(|message| message.diagnose(root)).collect(),
        ))
    }

    /// Puts the finished run in the place of the last one.
    fn finish(&self, staging: &Path) -> Result<Metafile, Diagnostics> {
        let written = |cause| cannot_write(&self.output, &cause);
        self.stamp.clear().map_err(written)?;
        if self.output.exists() {
            std::fs::remove_dir_all(&self.output).map_err(written)?;
        }
        std::fs::rename(staging, &self.output).map_err(written)?;
        let metafile = Metafile::read(&self.output)
            .ok_or_else(|| Diagnostics::from(Diagnostic::error("esbuild has not said what it wrote")))?;
        self.stamp.write(&self.fingerprint(&metafile)).map_err(written)?;
        Ok(metafile)
    }

    /// Adds the outputs to the package, and takes out what they stand for.
    fn collect(&self, metafile: &Metafile, built: &mut Built) -> Result<(), Diagnostics> {
        let root = self.context.root();
        built.made.extend(metafile::outputs(&self.output));
        let own = metafile
            .own_inputs()
            .map(|input| installed::normalised(&root.join(input)));
        for input in own {
            built.watched.extend(input.parent().map(Path::to_owned));
            if is_compiled(&input) || self.jobs.iter().any(|job| job.source == input) {
                built.replaced.insert(input);
            }
        }
        if self.settings.mode == Mode::Bundle {
            let all_node =
                self.context.functions(Language::Node).len() == self.context.request.functions.len();
            built.scope = if all_node { Scope::Named } else { Scope::All };
            built.bundled = true;
            built.warnings.extend(self.absent_externals(metafile)?);
            built.kept.extend(self.external_packages(metafile));
        }
        Ok(())
    }

    /// What is to be said about packages that are left outside and are not installed either.
    fn absent_externals(&self, metafile: &Metafile) -> Result<Vec<Diagnostic>, Diagnostics> {
        let root = self.context.root();
        let absent = metafile.external_packages().into_iter();
        let absent = absent.filter(|name| installed::resolve(root, name).is_none());
        let inputs: Vec<PathBuf> = metafile.own_inputs().map(|input| root.join(input)).collect();
        let found = absent.map(|name| {
            let missing = MissingPackage::in_sources(root, &inputs, &name);
            missing.diagnose(self.context, self.function())
        });
        let found = Diagnostics(found.collect());
        if found.has_errors() {
            Err(found)
        } else {
            Ok(found.0)
        }
    }

    /// Patterns for the packages that bundles import from `node_modules`, with all that those need.
    fn external_packages(&self, metafile: &Metafile) -> Vec<String> {
        let root = self.context.root();
        let names: Vec<String> = metafile.external_packages().into_iter().collect();
        installed::closure(root, &names)
            .iter()
            .filter_map(|folder| folder.strip_prefix(root).ok())
            .map(|folder| format!("{}/**", escaped(&folder.display().to_string())))
            .collect()
    }
}

/// The command line without its output folder.
fn arguments(
    context: Context<'_>,
    settings: &Settings,
    manifest: &Manifest,
    jobs: &[Job<'_>],
) -> Vec<String> {
    let root = context.root();
    let sources = jobs.iter().map(|job| {
        let source = job.source.strip_prefix(root).unwrap_or(&job.source);
        format!("{}=./{}", job.stem, source.display())
    });
    let mut arguments: Vec<String> = sources.collect();
    arguments.extend(
        [
            "--bundle",
            "--platform=node",
            "--log-level=warning",
            "--log-limit=0",
            "--color=false",
        ]
        .map(str::to_owned),
    );
    arguments.push(format!("--target=node{}", target(context)));
    arguments.extend(format_flags(settings, manifest));
    arguments.extend(TEXT_FILES.map(|extension| format!("--loader:{extension}=text")));
    arguments.push("--loader:.node=copy".to_owned());
    arguments.extend(settings.flags.iter().cloned());
    if settings.mode == Mode::Bundle {
        let external = external(root, settings).map(|name| format!("--external:{name}"));
        arguments.extend(external);
    } else {
        arguments.push("--packages=external".to_owned());
    }
    arguments
}

/// The module system of the outputs: that of the project's own `.js` files unless it says otherwise.
fn format_flags(settings: &Settings, manifest: &Manifest) -> Vec<String> {
    let format = settings.module_format.unwrap_or(if manifest.is_module() {
        Format::Module
    } else {
        Format::CommonJs
    });
    match format {
        Format::CommonJs if manifest.is_module() => {
            vec!["--format=cjs".to_owned(), "--out-extension:.js=.cjs".to_owned()]
        }
        Format::CommonJs => vec!["--format=cjs".to_owned()],
        Format::Module => vec![
            "--format=esm".to_owned(),
            "--out-extension:.js=.mjs".to_owned(),
            // Bundled CommonJS packages still call `require`.
            "--banner:js=import{createRequire as __twRequire}from'node:module';globalThis.require??=__twRequire(import.meta.url);".to_owned(),
        ],
    }
}

/// The packages that stay outside. The AWS SDK, which Lambda's images bring, goes in when it is installed.
fn external<'a>(root: &'a Path, settings: &'a Settings) -> impl Iterator<Item = &'a String> {
    settings
        .external
        .iter()
        .chain(&settings.provided)
        .filter(move |name| {
            let sdk = name.as_str() == "aws-sdk" || name.starts_with("@aws-sdk/");
            let folder = name.trim_end_matches("/*");
            !(sdk && installed::resolve(root, folder).is_some())
        })
}

fn target(context: Context<'_>) -> u32 {
    let versions = context.functions(Language::Node).into_iter().map(|function| {
        function
            .runtime
            .version()
            .map_or(DEFAULT_TARGET, |(major, _)| major)
    });
    versions.min().unwrap_or(DEFAULT_TARGET).max(OLDEST_TARGET)
}

fn fresh(folder: &Path) -> std::io::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests;
