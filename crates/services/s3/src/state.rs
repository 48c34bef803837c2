//! What operations work on.

use std::sync::Arc;

use tradewind_model::{AccountId, Clock, Region};
use tradewind_store::Database;
use tradewind_store::blobs::Blobs;

use crate::objects::KeyLocks;

/// The stores of the service and what it is told of its node. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) database: Database,
    pub(crate) blobs: Blobs,
    pub(crate) clock: Clock,
    /// The account of unsigned requests.
    pub(crate) account: AccountId,
    /// The region of unsigned requests.
    pub(crate) region: Region,
    pub(crate) locks: Arc<KeyLocks>,
}
