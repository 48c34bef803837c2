//! A finished package is looked at before it is deployed: the handlers are there, export what they should,
//! and what they import at once is in the package.
//!
//! What certainly fails at the first request is an error; what may fail (an import in a branch, an export
//! that cannot be seen) is a warning or nothing at all.

mod files;
mod handlers;
mod javascript;
pub(super) mod missing;
pub(super) mod node_imports;
mod python;
mod python_imports;
mod python_modules;
mod tokens;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tradewind_model::Language;

use self::files::Files;
use self::python_imports::MissingModule;
use super::command::Invocation;
use super::entry::Entry;
use super::{Built, Context, python as python_step};
use crate::diagnostic::{Diagnostic, nearest};
use crate::package::PreparedFile;
use crate::serverless::ProjectFunction;

/// What the look at a package has found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Python modules that only the interpreter's own folder may still have.
    missing: Vec<(usize, MissingModule)>,
}

/// Looks at the package; `files` are sorted by path.
pub(crate) fn package(context: Context<'_>, built: &Built, files: &[PreparedFile]) -> Findings {
    let files = Files::new(files);
    let mut findings = Findings::default();
    let mut seen = BTreeSet::new();
    for index in &context.request.functions {
        let function = context.project.functions.get(*index);
        // what layers bring is not known here
        let Some(function) = function.filter(|function| !function.has_layers) else {
            continue;
        };
        match handlers::find(context, function, files) {
            Err(problem) => findings.diagnostics.push(*problem),
            Ok(None) => {}
            Ok(Some(handler)) => {
                findings
                    .diagnostics
                    .extend(handlers::check_export(function, handler));
                if seen.insert(handler.path_in_package.as_str()) {
                    look_into(context, built, (*index, function), handler, files, &mut findings);
                }
            }
        }
    }
    findings
}

/// Looks for the handlers only, as in an archive that stays closed.
pub(crate) fn handlers(context: Context<'_>, files: &[PreparedFile]) -> Vec<Diagnostic> {
    let files = Files::new(files);
    let problems = context
        .all_functions()
        .filter(|function| !function.has_layers)
        .filter_map(|function| handlers::find(context, function, files).err());
    problems.map(|problem| *problem).collect()
}

fn look_into(
    context: Context<'_>,
    built: &Built,
    (index, function): (usize, &ProjectFunction),
    handler: &PreparedFile,
    files: Files<'_>,
    findings: &mut Findings,
) {
    match function.runtime.language() {
        Language::Node if built.bundled && built.made.contains(handler) => {}
        Language::Node => {
            let found = node_imports::check(context, built, function, handler, files);
            let new = found
                .into_iter()
                .filter(|one| !findings.diagnostics.contains(one));
            let new: Vec<Diagnostic> = new.collect();
            findings.diagnostics.extend(new);
        }
        Language::Python => {
            let build_dir = super::stamp::build_dir(context.root());
            let own = |file: &PreparedFile| !file.source.starts_with(&build_dir);
            let missing = python_imports::missing(handler, &own, files);
            findings
                .missing
                .extend(missing.into_iter().map(|module| (index, module)));
        }
        Language::Ruby | Language::Java | Language::Dotnet | Language::Provided | Language::Go => {}
    }
}

/// Adds what is to be said about missing Python modules, once their interpreter has been asked for them.
pub(crate) async fn python_modules(context: Context<'_>, findings: &mut Findings) {
    let missing = std::mem::take(&mut findings.missing);
    let mut told = BTreeSet::new();
    for (index, module) in missing {
        let Some(function) = context.project.functions.get(index) else {
            continue;
        };
        if told.insert(module.name.clone()) {
            let beside = is_in_interpreter(context, function, &module.name).await;
            findings.diagnostics.push(about_module(function, &module, beside));
        }
    }
}

/// Whether the interpreter itself can import the module on this machine.
async fn is_in_interpreter(context: Context<'_>, function: &ProjectFunction, module: &str) -> bool {
    if module.starts_with('.') {
        return false;
    }
    let Some(program) = python_step::interpreter(context.tools, &function.runtime).await else {
        return false;
    };
    let script = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)";
    if context.tools.has_module(&program, module) {
        return true;
    }
    let asked = Invocation::new("python", &program, Path::new("/"))
        .args(["-c", script, module])
        .within(Duration::from_secs(20));
    let found = asked.run(context.tools).await.is_ok();
    if found {
        context.tools.remember_module(&program, module);
    }
    found
}

fn about_module(function: &ProjectFunction, module: &MissingModule, in_interpreter: bool) -> Diagnostic {
    let MissingModule { name, importer, .. } = module;
    let what = format!("`{name}`, which is not in the package");
    let advice = match &module.beside {
        Some(statement) => format!("modules are looked for from the top of the package: write `{statement}`"),
        None => python_modules::advice(name, function.runtime.as_str()),
    };
    let diagnostic = if in_interpreter {
        Diagnostic::warning(format!(
            "`{importer}` imports {what} but installed on this machine"
        ))
    } else if module.certain {
        Diagnostic::error(format!("`{importer}` imports {what}"))
    } else {
        Diagnostic::warning(format!("`{importer}` may import {what}"))
    };
    diagnostic.at(&module.span).hint(advice)
}

/// The handler a user may have meant: the nearest file that could be one.
fn suggestion(entry: &Entry, extensions: &[&str], files: Files<'_>) -> Option<String> {
    let stems = files
        .paths()
        .filter(|path| !path.contains("node_modules/"))
        .filter_map(|path| {
            let (stem, extension) = path.rsplit_once('.')?;
            extensions.contains(&extension).then_some(stem)
        });
    let near = nearest(&entry.stem, stems)?;
    Some(format!("did you mean `{near}.{}`?", entry.export))
}

#[cfg(test)]
mod tests;
