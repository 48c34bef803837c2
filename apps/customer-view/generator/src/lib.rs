//! A believable retailer: made-up people with slips of the pen, moves, shared homes and several accounts, and what
//! five systems write of them.
//!
//! Everything follows from the seed: the same seed makes the same people, events and truth. Only the keys that seal
//! what is written are random, because destroying them has to be final.
//!
//! - [`people`]: who there is
//! - [`Retailer`]: what happens, by time
//! - [`poison`]: records that are broken on purpose
//! - [`score`](mod@score): a view compared with the truth
//! - [`sink`]: to Kafka or to a file

pub mod people;
pub mod poison;
mod random;
mod retailer;
mod say;
pub mod score;
pub mod sink;
mod slips;
mod words;

pub use random::Random;
pub use retailer::{Record, Retailer, canary};
