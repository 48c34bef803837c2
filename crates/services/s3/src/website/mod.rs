//! Static website hosting: what a browser gets from `{bucket}.s3-website-{region}.…`.
//!
//! [`decision`] says, without I/O, which object answers a path and what redirects; [`serve`] reads it
//! through the same operations as everybody.

mod configuration;
mod decision;
mod serve;

pub(crate) use configuration::check;
pub(crate) use decision::is_website_host;
use decision::{Found, Plan, Redirection, Site};
pub(crate) use serve::serve;
