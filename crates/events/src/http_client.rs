//! What makes requests to users' endpoints: API destinations, and subscriptions by HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The name of this machine.
const LOCALHOST: &str = "localhost";

/// A client that goes where it is told and nowhere else: not where an answer sends it, and not through what the environment
/// names. It knows the names of this node's APIs (`….execute-api.localhost`), which not every system resolves.
pub fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Resolver))
}

/// The system's resolver, but that names below `localhost` are this machine (RFC 6761, section 6.3).
#[derive(Debug)]
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host_of(name.as_str()), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn host_of(name: &str) -> &str {
    let name = name.strip_suffix('.').unwrap_or(name);
    let below = name.len().checked_sub(LOCALHOST.len());
    let (before, last) = name.split_at_checked(below.unwrap_or(0)).unwrap_or(("", name));
    match before.ends_with('.') && last.eq_ignore_ascii_case(LOCALHOST) {
        true => LOCALHOST,
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_localhost_are_this_machine() {
        for name in [
            "a1.execute-api.localhost",
            "x.localhost.",
            "localhost",
            "a.LOCALHOST",
        ] {
            assert_eq!(host_of(name).to_ascii_lowercase(), LOCALHOST, "{name}");
        }
        for name in [
            "notlocalhost",
            "localhost.example.com",
            "example.com",
            "",
            "größe.de",
        ] {
            assert_eq!(host_of(name), name);
        }
    }
}
