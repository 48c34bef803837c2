use super::*;
use crate::diagnostic::Severity;
use crate::package::rules::Rules;
use crate::package::testing::{Workspace, function, program};
use crate::package::walk::{Scope, select};

fn findings(workspace: &Workspace) -> Findings {
    let mut rules = Rules::with_defaults();
    rules.extend(&workspace.project.packages[0].patterns);
    let selection = select(workspace.root(), &rules, Scope::All, true).unwrap();
    package(workspace.context(), &Built::default(), &selection.files)
}

fn messages(findings: &Findings) -> Vec<String> {
    let shown = |one: &Diagnostic| format!("{:?}: {}", one.severity, one.message);
    findings.diagnostics.iter().map(shown).collect()
}

#[track_caller]
fn node(files: &[(&str, &str)], handler: &str, expected: &[&str]) {
    let workspace = Workspace::new(files, vec![function("x", "nodejs20.x", handler)]);
    assert_eq!(messages(&findings(&workspace)), expected);
}

#[track_caller]
fn python(files: &[(&str, &str)], handler: &str, expected: &[(&str, bool)]) {
    let workspace = Workspace::new(files, vec![function("x", "python3.12", handler)]);
    let findings = findings(&workspace);
    assert_eq!(messages(&findings), [""; 0]);
    let missing: Vec<_> = findings
        .missing
        .iter()
        .map(|(_, module)| (module.name.as_str(), module.certain))
        .collect();
    assert_eq!(missing, expected);
}

#[test]
fn a_handler_that_is_there_and_complete_is_fine() {
    node(
        &[
            (
                "src/x.js",
                "const l = require('./lib'); const a = require('a/b'); exports.handler = l(a)",
            ),
            ("src/lib/index.js", "require('../data'); require('fs')"),
            ("src/data.json", "{}"),
            ("node_modules/a/b.js", ""),
        ],
        "src/x.handler",
        &[],
    );
}

#[test]
fn a_missing_file_is_named_with_its_extensions() {
    let workspace = Workspace::new(
        &[("src/upload.js", "exports.handler = 1")],
        vec![function("x", "nodejs20.x", "src/uplaod.handler")],
    );
    let found = &findings(&workspace).diagnostics[0];
    let message = "handler `src/uplaod.handler` of function `x`: no file src/uplaod.js, .mjs, .cjs or .ts";
    assert_eq!(found.message, message);
    assert_eq!(found.hint.as_deref(), Some("did you mean `src/upload.handler`?"));
    assert_eq!(found.span.as_ref().unwrap().line, 7);
}

#[test]
fn an_excluded_file_is_not_a_missing_one() {
    let mut workspace = Workspace::new(
        &[("x.js", "exports.handler = 1")],
        vec![function("x", "nodejs20.x", "x.handler")],
    );
    workspace.request().patterns = vec!["!x.js".to_owned()];
    let found = messages(&findings(&workspace));
    assert!(
        found[0].ends_with("x.js is there, but excluded from the package"),
        "{found:?}"
    );
}

#[test]
fn an_export_must_at_least_be_mentioned() {
    let text = "Error: handler `x.hello` of function `x`: `hello` is never mentioned in x.js";
    node(&[("x.js", "exports.helo = 1")], "x.hello", &[text]);
    node(
        &[("x.js", "module.exports = require('./y')"), ("y.js", "")],
        "x.hello",
        &[],
    );
    node(
        &[("x.mjs", "export const api = { hello() {} }")],
        "x.api.hello",
        &[],
    );
}

#[test]
fn certain_imports_are_errors_and_others_warnings() {
    node(
        &[(
            "x.js",
            "const l = require('left'); try { require('right') } catch {}\nexports.h = 1",
        )],
        "x.h",
        &[
            "Error: `x.js` imports `left`, which is not in the package",
            "Warning: `x.js` may import `right`, which is not in the package",
        ],
    );
    node(
        &[
            (
                "x.mjs",
                "import './gone.js'; import y from './y.js'; export const h = y",
            ),
            ("y.js", "require('left')"),
        ],
        "x.h",
        &[
            "Error: `x.mjs` imports `./gone.js`, and there is no such file in the package",
            "Error: `y.js` imports `left`, which is not in the package",
        ],
    );
}

#[test]
fn a_module_must_be_marked_as_one() {
    let text = "Warning: `x.js` is an ES module, but nodejs20.x reads it as CommonJS";
    node(&[("x.js", "export const h = 1")], "x.h", &[text]);
    node(
        &[
            ("x.js", "export const h = 1"),
            ("package.json", r#"{"type":"module"}"#),
        ],
        "x.h",
        &[],
    );
    node(&[("x.mjs", "export const h = 1")], "x.h", &[]);
}

#[test]
fn executables_must_be_there_and_executable() {
    let workspace = Workspace::new(&[("bin/x", "")], vec![function("x", "go1.x", "bin/x")]);
    assert!(messages(&findings(&workspace))[0].ends_with("bin/x is not executable"));
    program(&workspace.root().join("bin"), "x", "true");
    assert!(messages(&findings(&workspace)).is_empty());
    let workspace = Workspace::new(&[], vec![function("x", "provided.al2023", "x")]);
    assert!(messages(&findings(&workspace))[0].ends_with("no executable bootstrap in the package"));
}

#[test]
fn python_imports_are_found_in_the_package_or_the_language() {
    python(
        &[
            ("todos/__init__.py", ""),
            (
                "todos/create.py",
                "import json, os.path\nfrom todos.model import M\nfrom . import util\nimport pkg, ext\ndef create(): pass",
            ),
            ("todos/model.py", "from .util import u"),
            ("todos/util.py", "u = 1"),
            ("pkg/deep/x.py", ""),
            ("ext.cpython-312-x86_64-linux-gnu.so", ""),
        ],
        "todos/create.create",
        &[],
    );
}

#[test]
fn missing_python_modules_are_found_through_the_projects_files() {
    python(
        &[
            (
                "app.py",
                "import boto3\nfrom lib import a\ntry:\n  import fast\nexcept ImportError:\n  pass\ndef h(): pass",
            ),
            ("lib/__init__.py", "from .gone import x"),
            ("lib/a.py", "import requests.adapters"),
        ],
        "app.h",
        &[
            ("boto3", true),
            ("fast", false),
            (".gone", true),
            ("requests", true),
        ],
    );
}

#[tokio::test]
async fn a_module_beside_the_handler_needs_its_package() {
    let workspace = Workspace::new(
        &[("src/app.py", "import util\ndef h(): pass"), ("src/util.py", "")],
        vec![function("x", "python3.12", "src/app.h")],
    );
    let mut findings = findings(&workspace);
    python_modules(workspace.context(), &mut findings).await;
    let hint = findings.diagnostics[0].hint.as_deref().unwrap();
    assert!(hint.ends_with("write `from src import util`"), "{hint}");
}

#[tokio::test]
async fn the_interpreter_is_asked_for_what_is_missing() {
    let workspace = Workspace::new(
        &[("app.py", "import here, gone\ndef h(): pass")],
        vec![function("x", "python3.12", "app.h")],
    );
    program(&workspace.bin(), "python3.12", "[ $# = 2 ] || [ $3 = here ]");
    let mut findings = findings(&workspace);
    python_modules(workspace.context(), &mut findings).await;
    let found = messages(&findings);
    assert_eq!(
        found[0],
        "Warning: `app.py` imports `here`, which is not in the package but installed on this machine"
    );
    assert_eq!(
        found[1],
        "Error: `app.py` imports `gone`, which is not in the package"
    );
    assert_eq!(findings.diagnostics[0].severity, Severity::Warning);
}
