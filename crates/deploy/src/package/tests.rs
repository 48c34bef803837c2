use super::testing::{Workspace, function, program};
use super::*;

async fn prepared(workspace: &Workspace) -> Result<PreparedPackage, Diagnostics> {
    let request = &workspace.project.packages[0];
    prepare(&workspace.project, request, &workspace.tools, &|_| {}).await
}

fn paths(package: &PreparedPackage) -> Vec<&str> {
    package
        .files
        .iter()
        .map(|file| file.path_in_package.as_str())
        .collect()
}

fn node(files: &[(&str, &str)]) -> Workspace {
    let workspace = Workspace::new(files, vec![function("f", "nodejs20.x", "x.handler")]);
    workspace.write("x.js", "exports.handler = 1");
    workspace
}

#[tokio::test]
async fn a_plain_project_is_its_files() {
    let workspace = node(&[
        ("lib/y.js", ""),
        (".tradewind/data/db", ""),
        ("serverless.yml", ""),
    ]);
    let package = prepared(&workspace).await.unwrap();
    assert_eq!(paths(&package), ["lib/y.js", "x.js"]);
    let root = workspace.root().canonicalize().unwrap();
    assert!(package.watched.contains(&root) && package.watched.contains(&root.join("lib")));
    assert!(package.warnings.is_empty(), "{:?}", package.warnings);
}

#[tokio::test]
async fn patterns_that_leave_nothing_are_an_error() {
    let mut workspace = node(&[]);
    workspace.request().patterns = vec!["!**".to_owned()];
    let error = prepared(&workspace).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "serverless.yml:1:1: No file matches include / exclude patterns"
    );
}

#[tokio::test]
async fn a_layer_is_the_contents_of_its_folder() {
    let mut workspace = node(&[
        ("tools/nodejs/node_modules/who/index.js", ""),
        ("tools/python/who.py", ""),
        ("tools/README.md", ""),
    ]);
    let root = workspace.root().to_owned();
    let request = workspace.request();
    request.patterns = vec!["!README.md".to_owned()];
    request.functions = Vec::new();
    request.folder = Some(root.join("tools"));
    let package = prepared(&workspace).await.unwrap();
    assert_eq!(
        paths(&package),
        ["nodejs/node_modules/who/index.js", "python/who.py"]
    );
    let tools = root.canonicalize().unwrap().join("tools");
    assert!(package.watched.contains(&tools) && package.watched.contains(&tools.join("python")));
    workspace.request().folder = Some(root.join("missing"));
    let error = prepared(&workspace).await.unwrap_err().to_string();
    assert!(
        error.contains("the layer's folder `missing` is not there"),
        "{error}"
    );
}

#[tokio::test]
async fn what_layers_may_bring_is_not_missed() {
    let mut workspace = node(&[]);
    workspace.write("x.js", "exports.handler = require('who')");
    assert!(prepared(&workspace).await.is_err());
    workspace.project.functions[0].has_layers = true;
    assert_eq!(paths(&prepared(&workspace).await.unwrap()), ["x.js"]);
}

#[tokio::test]
async fn no_pattern_brings_our_own_state_back() {
    let mut workspace = node(&[(".tradewind/data/db", "")]);
    let (cache, state) = (workspace.root().join("cache"), workspace.root().join("state"));
    workspace.tools = Tools::new("", cache).leaving_out(state);
    workspace.write("cache/tool", "");
    workspace.write("state/db", "");
    workspace.request().patterns = vec!["**".to_owned()];
    assert_eq!(paths(&prepared(&workspace).await.unwrap()), ["x.js"]);
}

#[tokio::test]
async fn all_problems_are_told_at_once_with_paths_as_given() {
    let workspace = Workspace::new(
        &[("a.js", "const x = require('left');\nexports.handler = x")],
        vec![
            function("a", "nodejs20.x", "a.handler"),
            function("b", "nodejs20.x", "b.handler"),
        ],
    );
    let error = prepared(&workspace).await.unwrap_err();
    assert_eq!(error.0.len(), 2, "{error}");
    let place = format!("{}:1:19: ", workspace.root().join("a.js").display());
    assert!(error.to_string().contains(&place), "{error}");
}

