//! `file(path):address`

use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use super::resolver::Resolver;
use super::sources::{Call, to_json};
use crate::diagnostic::{Diagnostic, Span};
use crate::serverless::javascript::{self, EvaluateError, Question, Script};
use crate::yaml::{Node, parse_json, parse_yaml};

/// Largest file a variable reads.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The value of a file; none when the file, or what the address names in it, is not there.
pub(super) fn value(resolver: &mut Resolver<'_>, call: &Call<'_>) -> Result<Option<Node>, Diagnostic> {
    let Some(written) = call.params.first().filter(|path| !path.is_empty()) else {
        return Err(call
            .error(format!("`{}` names no file", call.variable.written))
            .hint("write `${file(path/to/file.yml):key}`"));
    };
    let file = resolver
        .context
        .dir
        .join(written.strip_prefix("./").unwrap_or(written));
    let keys = call.keys();
    let label = format!("file({written}):{}", keys.join("."));
    resolver.guarded(label, call.place, |resolver| {
        let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if matches!(extension, "js" | "cjs" | "mjs" | "ts") {
            return evaluated(resolver, &file, &keys, call);
        }
        match content(resolver, &file, extension, call)? {
            Some(root) => walk(resolver, &root, &keys, call.place),
            None => Ok(None),
        }
    })
}

/// The parsed file, read once.
fn content(
    resolver: &mut Resolver<'_>,
    file: &Path,
    extension: &str,
    call: &Call<'_>,
) -> Result<Option<Rc<Node>>, Diagnostic> {
    if let Some(known) = resolver.files.get(file) {
        return Ok(known.clone());
    }
    resolver.read.insert(file.to_owned());
    let root = match read(file).map_err(|problem| unreadable(file, &problem, call))? {
        None => None,
        Some(text) => Some(Rc::new(match extension {
            "yml" | "yaml" => parse_yaml(&text, file)?,
            "json" | "tfstate" => parse_json(&text, file)?,
            _ => Node::text(&Span::start_of(file), text),
        })),
    };
    resolver.files.insert(file.to_owned(), root.clone());
    Ok(root)
}

fn read(file: &Path) -> Result<Option<String>, String> {
    let found = match std::fs::metadata(file) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !found.is_file() {
        return Err("it is not a file".into());
    }
    if found.len() > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    std::fs::read_to_string(file)
        .map(Some)
        .map_err(|error| error.to_string())
}

fn unreadable(file: &Path, problem: &str, call: &Call<'_>) -> Diagnostic {
    call.error(format!("cannot read `{}`: {problem}", file.display()))
}

/// Walks `keys` into a tree that still has variables, then resolves what is there.
fn walk(
    resolver: &mut Resolver<'_>,
    root: &Node,
    keys: &[String],
    place: &Span,
) -> Result<Option<Node>, Diagnostic> {
    let mut current = root;
    for (index, key) in keys.iter().enumerate() {
        if current.as_text().is_some() {
            let resolved = resolver.outside(current, place)?;
            let rest = keys.get(index..).unwrap_or_default();
            return Ok(descend(&resolved, rest).cloned());
        }
        match current.child(key) {
            Some(child) => current = child,
            None => return Ok(None),
        }
    }
    let resolved = resolver.outside(current, place)?;
    Ok(Some(resolved).filter(|node| !node.is_null()))
}

fn descend<'n>(node: &'n Node, keys: &[String]) -> Option<&'n Node> {
    keys.iter()
        .try_fold(node, |node, key| node.child(key))
        .filter(|node| !node.is_null())
}

/// What a JavaScript file exports.
fn evaluated(
    resolver: &mut Resolver<'_>,
    file: &Path,
    keys: &[String],
    call: &Call<'_>,
) -> Result<Option<Node>, Diagnostic> {
    resolver.read.insert(file.to_owned());
    if !file.exists() {
        return Ok(None);
    }
    let context = resolver.context;
    let Some(node) = context.node else {
        return Err(call
            .error(format!(
                "`{}` needs node, which is not installed",
                call.variable.written
            ))
            .hint("install Node.js, or write the file as YAML or JSON"));
    };
    let script = Script {
        node,
        dir: context.dir,
        file,
        address: keys,
        options: &context.options_json(),
        environment: context.environment,
    };
    let mut answer = |question| answered(resolver, question, call.place);
    let result = javascript::evaluate(&script, &mut answer).map_err(|error| failed(file, &error, call))?;
    resolver.read.extend(result.files);
    let tree = Node::from_json(result.value, &Span::start_of(file));
    walk(resolver, &tree, &result.rest, call.place)
}

fn answered(resolver: &mut Resolver<'_>, question: Question, place: &Span) -> Result<Value, String> {
    let outcome = match question {
        Question::Property(keys) => resolver.property(&keys).map(to_json),
        Question::Variable(text) => {
            let whole = format!("${{{text}}}");
            resolver.text(&whole, place).map(|node| node.to_json())
        }
    };
    outcome.map_err(|problem| problem.message)
}

fn failed(file: &Path, error: &EvaluateError, call: &Call<'_>) -> Diagnostic {
    let name = PathBuf::from(file.file_name().unwrap_or_default());
    let message = format!("`{}` cannot be evaluated: {error}", name.display());
    match error {
        EvaluateError::NeedsEsbuild => call
            .error(message)
            .hint("run `npm install --save-dev esbuild` in the service directory"),
        EvaluateError::Thrown {
            place: Some(place), ..
        } => Diagnostic::error(message).at(&place.span(file)),
        EvaluateError::Start(_)
        | EvaluateError::Thrown { place: None, .. }
        | EvaluateError::Timeout
        | EvaluateError::Silent => call.error(message),
    }
}
