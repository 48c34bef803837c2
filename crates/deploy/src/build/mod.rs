//! What projects expect to happen before their code is packaged.
//!
//! Each language has its step: Node installs packages, runs the project's own `build` script and bundles
//! (`node`, `bundle`), Python and Ruby install packages (`python`, `ruby`), custom runtimes need an executable
//! (`native`). Every step looks first whether there is anything to do; what was done is recorded by a stamp
//! below `.tradewind/build`, keyed by a fingerprint of its inputs, so a save that changes nothing costs
//! nothing. [`check`] then looks at the finished package: code that cannot import what it needs is refused
//! here and not by its first request.
//!
//! Invariants: steps of one project run one after the other (they share `node_modules`); a failing step
//! leaves the outputs of the last good one; nothing outside the service directory and the tool cache is
//! written.

mod bundle;
pub(crate) mod check;
mod command;
mod entry;
mod esbuild;
mod install;
mod native;
mod python;
mod ruby;
mod script;
mod settings;
mod stamp;
mod tools;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tradewind_model::Language;

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::package::PreparedFile;
use crate::package::walk::Scope;
use crate::serverless::{PackageRequest, Project, ProjectFunction};

pub use tools::Tools;

/// What a step needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) project: &'a Project,
    pub(crate) request: &'a PackageRequest,
    pub(crate) tools: &'a Tools,
    pub(crate) progress: &'a (dyn Fn(&str) + Sync),
}

/// What the steps made of a package.
#[derive(Debug)]
pub(crate) struct Built {
    /// Which of the project's own files go along.
    pub(crate) scope: Scope,
    /// Files that were made and replace those of the project.
    pub(crate) made: Vec<PreparedFile>,
    /// Files that were installed; the project's own win over them.
    pub(crate) installed: Vec<PreparedFile>,
    /// Whether the made handlers hold all they import; what they do not is reported already.
    pub(crate) bundled: bool,
    /// Source files that made ones stand for.
    pub(crate) replaced: BTreeSet<PathBuf>,
    /// Patterns of files that must go along whatever else is excluded.
    pub(crate) kept: Vec<String>,
    /// Patterns of files that never go along.
    pub(crate) left_out: Vec<String>,
    /// Files and directories beyond the package's own whose change changes it.
    pub(crate) watched: BTreeSet<PathBuf>,
    /// What should be looked at.
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Default for Built {
    fn default() -> Self {
        Self {
            scope: Scope::All,
            made: Vec::new(),
            installed: Vec::new(),
            bundled: false,
            replaced: BTreeSet::new(),
            kept: Vec::new(),
            left_out: Vec::new(),
            watched: BTreeSet::new(),
            warnings: Vec::new(),
        }
    }
}

/// Runs the steps that the functions of the package need.
pub(crate) async fn run(context: Context<'_>) -> Result<Built, Diagnostics> {
    let _one_at_a_time = context.tools.exclusive().await;
    let mut built = Built::default();
    if !context.functions(Language::Node).is_empty() {
        install::ensure_runtime_packages(context, &mut built).await?;
        script::run(context, &mut built).await?;
        bundle::run(context, &mut built).await?;
    }
    if !context.functions(Language::Python).is_empty() {
        python::run(context, &mut built).await?;
    }
    if !context.functions(Language::Ruby).is_empty() {
        ruby::run(context, &mut built).await?;
    }
    native::run(context, &mut built).await?;
    Ok(built)
}

impl<'a> Context<'a> {
    /// The service directory.
    pub(crate) fn root(&self) -> &'a Path {
        &self.project.root
    }

    /// The functions of this package.
    pub(crate) fn all_functions(&self) -> impl Iterator<Item = &'a ProjectFunction> {
        let project = self.project;
        let indices = self.request.functions.iter();
        indices.filter_map(move |index| project.functions.get(*index))
    }

    /// The functions of this package in `language`.
    pub(crate) fn functions(&self, language: Language) -> Vec<&'a ProjectFunction> {
        self.all_functions()
            .filter(|function| function.runtime.language() == language)
            .collect()
    }

    /// Where the project declares a plugin of one of these names.
    pub(crate) fn plugin(&self, names: &[&str]) -> Option<&'a (String, Span)> {
        let plugins = self.project.plugins.iter();
        plugins
            .into_iter()
            .find(|(name, _)| names.contains(&name.as_str()))
    }

    /// Tells the user what is being done.
    pub(crate) fn say(&self, what: &str) {
        tracing::info!(package = %self.request.artifact_name, "{what}");
        (self.progress)(what);
    }

    /// A name for files of this package below the build directory.
    pub(crate) fn slug(&self) -> String {
        let name = self.request.artifact_name.trim_end_matches(".zip");
        name.chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                    c
                } else {
                    '_'
                }
            })
            .collect()
    }

    /// Makes the build directory, which git need not know about.
    pub(crate) fn build_dir(&self) -> Result<PathBuf, Diagnostics> {
        let folder = stamp::build_dir(self.root());
        let ignored = folder.join(".gitignore");
        if !ignored.is_file() {
            std::fs::create_dir_all(&folder)
                .and_then(|()| std::fs::write(&ignored, "*\n"))
                .map_err(|cause| cannot_write(&folder, &cause))?;
        }
        Ok(folder)
    }
}

/// The error of a place below the build directory that cannot be written.
pub(crate) fn cannot_write(path: &Path, cause: &std::io::Error) -> Diagnostics {
    Diagnostic::error(format!("`{}` cannot be written: {cause}", path.display()))
        .hint("builds keep their outputs below .tradewind in the service directory: make it writable")
        .into()
}

/// The path as it is shown: relative to the service directory where it lies in it.
pub(crate) fn shown<'a>(root: &Path, path: &'a Path) -> std::path::Display<'a> {
    path.strip_prefix(root).unwrap_or(path).display()
}
