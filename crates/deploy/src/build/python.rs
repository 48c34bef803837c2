//! Python packages: `requirements.txt` is installed with the interpreter that will run the code, and merged
//! into the package at its top level, where `import` looks.
//!
//! Each set of requirements has its own folder below `.tradewind/build`, filled beside it and moved into place
//! when complete. Its byte code is compiled ahead and without times in it, so that copies of the folder keep
//! it valid; without byte code a cold start takes three times as long.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tradewind_model::{Language, Runtime};

use super::command::{Invocation, ToolError};
use super::entry::Entry;
use super::stamp::{Fingerprint, Stamp};
use super::{Built, Context, Tools, cannot_write, shown};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::package::rules::Rules;
use crate::package::walk::{Scope, select};

/// An interpreter that does not start in this time is none.
const PROBE_DEADLINE: Duration = Duration::from_secs(20);

/// Installs what the Python functions of the package require.
pub(super) async fn run(context: Context<'_>, built: &mut Built) -> Result<(), Diagnostics> {
    let files = requirement_files(context);
    if files.is_empty() {
        return refuse_other_tools(context);
    }
    let functions = context.functions(Language::Python);
    let Some(runtime) = functions.first().map(|function| &function.runtime) else {
        return Ok(());
    };
    let Some(program) = interpreter(context.tools, runtime).await else {
        return Err(no_interpreter(context, runtime));
    };
    for file in files {
        let folder = install(context, &file, &program).await?;
        add(&folder, built)?;
        built.watched.insert(file);
    }
    Ok(())
}

/// The program that will run functions of this runtime. What merely lies on the search path is tried first:
/// version managers put names there for versions that are not chosen.
pub(super) async fn interpreter(tools: &Tools, runtime: &Runtime) -> Option<PathBuf> {
    if let Some(program) = tools.interpreter(runtime) {
        return Some(program);
    }
    let exact = match runtime.version() {
        Some((3, Some(minor))) => Some(format!("python3.{minor}")),
        _ => None,
    };
    for name in exact.as_deref().into_iter().chain(["python3", "python"]) {
        let Some(program) = tools.find(name) else {
            continue;
        };
        let probe = Invocation::new(name, &program, Path::new("/")).args(["-c", "import sys"]);
        if probe.within(PROBE_DEADLINE).run(tools).await.is_ok() {
            tools.remember(runtime, &program);
            return Some(program);
        }
    }
    None
}

/// The requirements of the service and of the folders its Python handlers lie in.
fn requirement_files(context: Context<'_>) -> BTreeSet<PathBuf> {
    let root = context.root();
    let settings = context.project.custom.get("pythonRequirements");
    let named = settings.and_then(|settings| settings.get("fileName")?.as_str());
    let mut folders = BTreeSet::from([root.to_owned()]);
    for entry in context
        .functions(Language::Python)
        .into_iter()
        .filter_map(Entry::of)
    {
        let file = root.join(entry.stem);
        let above = file
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(root));
        folders.extend(above.map(Path::to_owned));
    }
    folders
        .into_iter()
        .map(|folder| folder.join(named.unwrap_or("requirements.txt")))
        .filter(|file| has_requirements(file))
        .collect()
}

