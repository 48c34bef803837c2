//! Installing what runs without looking at what only development needs.
//!
//! Without a lock file npm resolves the whole tree, development packages included, even when they are not to
//! be installed: the deployment tool among them takes longer than all the rest, and a conflict in there stops
//! everything. So a manifest without them is installed in a folder of its own, and the result moved into place.

use std::path::Path;

use serde_json::Value;

use super::manager::Manager;
use super::{attempt, failed};
use crate::build::{Context, cannot_write, stamp};
use crate::diagnostic::Diagnostics;
use crate::package::manifest::Manifest;

/// Fields of `package.json` that play no part at run time.
const LEFT_OUT: [&str; 3] = ["devDependencies", "scripts", "workspaces"];

/// Whether the packages are the same when installed elsewhere: none is a path or part of a workspace.
pub(super) fn is_possible(folder: &Path, manifest: &Manifest) -> bool {
    let has_development = manifest.names("devDependencies").next().is_some();
    let plain = manifest.runtime_versions().all(|version| {
        let other = ["file:", "link:", "workspace:", "portal:", ".", "/", "~/"];
        !other.iter().any(|prefix| version.starts_with(prefix))
    });
    has_development && plain && !manifest.has("workspaces") && !folder.join("node_modules").exists()
}

/// Installs the run-time packages of `folder`, which has no `node_modules`.
pub(super) async fn install(
    context: Context<'_>,
    folder: &Path,
    manager: &Manager,
) -> Result<(), Diagnostics> {
    context.build_dir()?;
    let staging = stamp::build_dir(context.root()).join("npm.new");
    let written = |cause| cannot_write(&staging, &cause);
    lay_out(folder, &staging).map_err(written)?;
    attempt(context, manager, &staging, &["--no-package-lock"])
        .await
        .map_err(|error| failed(folder, &error))?;
    let modules = staging.join("node_modules");
    if modules.is_dir() {
        std::fs::rename(&modules, folder.join("node_modules")).map_err(written)?;
    }
    std::fs::remove_dir_all(&staging).map_err(written)
}

fn lay_out(folder: &Path, staging: &Path) -> std::io::Result<()> {
    if staging.exists() {
        std::fs::remove_dir_all(staging)?;
    }
    std::fs::create_dir_all(staging)?;
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("package.json"))?)?;
    if let Some(fields) = manifest.as_object_mut() {
        fields.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
    }
    std::fs::write(staging.join("package.json"), manifest.to_string())?;
    let settings = folder.join(".npmrc");
    if settings.is_file() {
        std::fs::copy(&settings, staging.join(".npmrc"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Built;
    use crate::build::install::ensure_runtime_packages;
    use crate::package::testing::{Workspace, function, program};

    fn possible(manifest: &str) -> bool {
        let workspace = Workspace::new(&[("package.json", manifest)], Vec::new());
        let manifest = Manifest::read_or_empty(workspace.root());
        is_possible(workspace.root(), &manifest)
    }

    #[test]
    fn only_plain_versions_can_be_installed_elsewhere() {
        assert!(possible(
            r#"{"dependencies":{"a":"^1"},"devDependencies":{"d":"1"}}"#
        ));
        assert!(!possible(
            r#"{"dependencies":{"a":"file:../a"},"devDependencies":{"d":"1"}}"#
        ));
        assert!(
            !possible(r#"{"dependencies":{"a":"1"}}"#),
            "there is nothing to leave out"
        );
    }

    #[tokio::test]
    async fn development_packages_are_not_even_resolved() {
        let manifest = r#"{"dependencies":{"a":"1"},"devDependencies":{"d":"1"}}"#;
        let workspace = Workspace::new(
            &[("package.json", manifest), (".npmrc", "x=y")],
            vec![function("f", "nodejs20.x", "index.handler")],
        );
        let script = "mkdir -p node_modules/a; cp package.json .npmrc node_modules/a";
        program(&workspace.bin(), "npm", script);
        let mut built = Built::default();
        ensure_runtime_packages(workspace.context(), &mut built)
            .await
            .unwrap();
        let installed = workspace.root().join("node_modules/a");
        let seen = std::fs::read_to_string(installed.join("package.json")).unwrap();
        assert_eq!(seen, r#"{"dependencies":{"a":"1"}}"#);
        assert!(installed.join(".npmrc").is_file());
        assert!(!workspace.root().join(".tradewind/build/npm.new").exists());
    }
}
