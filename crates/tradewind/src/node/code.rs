//! The packages of functions, which are files while the rows may be elsewhere.

use std::collections::HashSet;

use tradewind_compute::{Engine, PackageId};
use tradewind_deploy::stack::StackEngine;
use tradewind_lambda::LambdaService;
use tradewind_store::{DataFolder, DatabaseError};

use super::StartNodeError;

/// Code of functions is in the data folder, also where the rows are on a server.
pub(super) fn refuse_other_folder(
    folder: &DataFolder,
    engine: &Engine,
    lambda: &LambdaService,
) -> Result<(), StartNodeError> {
    let named = lambda.packages_in_use();
    if named.is_empty() || named.iter().any(|id| engine.packages().contains(id)) {
        return Ok(());
    }
    Err(StartNodeError::OtherFolder {
        functions: named.len(),
        folder: folder.path().to_owned(),
    })
}

/// Deletes packages that neither a function nor a stack names.
pub(super) async fn collect_packages(engine: &Engine, lambda: &LambdaService, stacks: &StackEngine) {
    let keep = match packages_in_use(lambda, stacks).await {
        Ok(keep) => keep,
        Err(error) => return tracing::warn!(%error, "cannot tell which packages are used; none is deleted"),
    };
    if let Err(error) = engine.packages().retain(&keep).await {
        tracing::warn!(%error, "cannot delete packages that are not used any more");
    }
}

/// What functions or stacks name.
pub(super) async fn packages_in_use(
    lambda: &LambdaService,
    stacks: &StackEngine,
) -> Result<HashSet<PackageId>, DatabaseError> {
    let named_by_stacks = stacks.packages_in_use().await?;
    let mut keep = lambda.packages_in_use();
    keep.extend(named_by_stacks.iter().filter_map(|package| package.parse().ok()));
    Ok(keep)
}
