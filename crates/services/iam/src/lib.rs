//! IAM and STS: roles with their policies, and who a caller is.
//!
//! Roles are *recorded, not enforced*: a function's role and the policies inside it are validated,
//! stored and shown, and every function may do everything, until signatures are verified and
//! policies evaluated. Nothing here pretends otherwise: operations that would need it answer with
//! the protocol's own "not implemented" and their name.
//!
//! # Invariants
//! - A role's row says whose it is (`owner`): a stack never overwrites or deletes another's role.
//! - What is stored was parsed: a document that is not a policy is refused before anything changes.

mod api;
mod error;
mod model;
mod policy;
mod resource;
mod tables;

use std::sync::Arc;

use tradewind_model::resource::ResourceType;
use tradewind_store::Database;

pub use api::sts_operations;
pub use error::RoleError;
pub use model::{InlinePolicy, InvalidRole, Role, RoleName, RolePath};
pub use policy::{InvalidPolicy, PolicyDocument, PolicyKind};
pub use tables::MIGRATIONS;

/// The identity services of a node. A clone is the same service.
#[derive(Clone, Debug)]
pub struct IamService {
    database: Database,
}

impl IamService {
    /// The service over its tables.
    #[must_use]
    pub fn open(database: Database) -> Self {
        Self { database }
    }

    /// `AWS::IAM::Role`.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        vec![Arc::new(resource::RoleType::new(self.database.clone()))]
    }
}
