//! The steps `resolve` and `merge`: what `customer-view-identity` decides, kept in buckets.
//!
//! - [`Token`]s and [`seal`](mod@seal): how accounts are named and their records sealed
//! - [`Bucket`]: objects with conditional writes
//! - [`Bus`]: how records reach Kafka
//! - [`Rejected`]: where broken records are told
//! - [`records`]: what an event source mapping hands over
//! - [`resolve`], [`merge`]: the steps
//!
//! # Invariants
//! - Every step may run again, at any time, also after it was cut off at any write: the result is the same.
//! - What is suppressed is looked for before a write and after it, so that erasing wins over a late event.

mod bucket;
mod bus;
mod call;
mod failure;
pub mod merge;
pub mod records;
mod rejected;
pub mod resolve;
pub mod seal;
mod settings;
mod suppressed;
mod token;

pub use bucket::{Bucket, Found};
pub use bus::{Bus, Entry};
pub use failure::Failure;
pub use rejected::{Problem, Rejected, Rejection};
pub use settings::{Endpoint, Settings};
pub use token::{Pepper, Token};
