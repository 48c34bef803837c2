//! What stacks share: names are exported by one stack at a time, and stay while another imports them
//! (CloudFormation User Guide, "Fn::ImportValue").

use std::collections::BTreeMap;

use tradewind_store::DatabaseError;

use super::engine::Shared;
use super::model::StackName;
use super::tables;

/// What all other stacks export and import.
#[derive(Debug, Default)]
pub(crate) struct Others {
    /// Export → value.
    pub(crate) exports: BTreeMap<String, String>,
    /// Export → a stack that imports it.
    importers: BTreeMap<String, String>,
}

impl Others {
    /// Of all stacks but `stack`.
    pub(crate) async fn of(engine: &Shared, stack: &StackName) -> Result<Self, DatabaseError> {
        let mut others = Self::default();
        for row in tables::stacks(&engine.database).await? {
            if row.name == stack.as_str() {
                continue;
            }
            others
                .importers
                .extend(row.imports.into_iter().map(|export| (export, row.name.clone())));
            others.exports.extend(row.exports);
        }
        Ok(others)
    }

    /// Why a stack that exported `before` may not export `after`.
    pub(crate) fn refusal(
        &self,
        before: &BTreeMap<String, String>,
        after: &BTreeMap<String, String>,
    ) -> Option<String> {
        if let Some(name) = after.keys().find(|name| self.exports.contains_key(*name)) {
            return Some(format!(
                "Export with name {name} is already exported by another stack"
            ));
        }
        let changed = before
            .iter()
            .filter(|(name, value)| after.get(*name) != Some(value));
        let mut in_use = changed.filter_map(|(name, _)| Some((name, self.importers.get(name)?)));
        in_use.next().map(|(name, importer)| {
            let verb = if after.contains_key(name) {
                "updated"
            } else {
                "deleted"
            };
            format!("Export {name} cannot be {verb} as it is in use by {importer}")
        })
    }
}
