//! The file behind each handler, and its export.

use tradewind_model::Language;

use super::files::{Files, read_source};
use super::{javascript, suggestion};
use crate::build::Context;
use crate::build::entry::{Entry, NODE_EXTENSIONS};
use crate::diagnostic::Diagnostic;
use crate::package::PreparedFile;
use crate::serverless::ProjectFunction;

/// The function's file in the package; none where there is nothing to look for.
pub(super) fn find<'a>(
    context: Context<'_>,
    function: &ProjectFunction,
    files: Files<'a>,
) -> Result<Option<&'a PreparedFile>, Box<Diagnostic>> {
    match function.runtime.language() {
        Language::Node => find_source(
            context,
            function,
            files,
            &NODE_EXTENSIONS,
            "js, .mjs, .cjs or .ts",
        ),
        Language::Python => find_source(context, function, files, &["py", "pyc", "so"], "py"),
        Language::Ruby => find_source(context, function, files, &["rb"], "rb"),
        Language::Provided => find_executable(function, "bootstrap", files),
        Language::Go => find_executable(function, &function.handler, files),
        // These come as prebuilt archives whose classes are not looked into.
        Language::Java | Language::Dotnet => Ok(None),
    }
}

fn find_source<'a>(
    context: Context<'_>,
    function: &ProjectFunction,
    files: Files<'a>,
    extensions: &[&str],
    shown: &str,
) -> Result<Option<&'a PreparedFile>, Box<Diagnostic>> {
    let Some(entry) = Entry::of(function) else {
        let form = "a handler is `path/to/file.function`, without the file's extension";
        return Err(problem(function, "it names no function", form));
    };
    let package = format!("{}/__init__", entry.stem);
    let found = files
        .with_extension(&entry.stem, extensions)
        .or_else(|| files.with_extension(&package, &["py"]))
        .or_else(|| files.get(&entry.stem));
    if found.is_some() {
        return Ok(found);
    }
    let excluded = extensions.iter().find_map(|extension| {
        let name = format!("{}.{extension}", entry.stem);
        context.root().join(&name).is_file().then_some(name)
    });
    Err(match excluded {
        Some(name) => problem(
            function,
            &format!("{name} is there, but excluded from the package"),
            &format!("add `{name}` to package.patterns"),
        ),
        None => no_file(function, &entry, files, extensions, shown),
    })
}

fn no_file(
    function: &ProjectFunction,
    entry: &Entry,
    files: Files<'_>,
    extensions: &[&str],
    shown: &str,
) -> Box<Diagnostic> {
    let what = format!("no file {}.{shown}", entry.stem);
    let hint = if entry.stem == "wsgi_handler" {
        "the plugin serverless-wsgi would make this file, and it is not run: write a handler that calls the \
         application, for example with the package apig-wsgi"
            .to_owned()
    } else {
        suggestion(entry, extensions, files)
            .unwrap_or_else(|| "create it, or name the file that has the function".to_owned())
    };
    problem(function, &what, &hint)
}

fn find_executable<'a>(
    function: &ProjectFunction,
    name: &str,
    files: Files<'a>,
) -> Result<Option<&'a PreparedFile>, Box<Diagnostic>> {
    let name = name.trim_start_matches("./").trim_start_matches('/');
    match files.get(name) {
        Some(file) if file.executable => Ok(None),
        Some(_) => {
            let what = format!("{name} is not executable");
            Err(problem(function, &what, &format!("run `chmod +x {name}`")))
        }
        None => Err(problem(
            function,
            &format!("no executable {name} in the package"),
            &format!("build it before deploying, or include {name} with package.patterns"),
        )),
    }
}

fn problem(function: &ProjectFunction, what: &str, hint: &str) -> Box<Diagnostic> {
    let message = format!(
        "handler `{}` of function `{}`: {what}",
        function.handler, function.key
    );
    Box::new(Diagnostic::error(message).at(&function.span).hint(hint))
}

/// The error of a handler whose file never mentions the function it is to export.
pub(super) fn check_export(function: &ProjectFunction, file: &PreparedFile) -> Option<Diagnostic> {
    let entry = Entry::of(function)?;
    let text = read_source(&file.source)?;
    let name = entry.export.split(['.', ':']).rfind(|part| !part.is_empty())?;
    if javascript::mentions(&text, name) {
        return None;
    }
    let hidden = match function.runtime.language() {
        Language::Node => !javascript::exports_are_visible(&text),
        Language::Python => text.contains("import *") || text.contains("__getattr__") || is_binary(file),
        Language::Ruby => text.contains("define_method") || text.contains("require_relative"),
        Language::Java | Language::Dotnet | Language::Provided | Language::Go => true,
    };
    if hidden {
        return None;
    }
    let what = format!("`{name}` is never mentioned in {}", file.path_in_package);
    Some(*problem(
        function,
        &what,
        "export a function of this name, or correct the handler",
    ))
}

fn is_binary(file: &PreparedFile) -> bool {
    !file.path_in_package.ends_with(".py")
}
