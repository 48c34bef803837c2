//! Object lock: versions that nobody may delete or overwrite before their time.
//!
//! A version's [`Lock`] is a retention (a mode and an instant) and a legal hold, each on its own. A
//! legal hold protects until it is taken off. `COMPLIANCE` protects until its instant, from everyone,
//! and can only be made longer; `GOVERNANCE` yields to who says so (`x-amz-bypass-governance-retention`;
//! who may say so comes with IAM). Placing a delete marker deletes nothing, so no lock forbids it.

mod configuration;
pub(crate) mod operations;
mod state;

pub(crate) use configuration::{check, enabled, of_new};
pub(crate) use state::{Lock, Mode, NewLock};
