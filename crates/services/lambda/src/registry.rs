//! The functions in memory, as the database has them: what every request is answered from.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use tradewind_model::{AccountId, FunctionArn, FunctionName, Region};

use crate::model::Function;

type Functions = BTreeMap<FunctionName, Arc<Function>>;

/// All functions, by account and region, then by name.
#[derive(Debug, Default)]
pub(crate) struct Registry(BTreeMap<(AccountId, Region), Functions>);

impl Registry {
    /// The function of an unqualified ARN.
    pub(crate) fn get(&self, arn: &FunctionArn) -> Option<Arc<Function>> {
        self.0.get(&place(arn))?.get(&arn.name).cloned()
    }

    /// Adds or replaces a function.
    pub(crate) fn put(&mut self, function: Arc<Function>) {
        let functions = self.0.entry(place(&function.arn)).or_default();
        functions.insert(function.arn.name.clone(), function);
    }

    /// Removes a function.
    pub(crate) fn remove(&mut self, arn: &FunctionArn) {
        if let Some(functions) = self.0.get_mut(&place(arn)) {
            functions.remove(&arn.name);
        }
    }

    /// The functions of one account and region from `start` on, in the order of their names.
    pub(crate) fn from(
        &self,
        account: &AccountId,
        region: &Region,
        start: Bound<FunctionName>,
    ) -> impl Iterator<Item = &Arc<Function>> {
        let functions = self.0.get(&(account.clone(), region.clone()));
        functions
            .into_iter()
            .flat_map(move |map| map.range((start.clone(), Bound::Unbounded)).map(|(_, f)| f))
    }

    /// Every function of every account.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.0.values().flat_map(BTreeMap::values)
    }
}

fn place(arn: &FunctionArn) -> (AccountId, Region) {
    (arn.account.clone(), arn.region.clone())
}
