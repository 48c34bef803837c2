//! The layers of a function: which it names, and what they put below `/opt` together.

use tradewind_compute::PackageId;
use tradewind_model::limits::UNZIPPED_BYTES;

use super::{LayerArn, LayerVersionArn};
use crate::api::package::of_package;
use crate::error::{LambdaError, LayerError};
use crate::model::Code;
use crate::names::Scope;
use crate::service::LambdaService;

/// Layers a function may have.
pub(crate) const MAX_LAYERS: usize = 5;

/// The layers of one version of a function, in the order they are laid over each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UsedLayers {
    pub(crate) list: Vec<UsedLayer>,
    /// All of them in one folder; none without layers.
    pub(crate) merged: Option<PackageId>,
}

/// A layer version as a function keeps it: it outlives the deletion of the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedLayer {
    pub(crate) arn: LayerVersionArn,
    pub(crate) code: Code,
}

impl UsedLayers {
    /// Every package that must stay for it.
    pub(crate) fn packages(&self) -> impl Iterator<Item = PackageId> {
        let parts = self.list.iter().map(|used| &used.code.package);
        parts.chain(&self.merged).cloned()
    }

    fn find(&self, arn: &LayerVersionArn) -> Option<UsedLayer> {
        self.list.iter().find(|used| used.arn == *arn).cloned()
    }
}

impl LambdaService {
    /// Looks the layers of a function up and merges them. A version that the function has `already` need
    /// not exist any more.
    pub(crate) async fn use_layers(
        &self,
        arns: &[LayerVersionArn],
        scope: &Scope,
        already: &UsedLayers,
    ) -> Result<UsedLayers, LambdaError> {
        let mut list: Vec<UsedLayer> = Vec::with_capacity(arns.len());
        for arn in arns {
            let used = match already.find(arn) {
                Some(used) => used,
                None => self.usable(arn, scope)?,
            };
            refuse_second_version(&list, arn)?;
            list.push(used);
        }
        let packages: Vec<PackageId> = list.iter().map(|used| used.code.package.clone()).collect();
        if packages.is_empty() {
            return Ok(UsedLayers::default());
        }
        let merged = self
            .engine()
            .packages()
            .merge(&packages)
            .await
            .map_err(of_package)?;
        Ok(UsedLayers {
            list,
            merged: Some(merged),
        })
    }

    fn usable(&self, arn: &LayerVersionArn, scope: &Scope) -> Result<UsedLayer, LambdaError> {
        let LayerArn { account, region, .. } = &arn.layer;
        if *region != scope.region {
            return Err(LayerError::OtherRegion {
                region: scope.region.to_string(),
            }
            .into());
        }
        let found = self.shelf().version(arn);
        let is_own = *account == scope.account;
        match found {
            Some(version) if is_own || version.is_shared_with(&scope.account) => Ok(UsedLayer {
                arn: arn.clone(),
                code: version.code,
            }),
            Some(_) => Err(LayerError::NotShared {
                caller: scope.account.to_string(),
                arn: arn.to_string(),
            }
            .into()),
            None if is_own => Err(LayerError::NoSuchVersion { arn: arn.to_string() }.into()),
            None => Err(LayerError::OfOtherAccount {
                caller: scope.account.to_string(),
                account: account.to_string(),
                arn: arn.to_string(),
            }
            .into()),
        }
    }

    /// Fails if a function's code and layers are too large together.
    pub(crate) async fn check_unzipped(&self, code: &Code, layers: &UsedLayers) -> Result<(), LambdaError> {
        if layers.list.is_empty() {
            return Ok(());
        }
        let parts = layers.list.iter().map(|used| &used.code.package);
        let all: Vec<PackageId> = parts.chain([&code.package]).cloned().collect();
        let size = self
            .engine()
            .packages()
            .unpacked_size_of(&all)
            .await
            .map_err(of_package)?;
        if size > UNZIPPED_BYTES {
            let limit = UNZIPPED_BYTES;
            return Err(LayerError::TooLargeTogether { limit, size }.into());
        }
        Ok(())
    }
}

fn refuse_second_version(list: &[UsedLayer], arn: &LayerVersionArn) -> Result<(), LayerError> {
    match list.iter().find(|used| used.arn.layer == arn.layer) {
        None => Ok(()),
        Some(first) => Err(LayerError::TwoVersions {
            first: first.arn.to_string(),
            second: arn.to_string(),
        }),
    }
}
