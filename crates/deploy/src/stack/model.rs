//! Stacks: their names, states and events.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tradewind_model::Timestamp;

/// A stack name: a letter, then up to 127 of `A-Z a-z 0-9 -` (CloudFormation API reference, CreateStack).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackName(Box<str>);

/// Text that names no stack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stack name: a letter, then up to 127 of `A-Z a-z 0-9 -`")]
pub struct InvalidStackName(Box<str>);

impl StackName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StackName {
    type Err = InvalidStackName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letter = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if letter && plain && text.len() <= 128 {
            return Ok(Self(text.into()));
        }
        Err(InvalidStackName(text.into()))
    }
}

impl fmt::Display for StackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// CloudFormation's word for it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            pub(crate) fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    /// Where a stack or one of its resources stands (CloudFormation User Guide, "Stack status codes").
    ///
    /// ```text
    /// CREATE_IN_PROGRESS ─▶ CREATE_COMPLETE ─▶ UPDATE_IN_PROGRESS ─▶ UPDATE_COMPLETE
    ///        └▶ ROLLBACK_IN_PROGRESS ─▶ ROLLBACK_COMPLETE     └▶ UPDATE_ROLLBACK_IN_PROGRESS ─▶ UPDATE_ROLLBACK_COMPLETE
    /// any ─▶ DELETE_IN_PROGRESS ─▶ gone, or DELETE_FAILED
    /// ```
    StackStatus {
        /// Being made for the first time.
        CreateInProgress = "CREATE_IN_PROGRESS",
        /// Made.
        CreateComplete = "CREATE_COMPLETE",
        /// Could not be made.
        CreateFailed = "CREATE_FAILED",
        /// Being changed.
        UpdateInProgress = "UPDATE_IN_PROGRESS",
        /// Changed.
        UpdateComplete = "UPDATE_COMPLETE",
        /// Could not be changed.
        UpdateFailed = "UPDATE_FAILED",
        /// A failed first apply is being undone.
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        /// A failed first apply was undone: nothing is left but the record.
        RollbackComplete = "ROLLBACK_COMPLETE",
        /// A failed first apply could not be undone.
        RollbackFailed = "ROLLBACK_FAILED",
        /// A failed update is being undone.
        UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
        /// A failed update was undone: what ran before runs.
        UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
        /// A failed update could not be undone.
        UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
        /// Being removed.
        DeleteInProgress = "DELETE_IN_PROGRESS",
        /// Removed.
        DeleteComplete = "DELETE_COMPLETE",
        /// Left in place because its deletion policy says so.
        DeleteSkipped = "DELETE_SKIPPED",
        /// Could not be removed.
        DeleteFailed = "DELETE_FAILED",
    }
}

/// Something that happened to a resource of a stack.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StackEvent {
    /// The key below `Resources`.
    pub logical_id: String,
    /// `AWS::Service::Type`.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// Empty before the resource has one.
    pub physical_id: String,
    /// What it is now.
    pub status: StackStatus,
    /// Why, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub timestamp: Timestamp,
}

/// How an apply or removal ended.
#[derive(Clone, Debug, PartialEq)]
pub struct StackOutcome {
    /// The stack's status now.
    pub status: StackStatus,
    /// False when the template asked for nothing new.
    pub changed: bool,
    /// The template's outputs.
    pub outputs: BTreeMap<String, String>,
    /// The first failure, when it did not succeed: logical id and words.
    pub reason: Option<String>,
}

/// A stack as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StackDescription {
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: StackStatus,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its resources in the order they were made.
    pub resources: Vec<ResourceDescription>,
}

/// A resource of a stack as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDescription {
    /// The key below `Resources`.
    pub logical_id: String,
    /// `AWS::Service::Type`.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// Its physical id.
    pub physical_id: String,
    /// Its status.
    pub status: StackStatus,
}
