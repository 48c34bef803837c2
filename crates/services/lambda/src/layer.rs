//! Layers: archives that functions share. A layer is a name with numbered versions; a version never
//! changes, and its number is never used twice.
//!
//! `name` reads names and ARNs, `published` what a request publishes, `permission` who may use it, `shelf`
//! keeps all of them, and `used` is what functions have of them.

mod name;
mod permission;
mod published;
mod shelf;
mod used;

use std::collections::BTreeMap;

use tradewind_model::{AccountId, Timestamp};

use crate::model::{Architecture, Code, Owner};
use crate::policy::Policy;

pub(crate) use name::{LayerArn, LayerName, LayerVersionArn, NamedLayer, VERSION_ARN_PATTERN};
pub(crate) use permission::LayerPermission;
pub(crate) use published::{Description, Filter};
pub(crate) use shelf::{Change, Shelf};
pub(crate) use used::{MAX_LAYERS, UsedLayer, UsedLayers};

/// A layer with its versions. Immutable: a change makes a new one. Without versions it is not seen, but
/// keeps its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) arn: LayerArn,
    /// The number the next published version gets.
    pub(crate) next_version: u64,
    pub(crate) versions: BTreeMap<u64, LayerVersion>,
}

/// One version of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerVersion {
    pub(crate) code: Code,
    pub(crate) description: Description,
    pub(crate) created: Timestamp,
    /// Which other accounts may use it; none without statements.
    pub(crate) policy: Option<Policy>,
    /// The resource of a stack that published it.
    pub(crate) owner: Option<Owner>,
}

impl Layer {
    /// One that has never been published.
    pub(crate) fn new(arn: LayerArn) -> Self {
        Self {
            arn,
            next_version: 1,
            versions: BTreeMap::new(),
        }
    }

    /// Adds a version; its number comes back.
    pub(crate) fn publish(&mut self, version: LayerVersion) -> u64 {
        let number = self.next_version;
        self.next_version = number.saturating_add(1);
        self.versions.insert(number, version);
        number
    }

    /// The version that a resource of a stack published.
    pub(crate) fn version_of(&self, owner: &Owner) -> Option<(u64, &LayerVersion)> {
        let mut versions = self.versions.iter();
        versions
            .find(|(_, version)| version.owner.as_ref() == Some(owner))
            .map(|(number, version)| (*number, version))
    }
}

impl LayerVersion {
    /// Whether its policy lets another account use it.
    pub(crate) fn is_shared_with(&self, account: &AccountId) -> bool {
        self.policy
            .as_ref()
            .is_some_and(|policy| policy.allows_account(account))
    }

    /// Whether it says to suit the runtime and the architecture, as far as they are asked for.
    pub(crate) fn suits(&self, filter: &Filter) -> bool {
        let runtime = filter.runtime.as_ref();
        let runtime_fits = runtime.is_none_or(|name| self.description.runtimes.contains(name));
        let fits = |wanted: Architecture| self.description.architectures.contains(&wanted);
        runtime_fits && filter.architecture.is_none_or(fits)
    }
}
