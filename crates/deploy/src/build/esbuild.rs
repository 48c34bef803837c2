//! The bundler: found in the project, else fetched once from npm into the tool cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::command::Invocation;
use super::install::{no_npm, quiet_npm};
use super::{Context, cannot_write};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// The version that is fetched.
const VERSION: &str = "0.28.2";
/// The oldest version of a project's own that understands the flags we use: 0.18.
const OLDEST_MINOR: u32 = 18;

/// The path of the program.
pub(super) async fn program(context: Context<'_>) -> Result<PathBuf, Diagnostics> {
    let own = context.root().join("node_modules/esbuild");
    if is_usable(&own) && program_in(&own).is_file() {
        return Ok(program_in(&own));
    }
    let folder = context.tools.cache_dir().join("esbuild").join(VERSION);
    let program = program_in(&folder.join("node_modules/esbuild"));
    if !program.is_file() {
        fetch(context, &folder).await?;
    }
    Ok(program)
}

fn program_in(package: &Path) -> PathBuf {
    package.join("bin/esbuild")
}

fn is_usable(package: &Path) -> bool {
    let version = std::fs::read(package.join("package.json"))
        .ok()
        .and_then(|text| serde_json::from_slice::<Value>(&text).ok())
        .and_then(|manifest| manifest.get("version")?.as_str().map(str::to_owned));
    let numbers = version.as_deref().map(|version| {
        let mut numbers = version
            .split('.')
            .map(|number| number.parse::<u32>().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    });
    numbers.is_some_and(|(major, minor)| major > 0 || minor >= OLDEST_MINOR)
}

/// Installs into a folder beside the final one and moves it there when complete.
async fn fetch(context: Context<'_>, folder: &Path) -> Result<(), Diagnostics> {
    let Some(npm) = context.tools.find("npm") else {
        return Err(no_npm(context.root()));
    };
    context.say(&format!("fetching esbuild {VERSION} from npm (once)"));
    let parent = folder.parent().unwrap_or(folder);
    let written = |cause| cannot_write(folder, &cause);
    std::fs::create_dir_all(parent).map_err(written)?;
    let staging = parent.join(format!("{VERSION}.new-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&staging).map_err(written)?;
    std::fs::write(staging.join("package.json"), "{\"private\":true}").map_err(written)?;
    let package = format!("esbuild@{VERSION}");
    let invocation = Invocation::new(format!("npm install {package}"), &npm, &staging)
        .args(["install", "--no-save", "--no-package-lock", package.as_str()])
        .within(Duration::from_secs(180));
    let installed = quiet_npm(invocation).run(context.tools).await;
    let outcome = match installed {
        Ok(_) => match std::fs::rename(&staging, folder) {
            Err(cause) if !folder.is_dir() => Err(written(cause)),
            _ => Ok(()),
        },
        Err(error) => Err(unreachable_registry(&error.to_string())),
    };
    if outcome.is_err()
        && let Err(error) = std::fs::remove_dir_all(&staging)
    {
        tracing::warn!(%error, folder = %staging.display(), "an incomplete download stays behind");
    }
    outcome
}

fn unreachable_registry(error: &str) -> Diagnostics {
    Diagnostic::error(format!(
        "esbuild is needed to bundle the handlers and cannot be fetched: {error}"
    ))
    .hint("connect once, or add esbuild to the project: `npm install --save-dev esbuild`")
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::{Workspace, program as fake, tree};

    #[test]
    fn only_new_enough_versions_are_used() {
        for (version, usable) in [("0.17.9", false), ("0.18.0", true), ("1.0.0", true), ("x", false)] {
            let manifest = format!(r#"{{"version":"{version}"}}"#);
            let dir = tree(&[("package.json", manifest.as_str())]);
            assert_eq!(is_usable(dir.path()), usable, "{version}");
        }
    }

    #[tokio::test]
    async fn it_is_fetched_once() {
        let workspace = Workspace::new(&[], Vec::new());
        let script = "mkdir -p node_modules/esbuild/bin; echo > node_modules/esbuild/bin/esbuild";
        fake(&workspace.bin(), "npm", script);
        let first = program(workspace.context()).await.unwrap();
        assert!(
            first.starts_with(workspace.context().tools.cache_dir()),
            "{first:?}"
        );
        fake(&workspace.bin(), "npm", "exit 1");
        assert_eq!(program(workspace.context()).await.unwrap(), first);
    }

    #[tokio::test]
    async fn offline_leaves_nothing_behind_and_says_what_to_do() {
        let workspace = Workspace::new(&[], Vec::new());
        fake(&workspace.bin(), "npm", "echo ENOTFOUND; exit 1");
        let error = program(workspace.context()).await.unwrap_err();
        assert!(error.to_string().contains("ENOTFOUND"), "{error}");
        let cache = workspace.context().tools.cache_dir().join("esbuild");
        assert_eq!(std::fs::read_dir(cache).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn the_projects_own_is_preferred() {
        let workspace = Workspace::new(
            &[
                ("node_modules/esbuild/package.json", r#"{"version":"0.25.0"}"#),
                ("node_modules/esbuild/bin/esbuild", ""),
            ],
            Vec::new(),
        );
        let found = program(workspace.context()).await.unwrap();
        assert_eq!(found, workspace.root().join("node_modules/esbuild/bin/esbuild"));
    }
}