fn has_requirements(file: &Path) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .map(str::trim)
        .any(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Pipenv and Poetry keep the requirements elsewhere; deploying without them would only fail later.
fn refuse_other_tools(context: Context<'_>) -> Result<(), Diagnostics> {
    let root = context.root();
    let requires = |file: &str| {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        text.contains("[packages]")
            || text.contains("[tool.poetry.dependencies]")
            || root.join("poetry.lock").is_file()
    };
    let tools = [
        ("Pipfile", "pipenv requirements > requirements.txt"),
        (
            "pyproject.toml",
            "poetry export -f requirements.txt -o requirements.txt",
        ),
    ];
    for (file, command) in tools {
        if root.join(file).is_file() && requires(file) {
            return Err(Diagnostic::error(format!(
                "the requirements in {file} cannot be installed: only requirements.txt is understood"
            ))
            .at(&Span::start_of(&root.join(file)))
            .hint(format!("run `{command}`, and again whenever {file} changes"))
            .into());
        }
    }
    Ok(())
}

fn no_interpreter(context: Context<'_>, runtime: &Runtime) -> Diagnostics {
    let message =
        format!("there is no Python on the search path to install the packages of {runtime} functions");
    Diagnostic::error(message)
        .at(&context.request.span)
        .hint("install python3 and its pip; `tradewind doctor` lists what is found")
        .into()
}

/// Installs `file` unless that was done; gives the folder that holds the packages.
async fn install(context: Context<'_>, file: &Path, program: &Path) -> Result<PathBuf, Diagnostics> {
    let root = context.root();
    let name = folder_name(root, file);
    let folder = context.build_dir()?.join(&name);
    let stamp = Stamp::of(root, &name);
    let fingerprint = fingerprint(file, program);
    if stamp.is(&fingerprint) && folder.is_dir() {
        return Ok(folder);
    }
    context.say(&format!("installing Python packages: {}", shown(root, file)));
    let written = |cause| cannot_write(&folder, &cause);
    let staging = folder.with_extension("new");
    remove(&staging).map_err(written)?;
    pip(context, file, program, &staging).await?;
    compile(context, program, &staging).await;
    stamp.clear().map_err(written)?;
    remove(&folder).map_err(written)?;
    std::fs::create_dir_all(&staging).map_err(written)?;
    std::fs::rename(&staging, &folder).map_err(written)?;
    stamp.write(&fingerprint).map_err(written)?;
    Ok(folder)
}

fn folder_name(root: &Path, file: &Path) -> String {
    let path = file.strip_prefix(root).unwrap_or(file).display().to_string();
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("python-{}", path.chars().map(safe).collect::<String>())
}

/// Files that the requirements include (`-r other.txt`) count, too.
fn fingerprint(file: &Path, program: &Path) -> String {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let start = Fingerprint::default()
        .text(&real.display().to_string())
        .metadata(&real);
    let folder = file.parent().unwrap_or(Path::new("."));
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let included = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let option = words.next()?;
        let target = words.next()?;
        matches!(option, "-r" | "--requirement" | "-c" | "--constraint").then(|| folder.join(target))
    });
    included
        .fold(start.file(file), |all, file| all.file(&file))
        .finish()
}

async fn pip(context: Context<'_>, file: &Path, program: &Path, target: &Path) -> Result<(), Diagnostics> {
    let folder = file.parent().unwrap_or(context.root());
    let file_name = file.file_name().unwrap_or_default();
    let quiet = [
        "--no-input",
        "--disable-pip-version-check",
        "--no-compile",
        "--no-warn-script-location",
    ];
    Invocation::new(format!("pip install -r {}", file_name.display()), program, folder)
        .args(["-m", "pip", "install"])
        .args(quiet)
        .args(["--target".as_ref(), target.as_os_str()])
        .args(["-r".as_ref(), file_name])
        .run(context.tools)
        .await
        .map(|_| ())
        .map_err(|error| pip_failed(file, &error))
}

fn pip_failed(file: &Path, error: &ToolError) -> Diagnostics {
    let output = error.output();
    let hint = if output.contains("No module named pip") {
        "install pip for this Python, for example `apt install python3-pip` or `python3 -m ensurepip`"
    } else if output.contains("Failed to establish a new connection")
        || output.contains("NameResolutionError")
    {
        "the package index cannot be reached: check the connection"
    } else if output.contains("Failed building wheel")
        || output.contains("error: subprocess-exited-with-error")
    {
        "a package has to be built here and could not be: pin a version that has a wheel for this Python"
    } else {
        "run the command with the same Python to see all of its output"
    };
    Diagnostic::error(error.to_string())
        .at(&Span::start_of(file))
        .hint(hint)
        .into()
}

