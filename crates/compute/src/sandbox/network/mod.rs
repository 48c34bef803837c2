//! Networks of instances: a namespace each, and nothing shared between two of them.
//!
//! A function has a loopback interface of its own. What it finds there, the node has put there: the
//! Runtime API and the node's API endpoint, on listeners that were made inside the namespace and are held
//! by the node. No route leads to the node. With egress there is a second interface, whose other end the
//! node reads: it judges each connection, and makes it in the function's place.
//!
//! ```text
//!  instance's namespace                          node
//!  127.0.0.1:9001 ◀── listener ─────────────── Runtime API (the instance's driver)
//!  127.0.0.1:4566 ◀── listener ── relay ─────▶ API endpoint
//!  eth0 ──▶ device ──▶ egress: policy, flows ─▶ the world
//! ```
//!
//! # Invariants
//! - A namespace serves one instance, once.
//! - Sockets inside end with the [`InstanceNetwork`], whatever the function's processes do.
//! - Everything a function can make the node hold for it is bounded.
//! - Where a function may connect is decided in one place, [`policy`].
//!
//! # Where to look
//! `maker` (the pool), `namespace` (what is inside), `link` (system calls), `door` (from the node to a
//! function), `attendant` (the thread that carries traffic), `endpoint` and `relay` (the API endpoint), `egress` with `policy`, `packet`, `flows`,
//! `datagrams`, `world` (the way out).

mod attendant;
mod datagrams;
mod door;
mod egress;
mod endpoint;
mod flows;
mod link;
mod maker;
mod namespace;
mod packet;
mod policy;
mod relay;
#[cfg(test)]
pub(crate) mod tests;
mod world;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio_util::sync::DropGuard;

use crate::spec::Egress;
use attendant::Attendant;
pub(crate) use door::Dialer;
use door::Door;
use maker::Maker;
use namespace::{Device, Layout, Namespace};
pub(crate) use relay::Traffic;
use world::World;

/// Where Lambda's Runtime API stands for a function, on its loopback interface; one further if the node's
/// API endpoint has that port.
const RUNTIME_API: u16 = 9001;
/// Namespaces that are kept ready, of each kind that was asked for.
const READY: usize = 4;

/// Makes networks for instances.
#[derive(Debug)]
pub(crate) struct Networks {
    /// The node's API endpoint, if functions are to reach one.
    api: Option<SocketAddr>,
    open: OnceCell<Maker>,
    closed: OnceCell<Maker>,
    /// Why there is no way out for any instance.
    no_way_out: Option<String>,
    door: Door,
    attendant: Attendant,
    world: Arc<World>,
}

impl Networks {
    /// Namespaces will have the node's API endpoint `api` at its own port.
    ///
    /// # Blocking
    /// For some milliseconds: one of each kind is made, to see that it can.
    ///
    /// # Errors
    /// When no thread can be started or no namespace be made.
    pub(crate) fn start(api: Option<SocketAddr>) -> io::Result<Self> {
        maker::try_out(layout(None, Egress::None))?;
        let no_way_out = no_way_out();
        if let Some(error) = &no_way_out {
            tracing::warn!(%error, "functions cannot reach the world: no network device can be made for them");
        }
        // what most functions have is made before the first asks for it
        let open = no_way_out
            .is_none()
            .then(|| Maker::start(layout(api, Egress::Internet), READY));
        Ok(Self {
            api,
            open: OnceCell::new_with(open.transpose()?),
            closed: OnceCell::new(),
            no_way_out,
            door: Door::start()?,
            attendant: Attendant::start()?,
            world: Arc::new(World::new(api)),
        })
    }

