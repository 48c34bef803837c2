//! `node_modules`: installed when the code to be packaged needs what is not there.
//!
//! Only what is missing decides, never a stamp, so that packages installed by hand count. An existing
//! `node_modules` is only ever added to: `npm ci`, which starts by deleting it, runs for a missing one.

mod apart;
mod manager;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tradewind_model::Language;

use self::manager::Manager;
use super::command::{Invocation, ToolError};
use super::entry::Entry;
use super::{Built, Context, shown};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::package::installed;
use crate::package::manifest::Manifest;

/// Which packages a step needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Those the code imports at run time.
    Runtime,
    /// Those that builds use, too.
    Development,
}

/// Installs the run-time packages of the service and of the folders its Node handlers lie in.
pub(super) async fn ensure_runtime_packages(
    context: Context<'_>,
    built: &mut Built,
) -> Result<(), Diagnostics> {
    for folder in package_folders(context) {
        let manifest = read_manifest(&folder)?;
        built.watched.insert(folder.join("package.json"));
        let missing = missing(context, &folder, &manifest, Need::Runtime);
        if !missing.is_empty() {
            install(context, built, (&folder, &manifest), Need::Runtime).await?;
            confirm(context, &folder, &manifest)?;
        }
    }
    Ok(())
}

/// Installs what a build in the service directory needs, development packages included.
pub(super) async fn ensure_development_packages(
    context: Context<'_>,
    built: &mut Built,
) -> Result<(), Diagnostics> {
    let manifest = read_manifest(context.root())?;
    if missing(context, context.root(), &manifest, Need::Development).is_empty() {
        return Ok(());
    }
    install(context, built, (context.root(), &manifest), Need::Development).await
}

/// The `package.json` of `folder`; an empty one when there is none.
pub(super) fn read_manifest(folder: &Path) -> Result<Manifest, Diagnostics> {
    match Manifest::read(folder) {
        Ok(manifest) => Ok(manifest.unwrap_or_default()),
        Err(invalid) => {
            let span = Span {
                file: folder.join("package.json").into(),
                line: u32::try_from(invalid.line).unwrap_or(1),
                column: u32::try_from(invalid.column).unwrap_or(1),
            };
            let message = format!("package.json is not valid JSON: {invalid}");
            Err(Diagnostic::error(message).at(&span).into())
        }
    }
}

/// The folders with a `package.json` from the service directory down to its Node handlers.
fn package_folders(context: Context<'_>) -> BTreeSet<PathBuf> {
    let root = context.root();
    let handlers = context.functions(Language::Node);
    let mut folders = BTreeSet::from([root.to_owned()]);
    for entry in handlers.iter().filter_map(|function| Entry::of(function)) {
        let file = root.join(entry.stem);
        folders.extend(
            file.ancestors()
                .skip(1)
                .take_while(|dir| dir.starts_with(root))
                .map(Path::to_owned),
        );
    }
    folders.retain(|folder| folder.join("package.json").is_file());
    folders
}

fn missing(context: Context<'_>, folder: &Path, manifest: &Manifest, need: Need) -> Vec<String> {
    let mut names: Vec<&str> = manifest.required_names().collect();
    if need == Need::Development {
        names.extend(manifest.names("devDependencies"));
    }
    names
        .into_iter()
        .filter(|name| !is_framework(context, name) && installed::resolve(folder, name).is_none())
        .map(str::to_owned)
        .collect()
}

/// The deployment tool itself and its plugins, which this program stands in for.
fn is_framework(context: Context<'_>, name: &str) -> bool {
    matches!(name, "serverless" | "osls") || context.plugin(&[name]).is_some()
}

async fn install(
    context: Context<'_>,
    built: &mut Built,
    (folder, manifest): (&Path, &Manifest),
    need: Need,
) -> Result<(), Diagnostics> {
    let manager = Manager::of(context, folder, need)?;
    if let Some(note) = &manager.note {
        let warning = Diagnostic::warning(note).at(&Span::start_of(&folder.join("package.json")));
        built.warnings.push(warning);
    }
    context.say(&format!("installing Node packages: {}", manager.shown));
    if need == Need::Runtime && manager.resolves_anew && apart::is_possible(folder, manifest) {
        return apart::install(context, folder, &manager).await;
    }
    let done = attempt(context, &manager, folder, &[]).await;
    done.map_err(|error| failed(folder, &error))
}

