//! Who is the same person, and what is to be believed of them.
//!
//! `../MODEL.md` has the shapes. This crate has the decisions and no I/O, so that they are tested on a hundred
//! thousand people in memory, and run in functions that keep their state in a bucket:
//!
//! - [`normal`]: what the five systems write, in one form
//! - [`Account`]: what one system said of one account, by the time of the events
//! - [`keys`]: under which values an account is found
//! - [`compare`]: how much two accounts look like one person, with reasons
//! - [`groups`]: which accounts are one person, given links and pairs that never are
//! - [`Person`]: the golden record
//! - [`People`]: all of it in memory
//!
//! Everything is a function of what was said, never of the order in which it arrived.

mod account;
mod compare;
mod golden;
mod groups;
mod keys;
mod names;
pub mod normal;
mod people;
mod person;
mod text;

pub use account::{Account, AccountRef, Consent, Event, Replaced, Word};
pub use compare::{LINK_AT, Link, Profile, Reason, compare, link};
pub use golden::{Field, Golden, Standing, golden};
pub use groups::{Member, groups};
pub use keys::{Key, KeyKind, keys};
pub use people::{CROWDED, People};
pub use person::{Never, Person, Restriction, Statement, StatementKind, parts};