    /// A network for an instance, which nothing has used before.
    /// Where there is [no way out](no_way_out), none has one.
    ///
    /// # Errors
    /// When the kernel makes none: no descriptor left.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn take(&self, egress: Egress) -> io::Result<InstanceNetwork> {
        let (maker, egress) = match egress {
            Egress::Internet if self.no_way_out.is_none() => (&self.open, egress),
            Egress::Internet | Egress::None => (&self.closed, Egress::None),
        };
        let start = async || Maker::start(layout(self.api, egress), READY);
        let namespace = maker.get_or_try_init(start).await?.take().await?;
        Ok(self.serve(namespace))
    }

    fn serve(&self, namespace: Namespace) -> InstanceNetwork {
        let Namespace {
            handle,
            listeners,
            device,
        } = namespace;
        let mut listeners = listeners.into_iter();
        let runtime_api = listeners.next();
        let resolv_conf = device.as_ref().map(|_device| world::resolv_conf());
        let traffic = Arc::new(Traffic::default());
        let api = serve_api(listeners.next().zip(self.api));
        let egress = carry(device, Arc::clone(&self.world), Arc::clone(&traffic));
        let service = async move {
            tokio::join!(api, egress);
        };
        let dialer = Dialer {
            namespace: Arc::new(handle),
            door: self.door.clone(),
        };
        InstanceNetwork {
            dialer,
            runtime_api,
            resolv_conf: resolv_conf.unwrap_or_default(),
            traffic,
            service: Some(self.attendant.attend(service)),
        }
    }

    /// Ends all traffic. Networks that are still in use have none from then on.
    pub(crate) async fn stop(&self) {
        self.attendant.stop().await;
    }
}

/// Why functions with egress have none here: usually a machine without `/dev/net/tun`.
///
/// # Blocking
/// For a millisecond: a device is made, to see that it can.
pub(crate) fn no_way_out() -> Option<String> {
    let made = maker::try_out(layout(None, Egress::Internet));
    made.err().map(|error| error.to_string())
}

fn layout(api: Option<SocketAddr>, egress: Egress) -> Layout {
    Layout {
        ports: ports(api),
        device: match egress {
            Egress::Internet => Some(world::ipv6()),
            Egress::None => None,
        },
    }
}

/// The Runtime API's, then the API endpoint's.
fn ports(api: Option<SocketAddr>) -> Vec<u16> {
    let api = api.map(|address| address.port());
    let runtime_api = RUNTIME_API + u16::from(api == Some(RUNTIME_API));
    std::iter::once(runtime_api).chain(api).collect()
}

async fn serve_api(endpoint: Option<(std::net::TcpListener, SocketAddr)>) {
    let Some((listener, node)) = endpoint else { return };
    match TcpListener::from_std(listener) {
        Ok(listener) => endpoint::serve(listener, node).await,
        Err(error) => tracing::error!(%error, "an instance cannot reach the node"),
    }
}

async fn carry(device: Option<Device>, world: Arc<World>, traffic: Arc<Traffic>) {
    let Some(device) = device else { return };
    if let Err(error) = egress::serve(device, world, traffic).await {
        tracing::error!(%error, "an instance has lost its way out");
    }
}

/// The network of one instance. Dropped, nothing of it is left but the function's own sockets.
#[derive(Debug)]
pub(crate) struct InstanceNetwork {
    dialer: Dialer,
    runtime_api: Option<std::net::TcpListener>,
    resolv_conf: String,
    traffic: Arc<Traffic>,
    /// What runs on the attendant's thread for it.
    service: Option<DropGuard>,
}

impl InstanceNetwork {
    /// The namespace, to be joined by setns.
    pub(crate) fn namespace(&self) -> BorrowedFd<'_> {
        self.dialer.namespace.as_fd()
    }

    /// The listener inside the namespace for the Runtime API. There is one.
    ///
    /// # Errors
    /// When it was taken before.
    pub(crate) fn runtime_api(&mut self) -> io::Result<TcpListener> {
        let listener = self.runtime_api.take();
        TcpListener::from_std(listener.ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse))?)
    }

    /// Nobody can be reached from it any more, the node's API endpoint included.
    pub(crate) fn cut_off(&mut self) {
        drop(self.service.take());
    }

    /// The way to what the instance's processes listen on.
    pub(crate) fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    /// What `/etc/resolv.conf` has to say inside; nothing without egress.
    pub(crate) fn resolv_conf(&self) -> &str {
        &self.resolv_conf
    }

    /// What has passed the way out.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }
}