#[tokio::test]
async fn installed_python_packages_are_merged_below_the_projects_files() {
    let workspace = Workspace::new(
        &[
            ("app.py", "import lib\ndef h(): pass"),
            ("lib/__init__.py", "own"),
            ("requirements.txt", "lib"),
        ],
        vec![function("f", "python3.12", "app.h")],
    );
    let pip = r#"while [ "$1" != --target ]; do shift; done; mkdir -p $2/lib; touch $2/lib/__init__.py $2/lib/more.py"#;
    program(
        &workspace.bin(),
        "python3.12",
        &format!("[ \"$2\" = pip ] || exit 0\n{pip}"),
    );
    let package = prepared(&workspace).await.unwrap();
    assert_eq!(
        paths(&package),
        ["app.py", "lib/__init__.py", "lib/more.py", "requirements.txt"]
    );
    let own = &package.files[1].source;
    assert_eq!(std::fs::read_to_string(own).unwrap(), "own");
}

#[tokio::test]
async fn progress_is_told_while_tools_run() {
    let workspace = node(&[("package.json", r#"{"dependencies":{"a":"1"}}"#)]);
    program(&workspace.bin(), "npm", "mkdir -p node_modules/a");
    let told = std::sync::Mutex::new(Vec::new());
    let request = &workspace.project.packages[0];
    let progress = |text: &str| told.lock().unwrap().push(text.to_owned());
    prepare(&workspace.project, request, &workspace.tools, &progress)
        .await
        .unwrap();
    assert_eq!(
        *told.lock().unwrap(),
        ["installing Node packages: npm install --omit=dev"]
    );
}

#[tokio::test]
async fn dropping_the_future_ends_the_tool() {
    let workspace = node(&[("package.json", r#"{"dependencies":{"a":"1"}}"#)]);
    let fifo = workspace.root().join("alive");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    program(&workspace.bin(), "npm", "exec 9> alive; while :; do :; done");
    let alive = {
        let mut preparing = Box::pin(prepared(&workspace));
        let opened = tokio::task::spawn_blocking(move || std::fs::File::open(fifo));
        tokio::select! {
            _ = &mut preparing => panic!("npm never ends"),
            file = opened => file.unwrap().unwrap(),
        }
    };
    let read = move || std::io::Read::read(&mut &alive, &mut [0; 1]);
    assert_eq!(tokio::task::spawn_blocking(read).await.unwrap().unwrap(), 0);
}

fn artifact(workspace: &mut Workspace, name: &str) {
    workspace.request().artifact = Some(name.into());
}

#[tokio::test]
async fn an_artifact_is_checked_and_taken_as_it_is() {
    let mut workspace = node(&[]);
    let zip = PreparedPackage {
        files: vec![PreparedFile {
            path_in_package: "x.js".to_owned(),
            source: workspace.root().join("x.js"),
            executable: false,
        }],
        ..PreparedPackage::default()
    };
    let path = workspace.root().join("ready.zip");
    write_zip(&zip, &mut std::fs::File::create(&path).unwrap()).unwrap();
    artifact(&mut workspace, "ready.zip");
    let package = prepared(&workspace).await.unwrap();
    assert_eq!(package.artifact, Some(path.canonicalize().unwrap()));
    workspace.project.functions[0].handler = "y.handler".to_owned();
    let error = prepared(&workspace).await.unwrap_err();
    assert!(error.to_string().contains("no file y.js"), "{error}");
}

#[tokio::test]
async fn artifacts_that_are_not_there_or_no_zips_are_refused() {
    let mut workspace = node(&[("text.zip", "no zip")]);
    for (name, expected) in [
        ("gone.zip", "the artifact `gone.zip` is not there"),
        ("text.zip", "the artifact `text.zip` is no readable zip"),
    ] {
        artifact(&mut workspace, name);
        let error = prepared(&workspace).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
