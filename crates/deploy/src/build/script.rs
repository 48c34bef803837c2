//! The project's own `build` script.
//!
//! `npm run build` is run when the package needs it: a handler's file does not exist without it, or lies in
//! a folder that builds write (`dist`, `build`, `out`, …) and is older than the sources. Once it has run, it
//! runs again whenever a source changes, and only then: the sources' contents are fingerprinted, times are
//! not looked at, so a script that rewrites its outputs does not start itself again.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tradewind_model::Language;

use super::command::Invocation;
use super::entry::Entry;
use super::install;
use super::stamp::{Fingerprint, Stamp};
use super::{Built, Context, cannot_write};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::package::rules::Rules;
use crate::package::walk::{Scope, select};

/// Folders that builds write.
const OUTPUT_FOLDERS: [&str; 10] = [
    "dist", "build", "out", "output", "bundle", "_build", ".build", ".dist", ".webpack", ".esbuild",
];

/// Runs the script where its outputs are missing or older than the sources.
pub(super) async fn run(context: Context<'_>, built: &mut Built) -> Result<(), Diagnostics> {
    let root = context.root();
    if install::read_manifest(root)?.script("build").is_none() {
        return Ok(());
    }
    let stamp = Stamp::of(root, "npm-run-build");
    let sources = sources(root);
    let fingerprint = fingerprint(&sources);
    let entries = entries(context);
    if !is_due(root, &entries, &stamp, &sources, &fingerprint) {
        return Ok(());
    }
    install::ensure_development_packages(context, built).await?;
    let Some(npm) = context.tools.find("npm") else {
        return Err(install::no_npm(root));
    };
    context.build_dir()?;
    context.say("building: npm run build");
    let written = |cause| cannot_write(root, &cause);
    stamp.clear().map_err(written)?;
    let invocation = Invocation::new("npm run build", &npm, root).args(["run", "build"]);
    if let Err(error) = install::quiet_npm(invocation).run(context.tools).await {
        let manifest = Span::start_of(&root.join("package.json"));
        return Err(Diagnostic::error(error.to_string())
            .at(&manifest)
            .hint("the handlers come from the `build` script of package.json: fix what it reports")
            .into());
    }
    let done = if all_there(root, &entries) {
        fingerprint
    } else {
        in_vain(&fingerprint)
    };
    stamp.write(&done).map_err(written)
}

fn entries(context: Context<'_>) -> Vec<Entry> {
    let handlers = context.functions(Language::Node);
    handlers.into_iter().filter_map(Entry::of).collect()
}

fn all_there(root: &Path, entries: &[Entry]) -> bool {
    entries.iter().all(|entry| entry.source(root).is_some())
}

/// The record of a run that did not make the handlers: it is not repeated for the same sources.
fn in_vain(fingerprint: &str) -> String {
    format!("{fingerprint} made no handler")
}

fn is_due(root: &Path, entries: &[Entry], stamp: &Stamp, sources: &[PathBuf], fingerprint: &str) -> bool {
    if !all_there(root, entries) {
        return !stamp.is(&in_vain(fingerprint));
    }
    if stamp.exists() {
        return !stamp.is(fingerprint);
    }
    let outputs = entries
        .iter()
        .filter(|entry| {
            entry
                .top_folder()
                .is_some_and(|top| OUTPUT_FOLDERS.contains(&top))
        })
        .filter_map(|entry| modified(&entry.runnable(root)?));
    let newest_source = sources.iter().filter_map(|source| modified(source)).max();
    outputs.min().is_some_and(|oldest| Some(oldest) < newest_source)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// Everything in the service directory that is neither installed nor built.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut rules = Rules::with_defaults();
    let installed = ["node_modules", "coverage", "target", ".venv", "vendor"];
    for folder in installed.into_iter().chain(OUTPUT_FOLDERS) {
        rules.exclude(&format!("**/{folder}/**"));
    }
    match select(root, &rules, Scope::All, false) {
        Ok(selection) => selection.files.into_iter().map(|file| file.source).collect(),
        Err(error) => {
            tracing::warn!(%error, "the sources of the build script cannot be listed");
            Vec::new()
        }
    }
}

fn fingerprint(sources: &[PathBuf]) -> String {
    sources
        .iter()
        .fold(Fingerprint::default(), |all, path| all.file(path))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::{Workspace, function, program};

    const MANIFEST: &str = r#"{"scripts":{"build":"make"}}"#;
    const NPM: &str = "echo run >> .tradewind/log; mkdir -p dist; echo exports.handler=1 > dist/x.js";

    fn workspace(handler: &str, files: &[(&str, &str)]) -> Workspace {
        let workspace = Workspace::new(files, vec![function("f", "nodejs20.x", handler)]);
        program(&workspace.bin(), "npm", NPM);
        workspace
    }

    async fn run_here(workspace: &Workspace) -> usize {
        run(workspace.context(), &mut Built::default()).await.unwrap();
        let log = std::fs::read_to_string(workspace.root().join(".tradewind/log"));
        log.unwrap_or_default().lines().count()
    }

    #[tokio::test]
    async fn it_runs_when_the_handler_is_missing_and_again_when_sources_change() {
        let workspace = workspace("dist/x.handler", &[("package.json", MANIFEST), ("src/x.js", "1")]);
        assert_eq!(run_here(&workspace).await, 1);
        assert_eq!(run_here(&workspace).await, 1, "nothing has changed");
        std::fs::write(workspace.root().join("src/x.js"), "2").unwrap();
        assert_eq!(run_here(&workspace).await, 2);
    }

    #[tokio::test]
    async fn handlers_that_are_sources_need_none() {
        let workspace = workspace("src/x.handler", &[("package.json", MANIFEST), ("src/x.js", "1")]);
        assert_eq!(run_here(&workspace).await, 0);
    }

    #[tokio::test]
    async fn outputs_newer_than_the_sources_are_believed() {
        let files = [("package.json", MANIFEST), ("src/x.js", "1"), ("dist/x.js", "")];
        let workspace = workspace("dist/x.handler", &files);
        let newer = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
        let output = workspace.root().join("dist/x.js");
        let file = std::fs::File::options().write(true).open(&output).unwrap();
        file.set_modified(newer).unwrap();
        assert_eq!(run_here(&workspace).await, 0);
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(run_here(&workspace).await, 1);
    }

    #[tokio::test]
    async fn it_runs_again_when_its_outputs_are_gone_but_not_in_vain() {
        let workspace = workspace("dist/x.handler", &[("package.json", MANIFEST)]);
        assert_eq!(run_here(&workspace).await, 1);
        std::fs::remove_dir_all(workspace.root().join("dist")).unwrap();
        assert_eq!(run_here(&workspace).await, 2);
        program(&workspace.bin(), "npm", "echo run >> .tradewind/log; rm -r dist");
        workspace.write("src/x.js", "changed");
        assert_eq!(run_here(&workspace).await, 3);
        assert_eq!(run_here(&workspace).await, 3, "it would make no handler again");
    }

    #[tokio::test]
    async fn a_failing_script_is_shown_and_not_recorded() {
        let workspace = workspace("dist/x.handler", &[("package.json", MANIFEST)]);
        program(
            &workspace.bin(),
            "npm",
            "echo 'src/x.ts(3,1): no such thing'; exit 2",
        );
        let error = run(workspace.context(), &mut Built::default()).await.unwrap_err();
        assert!(
            error.to_string().contains("src/x.ts(3,1): no such thing"),
            "{error}"
        );
        program(&workspace.bin(), "npm", NPM);
        assert_eq!(run_here(&workspace).await, 1);
    }
}
