//! `serverless.yml`: read, resolved, checked, and compiled to a CloudFormation template.
//!
//! [`load`] finds everything that is wrong before anything is built; [`Project::compile`] turns the
//! loaded project into a [`Template`] once the packages' digests are known.

mod javascript;
mod project;
mod variables;

pub use project::{LoadOptions, PackageRequest, Project, ProjectFunction, Template};

use crate::diagnostic::{Diagnostic, Diagnostics};

/// Reads the project in `options.dir`: parse, variables, validation, defaults.
///
/// # Errors
/// Everything that keeps the project from being deployed, with its place.
pub async fn load(options: &LoadOptions) -> Result<Project, Diagnostics> {
    Err(Diagnostic::error(format!("`{}` cannot be loaded yet", options.dir.display())).into())
}
