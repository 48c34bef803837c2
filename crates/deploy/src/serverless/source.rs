//! Finding and parsing the configuration file.

use std::path::{Path, PathBuf};

use super::LoadOptions;
use super::javascript::{self, EvaluateError, Script};
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::{Content, Node, parse_json, parse_yaml};

/// The usual names, in the order they are looked for.
const NAMES: [&str; 7] = [
    "serverless.yml",
    "serverless.yaml",
    "serverless.json",
    "serverless.js",
    "serverless.cjs",
    "serverless.mjs",
    "serverless.ts",
];

/// The configuration file of `options`.
pub(super) fn locate(options: &LoadOptions) -> Result<PathBuf, Diagnostic> {
    let dir = &options.dir;
    if let Some(name) = &options.config {
        let file = dir.join(name);
        return if file.is_file() {
            Ok(file)
        } else {
            Err(Diagnostic::error(format!(
                "there is no file `{}`",
                file.display()
            )))
        };
    }
    if !dir.is_dir() {
        return Err(Diagnostic::error(format!(
            "there is no folder `{}`",
            dir.display()
        )));
    }
    let found = NAMES
        .iter()
        .map(|name| dir.join(name))
        .find(|file| file.is_file());
    found.ok_or_else(|| {
        Diagnostic::error(format!("there is no serverless.yml in `{}`", dir.display()))
            .hint("name the project's folder, or make a new project with `tradewind init`")
    })
}

/// Reads `file` into a mapping whose variables are not resolved yet, and names the files it is made of
/// besides itself. Blocks.
pub(super) fn read(file: &Path, options: &LoadOptions) -> Result<(Node, Vec<PathBuf>), Diagnostic> {
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let (root, files) = match extension {
        "js" | "cjs" | "mjs" | "ts" => evaluate(file, options)?,
        "json" => (parse_json(&text(file)?, file)?, Vec::new()),
        _ => (parse_yaml(&text(file)?, file)?, Vec::new()),
    };
    match root.content {
        Content::Map(_) => Ok((root, files)),
        Content::Null => Err(Diagnostic::error("the configuration is empty")
            .at(&Span::start_of(file))
            .hint("it needs at least `service`, `provider` and `functions`")),
        _ => Err(
            Diagnostic::error(format!("the configuration is {}, not a mapping", root.kind()))
                .at(&Span::start_of(file)),
        ),
    }
}

fn text(file: &Path) -> Result<String, Diagnostic> {
    let span = Span::start_of(file);
    let bytes = std::fs::read(file)
        .map_err(|error| Diagnostic::error(format!("cannot be read: {error}")).at(&span))?;
    String::from_utf8(bytes).map_err(|_bytes| Diagnostic::error("the file is not UTF-8 text").at(&span))
}

fn evaluate(file: &Path, options: &LoadOptions) -> Result<(Node, Vec<PathBuf>), Diagnostic> {
    let span = Span::start_of(file);
    let Some(node) = &options.node else {
        return Err(
            Diagnostic::error("configuration in JavaScript needs node, which is not installed")
                .at(&span)
                .hint("install Node.js, or write the configuration as serverless.yml"),
        );
    };
    let given = options
        .options
        .iter()
        .map(|(k, v)| (k.clone(), serde_json::Value::from(v.as_str())))
        .collect();
    let script = Script {
        node,
        dir: &options.dir,
        file,
        address: &[],
        options: &given,
        environment: &options.environment,
    };
    let mut refuse =
        |_question| Err("variables cannot be resolved in the configuration file itself".to_owned());
    match javascript::evaluate(&script, &mut refuse) {
        Ok(evaluated) => Ok((Node::from_json(evaluated.value, &span), evaluated.files)),
        Err(error) => Err(cannot_evaluate(&error, file)),
    }
}

fn cannot_evaluate(error: &EvaluateError, file: &Path) -> Diagnostic {
    let problem = Diagnostic::error(format!("the configuration cannot be evaluated: {error}"));
    let start = Span::start_of(file);
    match error {
        EvaluateError::NeedsEsbuild => problem
            .at(&start)
            .hint("run `npm install --save-dev esbuild`, or write the configuration as serverless.yml"),
        EvaluateError::Thrown {
            place: Some(place), ..
        } => problem.at(&place.span(file)),
        EvaluateError::Start(_)
        | EvaluateError::Thrown { place: None, .. }
        | EvaluateError::Timeout
        | EvaluateError::Silent => problem.at(&start),
    }
}
