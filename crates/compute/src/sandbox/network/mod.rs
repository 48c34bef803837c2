//! Networks of instances: a namespace each, and nothing shared between two of them.
//!
//! A function has a loopback interface of its own. What it finds there, the node has put there: the
//! Runtime API and the node's API endpoint, on listeners that were made inside the namespace and are held
//! by the node. No route leads to the node.
//!
//! ```text
//!  instance's namespace                     node
//!  127.0.0.1:9001 ◀── listener ──────────── Runtime API (the instance's driver)
//!  127.0.0.1:4566 ◀── listener ── relay ──▶ API endpoint
//! ```
//!
//! # Invariants
//! - A namespace serves one instance, once.
//! - Sockets inside end with the [`InstanceNetwork`], whatever the function's processes do.
//! - Everything a function can make the node hold for it is bounded.
//!
//! # Where to look
//! `maker` (the pool), `namespace` (what is inside), `link` (system calls), `attendant` (the thread that
//! carries traffic), `endpoint`, `relay`.

mod attendant;
mod endpoint;
mod link;
mod maker;
mod namespace;
mod relay;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;

use attendant::Attendant;
use maker::Maker;
use namespace::{Layout, Namespace};

/// Where Lambda's Runtime API stands for a function.
pub(crate) const RUNTIME_API: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9001);
/// Namespaces that are kept ready, of each layout.
const READY: usize = 4;

/// Makes networks for instances.
#[derive(Debug)]
pub(crate) struct Networks {
    /// The node's API endpoint, if functions are to reach one.
    api: Option<SocketAddr>,
    closed: Maker,
    attendant: Attendant,
}

impl Networks {
    /// Starts making namespaces, in which the node's API endpoint `api` has its usual port.
    pub(crate) fn start(api: Option<SocketAddr>) -> io::Result<Self> {
        let ports = [Some(RUNTIME_API), api]
            .iter()
            .flatten()
            .map(SocketAddr::port)
            .collect();
        let closed = Layout { ports, device: None };
        Ok(Self {
            api,
            closed: Maker::start(closed, READY)?,
            attendant: Attendant::start()?,
        })
    }

    /// A network for an instance, which nothing has used before.
    ///
    /// # Errors
    /// When the kernel makes none: no permission, no descriptor left.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn take(&self) -> io::Result<InstanceNetwork> {
        let Namespace {
            handle, listeners, ..
        } = self.closed.take().await?;
        let mut listeners = listeners.into_iter();
        let runtime_api = listeners.next();
        let service = match (self.api, listeners.next()) {
            (Some(node), Some(listener)) => Some(self.attendant.attend(async move {
                match TcpListener::from_std(listener) {
                    Ok(listener) => endpoint::serve(listener, node).await,
                    Err(error) => tracing::error!(%error, "a function cannot reach the node"),
                }
            })),
            _ => None,
        };
        Ok(InstanceNetwork {
            handle,
            runtime_api,
            _service: service,
        })
    }

    /// Ends all traffic. Networks that are still in use have none from then on.
    pub(crate) async fn stop(&self) {
        self.attendant.stop().await;
    }
}

/// The network of one instance. Dropped, nothing of it is left but the function's own sockets.
#[derive(Debug)]
pub(crate) struct InstanceNetwork {
    handle: OwnedFd,
    runtime_api: Option<std::net::TcpListener>,
    /// What runs on the attendant's thread for it.
    _service: Option<DropGuard>,
}

impl InstanceNetwork {
    /// The namespace, to be joined by setns.
    pub(crate) fn namespace(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// The listener inside the namespace for the Runtime API, [`RUNTIME_API`]. There is one.
    ///
    /// # Errors
    /// When it was taken before.
    pub(crate) fn runtime_api(&mut self) -> io::Result<TcpListener> {
        let listener = self.runtime_api.take();
        TcpListener::from_std(listener.ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse))?)
    }
}