/// Writes byte code; packages hold files that no Python 3 can compile, so a failure says nothing.
async fn compile(context: Context<'_>, program: &Path, folder: &Path) {
    let compiled = Invocation::new("compileall", program, context.root())
        .args([
            "-m",
            "compileall",
            "-q",
            "-j",
            "0",
            "--invalidation-mode",
            "unchecked-hash",
        ])
        .args([folder])
        .run(context.tools)
        .await;
    if let Err(error) = compiled {
        tracing::debug!(%error, "some byte code was not written");
    }
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn add(folder: &Path, built: &mut Built) -> Result<(), Diagnostics> {
    let mut rules = Rules::with_defaults();
    rules.exclude("bin/**");
    let selection = select(folder, &rules, Scope::All, false)
        .map_err(|error| Diagnostics::from(Diagnostic::error(error.to_string())))?;
    built.installed.extend(selection.files);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::{Workspace, function, program};

    /// A Python whose pip "installs" one module, and which counts its calls.
    const PYTHON: &str = r#"
        case "$2" in pip) ;; "import sys") exit 0 ;; *) exit 1 ;; esac
        echo "$@" >> pip.log
        while [ "$1" != --target ]; do shift; done
        mkdir -p "$2/lib" "$2/bin"; touch "$2/lib/__init__.py" "$2/bin/tool""#;

    fn workspace(files: &[(&str, &str)]) -> Workspace {
        let workspace = Workspace::new(files, vec![function("f", "python3.12", "app/x.handler")]);
        program(&workspace.bin(), "python3.12", PYTHON);
        workspace
    }

    async fn installed(workspace: &Workspace) -> Vec<String> {
        let mut built = Built::default();
        run(workspace.context(), &mut built).await.unwrap();
        built
            .installed
            .into_iter()
            .map(|file| file.path_in_package)
            .collect()
    }

    fn calls(workspace: &Workspace) -> usize {
        let log = std::fs::read_to_string(workspace.root().join("pip.log"));
        log.unwrap_or_default().lines().count()
    }

    #[tokio::test]
    async fn packages_land_at_the_top_and_are_installed_once() {
        let workspace = workspace(&[("requirements.txt", "lib==1\n-r more.txt\n"), ("more.txt", "a")]);
        assert_eq!(installed(&workspace).await, ["lib/__init__.py"]);
        assert_eq!(installed(&workspace).await, ["lib/__init__.py"]);
        assert_eq!(calls(&workspace), 1);
        workspace.write("more.txt", "b");
        installed(&workspace).await;
        assert_eq!(calls(&workspace), 2, "an included file has changed");
    }

    #[tokio::test]
    async fn requirements_beside_a_handler_count() {
        let workspace = workspace(&[("app/requirements.txt", "lib")]);
        assert_eq!(installed(&workspace).await, ["lib/__init__.py"]);
    }

    #[tokio::test]
    async fn empty_requirements_are_none() {
        let workspace = workspace(&[("requirements.txt", "# nothing\n\n")]);
        assert!(installed(&workspace).await.is_empty());
    }

    #[tokio::test]
    async fn other_tools_are_refused_with_the_command_that_helps() {
        let workspace = workspace(&[("Pipfile", "[packages]\nx = '*'")]);
        let error = run(workspace.context(), &mut Built::default()).await.unwrap_err();
        let hint = error.0[0].hint.as_deref().unwrap();
        assert!(hint.contains("pipenv requirements > requirements.txt"), "{hint}");
    }

    #[tokio::test]
    async fn a_failing_pip_keeps_the_last_packages() {
        let workspace = workspace(&[("requirements.txt", "lib")]);
        installed(&workspace).await;
        workspace.write("requirements.txt", "gone");
        program(
            &workspace.bin(),
            "python3.12",
            "[ $# = 2 ] && exit; echo 'No matching distribution'; exit 1",
        );
        let error = run(workspace.context(), &mut Built::default()).await.unwrap_err();
        assert!(error.to_string().contains("No matching distribution"), "{error}");
        assert!(
            workspace
                .root()
                .join(".tradewind/build/python-requirements-txt/lib")
                .is_dir()
        );
    }

    #[tokio::test]
    async fn without_python_it_says_so() {
        let mut workspace = workspace(&[("requirements.txt", "lib")]);
        workspace.tools = Tools::new("/nowhere", "/nowhere");
        let error = run(workspace.context(), &mut Built::default()).await.unwrap_err();
        assert!(
            error.to_string().contains("no Python on the search path"),
            "{error}"
        );
    }
}
