use super::*;
use crate::package::PreparedFile;
use crate::package::testing::{Workspace, function, program};
use crate::serverless::ProjectFunction;

/// An esbuild that writes one output and the record of it, and which counts its calls.
const ESBUILD: &str = r#"
    echo "$@" >> "$PWD/../esbuild.log"
    for argument; do case $argument in
        --outdir=*) out=${argument#--outdir=} ;;
        --metafile=*) meta=${argument#--metafile=} ;;
    esac; done
    left=kept; case "$*" in *external:left*) left=left ;; esac
    mkdir -p "$out/src"; echo bundled > "$out/src/x.js"
    echo '{"inputs":{"src/x.ts":{},"src/y.ts":{}},"outputs":{"x":{"imports":[{"path":"'$left'","external":true}]}}}' > "$meta""#;

fn functions() -> Vec<ProjectFunction> {
    vec![function("f", "nodejs18.x", "src/x.handler")]
}

fn workspace(files: &[(&str, &str)], script: &str) -> Workspace {
    let workspace = Workspace::new(files, functions());
    workspace.write("node_modules/esbuild/package.json", r#"{"version":"0.25.0"}"#);
    program(
        &workspace.root().join("node_modules/esbuild/bin"),
        "esbuild",
        script,
    );
    workspace
}

fn calls(workspace: &Workspace) -> Vec<String> {
    let log = std::fs::read_to_string(workspace.root().with_file_name("esbuild.log"));
    log.unwrap_or_default().lines().map(str::to_owned).collect()
}

async fn built(workspace: &Workspace) -> Built {
    let mut built = Built::default();
    run(workspace.context(), &mut built).await.unwrap();
    built
}

fn paths(files: &[PreparedFile]) -> Vec<&str> {
    files.iter().map(|file| file.path_in_package.as_str()).collect()
}

#[tokio::test]
async fn typescript_handlers_are_translated_once() {
    let workspace = workspace(&[("src/x.ts", "1"), ("src/y.ts", "1")], ESBUILD);
    for _ in 0..2 {
        let built = built(&workspace).await;
        assert_eq!(paths(&built.made), ["src/x.js"]);
        assert!(built.replaced.contains(&workspace.root().join("src/y.ts")));
        assert_eq!(built.scope, Scope::All);
    }
    let calls = calls(&workspace);
    assert_eq!(calls.len(), 1);
    assert!(
        calls[0].starts_with("src/x=./src/x.ts --bundle --platform=node"),
        "{calls:?}"
    );
    assert!(
        calls[0].contains("--target=node18") && calls[0].contains("--packages=external"),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_change_of_an_input_bundles_again() {
    let workspace = workspace(&[("src/x.ts", "1"), ("src/y.ts", "1")], ESBUILD);
    built(&workspace).await;
    workspace.write("src/y.ts", "longer");
    built(&workspace).await;
    assert_eq!(calls(&workspace).len(), 2);
}

#[tokio::test]
async fn javascript_is_bundled_only_when_asked_for() {
    let mut workspace = workspace(
        &[("src/x.js", "1"), ("node_modules/kept/package.json", "{}")],
        ESBUILD,
    );
    assert!(built(&workspace).await.made.is_empty());
    workspace.plugin("serverless-webpack");
    let built = built(&workspace).await;
    assert_eq!(built.scope, Scope::Named);
    assert_eq!(built.kept, ["node_modules/kept/**"]);
    assert!(!calls(&workspace)[0].contains("--packages=external"));
}

#[tokio::test]
async fn an_output_beside_its_source_counts_without_a_plugin() {
    let mut workspace = workspace(&[("src/x.ts", "1"), ("src/x.js", "1")], ESBUILD);
    assert!(built(&workspace).await.made.is_empty());
    workspace.plugin("serverless-plugin-typescript");
    assert_eq!(built(&workspace).await.made.len(), 1);
}

#[tokio::test]
async fn modules_stay_modules() {
    let workspace = workspace(
        &[("package.json", r#"{"type":"module"}"#), ("src/x.ts", "1")],
        ESBUILD,
    );
    built(&workspace).await;
    assert!(calls(&workspace)[0].contains("--format=esm --out-extension:.js=.mjs"));
}

#[tokio::test]
async fn mistakes_in_the_code_are_pointed_at() {
    let script = "printf '✘ [ERROR] Expected \";\"\\n\\n    src/x.ts:2:4:\\n'; exit 1";
    let workspace = workspace(&[("src/x.ts", "1")], script);
    let error = run(workspace.context(), &mut Built::default()).await.unwrap_err();
    let place = format!(
        "{}:2:5: expected \";\"",
        workspace.root().join("src/x.ts").display()
    );
    assert_eq!(error.to_string(), place);
}

/// An esbuild that does not find the package `left` unless it is installed or external.
fn without_left() -> String {
    format!(
        "[ -d node_modules/left ] || case \"$*\" in *external:left*) ;; *) \
         printf '✘ [ERROR] Could not resolve \"left\"\\n\\n    src/x.js:1:0:\\n'; exit 1;; esac\n{ESBUILD}"
    )
}

fn bundled(text: &str, manifest: &str) -> Workspace {
    let mut workspace = workspace(&[("src/x.js", text), ("package.json", manifest)], &without_left());
    workspace.write("node_modules/kept/index.js", "");
    workspace.plugin("serverless-esbuild");
    workspace
}

#[tokio::test]
async fn declared_packages_are_installed_when_the_bundle_needs_them() {
    let workspace = bundled("import 'left'", r#"{"devDependencies":{"left":"1"}}"#);
    program(&workspace.bin(), "npm", "mkdir -p node_modules/left");
    assert!(built(&workspace).await.warnings.is_empty());
}

#[tokio::test]
async fn a_package_that_is_nowhere_is_an_error_when_it_is_certainly_imported() {
    let workspace = bundled("import 'left'", "{}");
    let error = run(workspace.context(), &mut Built::default()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("`src/x.js` imports `left`, which is not in the package"),
        "{error}"
    );
    assert_eq!(
        error.0[0].hint.as_deref(),
        Some("run `npm install left` in the service directory")
    );
}

#[tokio::test]
async fn one_that_may_never_be_imported_is_a_warning() {
    let workspace = bundled("exports.handler = () => require('left')", "{}");
    let built = built(&workspace).await;
    assert!(
        built.warnings[0].message.contains("may import `left`"),
        "{:?}",
        built.warnings
    );
}

#[tokio::test]
async fn a_package_left_outside_must_be_installed() {
    let mut workspace = workspace(&[("src/x.ts", "import 'kept'")], ESBUILD);
    workspace.plugin("serverless-esbuild");
    let error = run(workspace.context(), &mut Built::default()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("`src/x.ts` imports `kept`, which is not in the package"),
        "{error}"
    );
    workspace.write("src/x.ts", "export const handler = () => import('kept')");
    assert!(
        built(&workspace).await.warnings[0]
            .message
            .contains("may import `kept`")
    );
}