/// Runs the package manager in `directory`; npm once more, when packages disagree about their peers.
async fn attempt(
    context: Context<'_>,
    manager: &Manager,
    directory: &Path,
    further: &[&'static str],
) -> Result<(), ToolError> {
    match manager.invocation(directory, further).run(context.tools).await {
        Err(error) if manager.npm && error.output().contains("ERESOLVE") => {
            context.say("peer dependencies conflict: trying again with --legacy-peer-deps");
            let further: Vec<&str> = further.iter().copied().chain(["--legacy-peer-deps"]).collect();
            manager
                .invocation(directory, &further)
                .run(context.tools)
                .await
                .map(|_| ())
        }
        done => done.map(|_| ()),
    }
}

fn failed(folder: &Path, error: &ToolError) -> Diagnostics {
    let output = error.output();
    let offline = ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT"];
    let hint = if offline.iter().any(|code| output.contains(code)) {
        "the package registry cannot be reached: check the connection, or install the packages by hand"
    } else if output.contains("ETARGET") || output.contains("E404") {
        "package.json, or a package it asks for, wants a version that the registry does not have"
    } else if output.contains("in sync") {
        "run `npm install` to bring package-lock.json in line with package.json"
    } else {
        "run the command in the service directory to see all of its output"
    };
    Diagnostic::error(error.to_string())
        .at(&Span::start_of(&folder.join("package.json")))
        .hint(hint)
        .into()
}

/// A package manager may end well without having installed a thing.
fn confirm(context: Context<'_>, folder: &Path, manifest: &Manifest) -> Result<(), Diagnostics> {
    let missing = missing(context, folder, manifest, Need::Runtime);
    let Some(name) = missing.first() else {
        return Ok(());
    };
    let folder_shown = shown(context.root(), folder);
    let message = format!("`{name}` is still not in {folder_shown}/node_modules after installing");
    let hint = "with Yarn's plug'n'play, set `nodeLinker: node-modules` in .yarnrc.yml";
    Err(Diagnostic::error(message.replace(" /", " "))
        .at(&Span::start_of(&folder.join("package.json")))
        .hint(hint)
        .into())
}

/// npm without what only a person at a terminal wants.
pub(super) fn quiet_npm(invocation: Invocation) -> Invocation {
    ["fund", "audit", "update_notifier", "progress"]
        .into_iter()
        .fold(invocation, |invocation, option| {
            invocation.env(&format!("npm_config_{option}"), "false")
        })
        .env("npm_config_prefer_offline", "true")
}

/// The error of a missing npm.
pub(super) fn no_npm(folder: &Path) -> Diagnostics {
    Diagnostic::error("`npm` is needed to install Node packages, but there is none on the search path")
        .at(&Span::start_of(&folder.join("package.json")))
        .hint("install Node.js, which brings npm; or put the packages into node_modules by other means")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::{Workspace, function, program};

    const MANIFEST: &str = r#"{"dependencies":{"a":"1"},"devDependencies":{"d":"1"}}"#;

    fn workspace(files: &[(&str, &str)]) -> Workspace {
        let functions = vec![function("f", "nodejs20.x", "index.handler")];
        Workspace::new(files, functions)
    }

    /// An npm that installs what it is told to and writes down how it was called.
    const NPM: &str = "echo \"$@\" >> npm.log; mkdir -p node_modules/a";

    fn log(workspace: &Workspace) -> String {
        std::fs::read_to_string(workspace.root().join("npm.log")).unwrap_or_default()
    }

    #[tokio::test]
    async fn npm_runs_once_and_by_the_lock_file() {
        let workspace = workspace(&[("package.json", MANIFEST), ("package-lock.json", "{}")]);
        program(&workspace.bin(), "npm", NPM);
        for _ in 0..2 {
            let mut built = Built::default();
            ensure_runtime_packages(workspace.context(), &mut built)
                .await
                .unwrap();
        }
        assert_eq!(log(&workspace), "ci --omit=dev\n");
    }

    #[tokio::test]
    async fn what_is_there_is_only_added_to() {
        let workspace = workspace(&[
            ("package.json", MANIFEST),
            ("package-lock.json", "{}"),
            ("node_modules/other/package.json", "{}"),
        ]);
        program(&workspace.bin(), "npm", NPM);
        let mut built = Built::default();
        ensure_runtime_packages(workspace.context(), &mut built)
            .await
            .unwrap();
        assert_eq!(log(&workspace), "install\n");
    }

    #[tokio::test]
    async fn a_foreign_lock_file_is_noted() {
        let workspace = workspace(&[("package.json", MANIFEST), ("yarn.lock", "")]);
        program(&workspace.bin(), "npm", NPM);
        let mut built = Built::default();
        ensure_runtime_packages(workspace.context(), &mut built)
            .await
            .unwrap();
        assert_eq!(log(&workspace), "install --omit=dev --no-package-lock\n");
        assert!(built.warnings[0].message.contains("yarn is not installed"));
    }

    #[tokio::test]
    async fn a_conflict_of_peers_is_tried_again() {
        let workspace = workspace(&[("package.json", MANIFEST)]);
        let script = "case \"$*\" in *legacy*) mkdir -p node_modules/a;; *) echo ERESOLVE; exit 1;; esac";
        program(&workspace.bin(), "npm", script);
        let mut built = Built::default();
        ensure_runtime_packages(workspace.context(), &mut built)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn failures_say_what_to_do() {
        let workspace = workspace(&[("package.json", MANIFEST)]);
        let mut built = Built::default();
        let missing = ensure_runtime_packages(workspace.context(), &mut built)
            .await
            .unwrap_err();
        assert!(missing.to_string().contains("`npm` is needed"), "{missing}");
        program(&workspace.bin(), "npm", "echo EAI_AGAIN registry; exit 1");
        let offline = ensure_runtime_packages(workspace.context(), &mut built)
            .await
            .unwrap_err();
        assert!(offline.to_string().contains("EAI_AGAIN"), "{offline}");
        assert!(
            offline.0[0]
                .hint
                .as_deref()
                .unwrap()
                .contains("cannot be reached")
        );
        program(&workspace.bin(), "npm", "true");
        let empty = ensure_runtime_packages(workspace.context(), &mut built)
            .await
            .unwrap_err();
        assert!(empty.to_string().contains("`a` is still not in"), "{empty}");
    }

    #[tokio::test]
    async fn plugins_are_not_worth_an_installation() {
        let manifest = r#"{"dependencies":{"serverless":"3"}}"#;
        let workspace = workspace(&[("package.json", manifest)]);
        let mut built = Built::default();
        ensure_runtime_packages(workspace.context(), &mut built)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_broken_manifest_is_pointed_at() {
        let workspace = workspace(&[("package.json", "{\n oops")]);
        let mut built = Built::default();
        let error = ensure_runtime_packages(workspace.context(), &mut built)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("package.json:2:2: "), "{error}");
    }
}
