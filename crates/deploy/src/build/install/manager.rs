//! The package manager of a folder, and how it is called.

use std::path::{Path, PathBuf};

use super::{Need, no_npm, quiet_npm};
use crate::build::Context;
use crate::build::command::Invocation;
use crate::diagnostic::Diagnostics;

/// The command that installs packages in one folder.
#[derive(Debug)]
pub(super) struct Manager {
    pub(super) program: PathBuf,
    pub(super) shown: String,
    pub(super) arguments: Vec<&'static str>,
    pub(super) note: Option<String>,
    pub(super) npm: bool,
    /// Whether no lock file says which versions are meant.
    pub(super) resolves_anew: bool,
}

impl Manager {
    pub(super) fn of(context: Context<'_>, folder: &Path, need: Need) -> Result<Self, Diagnostics> {
        let has = |file: &str| folder.join(file).exists();
        let other = [
            ("yarn", "yarn.lock"),
            ("pnpm", "pnpm-lock.yaml"),
            ("bun", "bun.lock"),
        ];
        let locked_by = other.into_iter().find(|(_, lock)| has(lock));
        if has("package-lock.json") || has("npm-shrinkwrap.json") {
            return Self::npm(context, folder, need, true);
        }
        let Some((name, lock)) = locked_by else {
            return Self::npm(context, folder, need, false);
        };
        let arguments = match name {
            "yarn" if has(".yarnrc.yml") => vec!["install", "--immutable"],
            "yarn" => vec!["install", "--frozen-lockfile", "--non-interactive"],
            "pnpm" => vec!["install", "--frozen-lockfile", "--config.node-linker=hoisted"],
            _ => vec!["install", "--frozen-lockfile"],
        };
        if let Some(program) = context.tools.find(name) {
            return Ok(Self::new(name, program, arguments, None));
        }
        let note = format!("{lock} is there but {name} is not installed: npm chose the versions");
        let mut manager = Self::npm(context, folder, need, false)?;
        manager.arguments.push("--no-package-lock");
        manager.note = Some(note);
        // npm takes what it can from the other lock file.
        manager.resolves_anew = false;
        Ok(manager)
    }

    fn npm(context: Context<'_>, folder: &Path, need: Need, locked: bool) -> Result<Self, Diagnostics> {
        let Some(program) = context.tools.find("npm") else {
            return Err(no_npm(folder));
        };
        let fresh = !folder.join("node_modules").exists();
        let mut arguments = vec![if fresh && locked { "ci" } else { "install" }];
        match need {
            Need::Runtime if fresh => arguments.push("--omit=dev"),
            Need::Runtime => {}
            Need::Development => arguments.push("--include=dev"),
        }
        let mut manager = Self::new("npm", program, arguments, None);
        manager.resolves_anew = fresh && !locked;
        Ok(manager)
    }

    fn new(name: &str, program: PathBuf, arguments: Vec<&'static str>, note: Option<String>) -> Self {
        Self {
            program,
            shown: format!("{name} {}", arguments.join(" ")),
            arguments,
            note,
            npm: name == "npm",
            resolves_anew: false,
        }
    }

    pub(super) fn invocation(&self, folder: &Path, further: &[&'static str]) -> Invocation {
        let arguments = self.arguments.iter().chain(further);
        let invocation = Invocation::new(self.shown.as_str(), &self.program, folder).args(arguments.copied());
        if self.npm {
            quiet_npm(invocation)
        } else {
            invocation
        }
    }
}
