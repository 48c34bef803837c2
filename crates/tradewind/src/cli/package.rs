//! `tradewind package`: the template of a project, without a node.

use std::collections::BTreeSet;
use std::path::Path;

use tradewind_model::AccountId;

use super::arguments::Package;
use super::failure::Failure;
use super::output::{self, GOOD};
use super::project::{self, Workspace, ZippedPackage};
use super::surroundings::Surroundings;

/// The Serverless Framework's name for the file, so that scripts find it.
const TEMPLATE_FILE: &str = "cloudformation-template-update-stack.json";

/// Runs the command.
pub(crate) async fn run(arguments: &Package, surroundings: &Surroundings) -> Result<(), Failure> {
    let account = AccountId::default_account();
    let workspace = Workspace::new(&arguments.project, surroundings, account, true);
    let project = workspace.load().await?;
    let mut told = BTreeSet::new();
    project::warn_once(&project.warnings, &mut told);
    let packages = workspace.prepare(&project).await?;
    project::warn_once(packages.iter().flat_map(|package| &package.warnings), &mut told);
    let zipped = project::zip(&project, packages).await?;
    let template = project.compile(&project::digests(&zipped))?;
    let text = format!("{:#}", template.body);
    match &arguments.output {
        None => output::line(&text),
        Some(dir) => {
            write_all(dir, &text, &zipped).map_err(|error| {
                Failure::new(format!("cannot write to `{}`", dir.display())).because(&error)
            })?;
            output::note(&format!(
                "{GOOD}wrote{GOOD:#} {} and {} zips",
                dir.join(TEMPLATE_FILE).display(),
                zipped.len()
            ));
            Ok(())
        }
    }
}

fn write_all(dir: &Path, template: &str, packages: &[ZippedPackage]) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for package in packages {
        std::fs::write(dir.join(&package.name), &package.zip)?;
    }
    std::fs::write(dir.join(TEMPLATE_FILE), format!("{template}\n"))
}
