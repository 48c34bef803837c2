//! Executables for `provided*` and `go1.x`.
//!
//! A Rust project whose `bootstrap` is not there is built with cargo. Everything else is expected to be built
//! already; what is missing is refused with the command that builds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tradewind_model::Language;

use super::command::Invocation;
use super::stamp::{Fingerprint, Stamp};
use super::{Built, Context, cannot_write};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::package::PreparedFile;
use crate::package::rules::Rules;
use crate::package::walk::{Scope, select};
use crate::serverless::ProjectFunction;

/// Cargo compiles every dependency the first time.
const CARGO_DEADLINE: Duration = Duration::from_secs(1_800);

/// Builds what can be built, and refuses what cannot.
pub(super) async fn run(context: Context<'_>, built: &mut Built) -> Result<(), Diagnostics> {
    if let Some(function) = context
        .functions(Language::Go)
        .into_iter()
        .find(|function| is_missing_go(context, function))
    {
        return Err(build_it(context, function, &function.handler));
    }
    let Some(function) = context.functions(Language::Provided).into_iter().next() else {
        return Ok(());
    };
    if context.root().join("bootstrap").is_file() {
        return Ok(());
    }
    match rust_folder(context, function) {
        Some(folder) => cargo(context, built, function, &folder).await,
        None => Err(build_it(context, function, "bootstrap")),
    }
}

fn is_missing_go(context: Context<'_>, function: &ProjectFunction) -> bool {
    !context
        .root()
        .join(function.handler.trim_start_matches('/'))
        .is_file()
}

/// The error of an executable nobody has built.
fn build_it(context: Context<'_>, function: &ProjectFunction, output: &str) -> Diagnostics {
    let root = context.root();
    let message = format!(
        "handler `{}` of function `{}`: no executable {output}",
        function.handler, function.key
    );
    let makefile = std::fs::read_to_string(root.join("Makefile")).unwrap_or_default();
    let target = makefile.lines().find_map(|line| {
        line.split_once(':')
            .map(|(target, _)| target)
            .filter(|target| *target == "build")
    });
    let hint = if output.ends_with(".go") {
        "the handler is a source file: build it to a binary and name that, for example `bin/x`".to_owned()
    } else if target.is_some() {
        "build it with `make build`, then deploy again".to_owned()
    } else if root.join("go.mod").is_file() || function.runtime.language() == Language::Go {
        let source = Path::new(output).file_name().unwrap_or_default().display();
        let package = if root.join(source.to_string()).is_dir() {
            format!("./{source}")
        } else {
            ".".to_owned()
        };
        format!("build it with `GOOS=linux CGO_ENABLED=0 go build -o {output} {package}`, then deploy again")
    } else {
        "a custom runtime is an executable file `bootstrap` at the top of the package; for Rust use `cargo lambda build` \
         or `cargo build --release --target x86_64-unknown-linux-musl`"
            .to_owned()
    };
    Diagnostic::error(message).at(&function.span).hint(hint).into()
}

/// The nearest folder with a `Cargo.toml`, from where the handler points up to the service directory.
fn rust_folder(context: Context<'_>, function: &ProjectFunction) -> Option<PathBuf> {
    let root = context.root();
    let handler = root.join(function.handler.trim_start_matches(['.', '/']));
    let mut folders = handler.ancestors().take_while(|folder| folder.starts_with(root));
    folders
        .find(|folder| folder.join("Cargo.toml").is_file())
        .map(Path::to_owned)
}

async fn cargo(
    context: Context<'_>,
    built: &mut Built,
    function: &ProjectFunction,
    folder: &Path,
) -> Result<(), Diagnostics> {
    let root = context.root();
    let sources = list_sources(folder)?;
    let locked = folder.join("Cargo.lock").is_file();
    built.watched.extend(sources.iter().cloned());
    built.watched.extend(
        sources
            .iter()
            .filter_map(|source| source.parent().map(Path::to_owned)),
    );
    built.left_out.push("**/target/**".to_owned());
    let name = format!("rust-{}", context.slug());
    let output = context.build_dir()?.join(&name).join("bootstrap");
    let stamp = Stamp::of(root, &name);
    if !(stamp.is(&fingerprint(&sources)) && output.is_file()) {
        let executables = compile(context, folder).await?;
        let binary = choose(function, &executables).map_err(|problem| Diagnostics::from(*problem))?;
        let written = |cause| cannot_write(&output, &cause);
        place(binary, &output).map_err(written)?;
        // The first build writes a lock file, which is one of the inputs from then on.
        let now = if folder.join("Cargo.lock").is_file() == locked {
            sources
        } else {
            list_sources(folder)?
        };
        stamp.write(&fingerprint(&now)).map_err(written)?;
    }
    built.made.push(PreparedFile {
        path_in_package: "bootstrap".to_owned(),
        source: output,
        executable: true,
    });
    Ok(())
}

fn fingerprint(sources: &[PathBuf]) -> String {
    let inputs = sources.iter();
    inputs
        .fold(Fingerprint::default(), |all, source| all.file(source))
        .finish()
}

fn list_sources(folder: &Path) -> Result<Vec<PathBuf>, Diagnostics> {
    let mut rules = Rules::with_defaults();
    for left_out in ["**/target/**", "**/node_modules/**"] {
        rules.exclude_always(left_out);
    }
    let selection = select(folder, &rules, Scope::All, false)
        .map_err(|error| Diagnostics::from(Diagnostic::error(error.to_string())))?;
    Ok(selection.files.into_iter().map(|file| file.source).collect())
}

