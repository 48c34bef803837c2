//! What to say about a Node package that the code imports and the package does not hold.

use std::path::{Path, PathBuf};

use super::files::read_source;
use super::javascript::{self, Import};
use crate::build::Context;
use crate::build::bundle::Message;
use crate::diagnostic::{Diagnostic, Span};
use crate::package::installed;
use crate::serverless::ProjectFunction;

/// A package that is imported but not there.
#[derive(Clone, Debug)]
pub(in crate::build) struct MissingPackage {
    /// The package's name.
    pub(in crate::build) name: String,
    /// The importing file as it is shown.
    pub(in crate::build) importer: String,
    /// Where it is imported.
    pub(in crate::build) span: Option<Span>,
    /// Whether loading the handler certainly runs the import.
    pub(in crate::build) certain: bool,
}

impl MissingPackage {
    /// What the bundler could not find; it is certain when one of the project's own files imports it at once.
    pub(in crate::build) fn in_source(root: &Path, message: &Message, name: &str) -> Self {
        let importer = message.place.as_ref().map_or("", |(file, ..)| file.as_str());
        let own = !importer.split('/').any(|part| part == "node_modules");
        let text = read_source(&root.join(importer)).unwrap_or_default();
        let runs =
            |import: &Import| installed::package_name(&import.specifier) == Some(name) && import.certain;
        Self {
            name: name.to_owned(),
            importer: importer.to_owned(),
            span: message.span(root),
            certain: own && javascript::imports(&text).iter().any(runs),
        }
    }

    /// A package that a bundle made of `sources` leaves outside.
    pub(in crate::build) fn in_sources(root: &Path, sources: &[PathBuf], name: &str) -> Self {
        let mut missing = Self {
            name: name.to_owned(),
            importer: "a package of the bundle".to_owned(),
            span: None,
            certain: false,
        };
        for source in sources {
            let text = read_source(source).unwrap_or_default();
            let of_package = |import: &Import| installed::package_name(&import.specifier) == Some(name);
            let imports = javascript::imports(&text);
            if let Some(import) = imports.iter().find(|import| of_package(import))
                && (missing.span.is_none() || import.certain)
            {
                missing.importer = source.strip_prefix(root).unwrap_or(source).display().to_string();
                missing.span = Some(import.span_in(source));
                missing.certain = import.certain;
            }
        }
        missing
    }

    /// The error, or the warning when the import may never run.
    pub(in crate::build) fn diagnose(
        &self,
        context: Context<'_>,
        function: Option<&ProjectFunction>,
    ) -> Diagnostic {
        let (name, importer) = (&self.name, &self.importer);
        let diagnostic = if self.certain {
            Diagnostic::error(format!(
                "`{importer}` imports `{name}`, which is not in the package"
            ))
        } else {
            Diagnostic::warning(format!(
                "`{importer}` may import `{name}`, which is not in the package"
            ))
        };
        let span = self.span.as_ref().or(function.map(|function| &function.span));
        let diagnostic = match span {
            Some(span) => diagnostic.at(span),
            None => diagnostic,
        };
        diagnostic.hint(self.hint(context, function))
    }

    fn hint(&self, context: Context<'_>, function: Option<&ProjectFunction>) -> String {
        let (root, name) = (context.root(), &self.name);
        let runtime = function.map(|function| &function.runtime);
        let major = runtime
            .and_then(|runtime| runtime.version())
            .map_or(0, |(major, _)| major);
        if let Some(folder) = installed::resolve(root, name) {
            return installed_hint(root, name, &folder);
        }
        let in_image = if major >= 18 {
            name.starts_with("@aws-sdk/") || name.starts_with("@smithy/")
        } else {
            name == "aws-sdk"
        };
        match runtime.filter(|_| in_image) {
            Some(runtime) => {
                format!(
                    "Lambda's {runtime} image brings it, this platform does not: run `npm install {name}`"
                )
            }
            None => format!("run `npm install {name}` in the service directory"),
        }
    }
}

/// Why a package that is installed is not in the package.
fn installed_hint(root: &Path, name: &str, folder: &Path) -> String {
    if !folder.starts_with(root) {
        return format!(
            "it is installed in {}, outside the service directory: run `npm install {name}` here, or add the \
             plugin serverless-esbuild to bundle it",
            folder.display()
        );
    }
    if installed::development_only(root).contains(folder) {
        return format!("it is only a development dependency: run `npm install --save-prod {name}`");
    }
    format!("it is installed, but excluded: add `node_modules/{name}/**` to package.patterns")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Severity;
    use crate::package::testing::{Workspace, function};

    fn missing(name: &str, certain: bool) -> MissingPackage {
        MissingPackage {
            name: name.to_owned(),
            importer: "index.js".to_owned(),
            span: None,
            certain,
        }
    }

    #[track_caller]
    fn hint(files: &[(&str, &str)], runtime: &str, name: &str, expected: &str) {
        let workspace = Workspace::new(files, vec![function("f", runtime, "index.handler")]);
        let function = workspace.project.functions.first();
        let diagnostic = missing(name, true).diagnose(workspace.context(), function);
        let hint = diagnostic.hint.unwrap();
        assert!(hint.contains(expected), "{hint}");
    }

    #[test]
    fn the_hint_names_the_command_that_helps() {
        hint(&[], "nodejs20.x", "lodash", "run `npm install lodash`");
        hint(&[], "nodejs16.x", "aws-sdk", "nodejs16.x image brings it");
        hint(&[], "nodejs20.x", "aws-sdk", "run `npm install aws-sdk` in");
        hint(
            &[],
            "nodejs20.x",
            "@aws-sdk/client-s3",
            "nodejs20.x image brings it",
        );
        let installed = ("node_modules/d/package.json", "{}");
        let manifest = ("package.json", r#"{"devDependencies":{"d":"1"}}"#);
        hint(&[installed, manifest], "nodejs20.x", "d", "--save-prod d");
        hint(&[installed], "nodejs20.x", "d", "package.patterns");
    }

    #[test]
    fn an_import_that_may_never_run_only_warns() {
        let workspace = Workspace::new(&[], Vec::new());
        let diagnostic = missing("x", false).diagnose(workspace.context(), None);
        assert_eq!(diagnostic.severity, Severity::Warning);
    }
}