/// Runs cargo; gives the executables by name.
async fn compile(context: Context<'_>, folder: &Path) -> Result<BTreeMap<String, PathBuf>, Diagnostics> {
    let manifest = Span::start_of(&folder.join("Cargo.toml"));
    let Some(cargo) = context.tools.find("cargo") else {
        return Err(
            Diagnostic::error("there is no bootstrap and no cargo to build one")
                .at(&manifest)
                .hint("install Rust from https://rustup.rs, or put a prebuilt executable `bootstrap` here")
                .into(),
        );
    };
    context.say("building: cargo build --release");
    let output = Invocation::new("cargo build --release", &cargo, folder)
        .args(["build", "--release", "--message-format=json-render-diagnostics"])
        .within(CARGO_DEADLINE)
        .run(context.tools)
        .await
        .map_err(|error| {
            Diagnostics::from(Diagnostic::error(without_records(&error.to_string())).at(&manifest))
        })?;
    Ok(output.lines().filter_map(executable).collect())
}

/// The message without cargo's records for programs.
fn without_records(message: &str) -> String {
    let lines: Vec<&str> = message
        .lines()
        .filter(|line| !line.trim_start().starts_with("{\"reason\""))
        .collect();
    lines.join("\n")
}

/// The name and path in a record about a binary target.
fn executable(line: &str) -> Option<(String, PathBuf)> {
    let record: Value = serde_json::from_str(line).ok()?;
    let name = record.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), record.get("executable")?.as_str()?.into()))
}

/// The binary the function means: named like its handler or its key, else the only one.
fn choose<'a>(
    function: &ProjectFunction,
    executables: &'a BTreeMap<String, PathBuf>,
) -> Result<&'a Path, Box<Diagnostic>> {
    let handler = function.handler.rsplit(['/', '.']).next().unwrap_or_default();
    let named = [handler, function.key.as_str()]
        .into_iter()
        .find_map(|name| executables.get(name));
    let only = executables.values().next().filter(|_| executables.len() == 1);
    named.or(only).map(PathBuf::as_path).ok_or_else(|| {
        let names: Vec<&str> = executables.keys().map(String::as_str).collect();
        let message = format!("function `{}`: cargo built no binary `{handler}`", function.key);
        let hint = format!("name one of its binaries as the handler: {}", names.join(", "));
        Box::new(Diagnostic::error(message).at(&function.span).hint(hint))
    })
}

/// Copies beside the target first, so that a running copy is replaced and not overwritten.
fn place(binary: &Path, output: &Path) -> std::io::Result<()> {
    let staging = output.with_extension("new");
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::copy(binary, &staging)?;
    std::fs::rename(staging, output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::{Workspace, function, program};

    /// A cargo that "builds" two binaries and says so.
    const CARGO: &str = r#"
        echo run >> ../cargo.log; mkdir -p target/release; touch Cargo.lock
        for name in api worker; do
          echo $name > target/release/$name
          echo "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"$name\"},\"executable\":\"$PWD/target/release/$name\"}"
        done"#;

    fn workspace(handler: &str, files: &[(&str, &str)]) -> Workspace {
        Workspace::new(files, vec![function("api", "provided.al2023", handler)])
    }

    async fn built(workspace: &Workspace) -> Result<Built, Diagnostics> {
        let mut built = Built::default();
        run(workspace.context(), &mut built).await.map(|()| built)
    }

    #[tokio::test]
    async fn a_rust_project_is_built_once() {
        let workspace = workspace("bootstrap", &[("Cargo.toml", ""), ("src/main.rs", "1")]);
        program(&workspace.bin(), "cargo", CARGO);
        let log = workspace.root().with_file_name("cargo.log");
        for _ in 0..2 {
            let made = built(&workspace).await.unwrap().made;
            assert_eq!(
                (made[0].path_in_package.as_str(), made[0].executable),
                ("bootstrap", true)
            );
            assert_eq!(std::fs::read_to_string(&made[0].source).unwrap(), "api\n");
        }
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "run\n");
        workspace.write("src/main.rs", "2");
        built(&workspace).await.unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "run\nrun\n");
    }

    #[tokio::test]
    async fn a_binary_must_be_meant() {
        let mut workspace = workspace("other", &[("Cargo.toml", "")]);
        workspace.project.functions[0].key = "f".to_owned();
        program(&workspace.bin(), "cargo", CARGO);
        let error = built(&workspace).await.unwrap_err();
        assert!(
            error.to_string().contains("cargo built no binary `other`"),
            "{error}"
        );
        assert!(error.0[0].hint.as_deref().unwrap().ends_with("api, worker"));
    }

    #[tokio::test]
    async fn a_prebuilt_bootstrap_is_left_alone() {
        let workspace = workspace("x", &[("Cargo.toml", ""), ("bootstrap", "")]);
        assert!(built(&workspace).await.unwrap().made.is_empty());
    }

    #[tokio::test]
    async fn compile_errors_are_shown_without_records() {
        let workspace = workspace("bootstrap", &[("Cargo.toml", "")]);
        program(
            &workspace.bin(),
            "cargo",
            "echo '{\"reason\":\"x\"}'; echo 'error[E0425]: no x'; exit 101",
        );
        let error = built(&workspace).await.unwrap_err().to_string();
        assert!(
            error.contains("error[E0425]: no x") && !error.contains("reason"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_is_not_built_is_refused_with_the_command() {
        let hint =
            async |workspace: &Workspace| built(workspace).await.unwrap_err().0[0].hint.clone().unwrap();
        let go = Workspace::new(
            &[("go.mod", ""), ("hello/main.go", "")],
            vec![function("hello", "go1.x", "bin/hello")],
        );
        assert!(hint(&go).await.contains("go build -o bin/hello ./hello"));
        go.write("Makefile", "build:\n\tgo build\n");
        assert!(hint(&go).await.contains("`make build`"));
        assert!(hint(&workspace("x", &[])).await.contains("cargo lambda build"));
    }
}
