//! Connections from the node to a function's own listeners.
//!
//! A socket belongs to the namespace it was made in, whoever connects it. So one thread goes from
//! namespace to namespace and makes sockets; connecting them is the runtime's.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as Unconnected};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::link;

/// Sockets that may wait to be made; more wait for a place.
const QUEUE: usize = 64;

type Request = (Arc<OwnedFd>, oneshot::Sender<io::Result<Unconnected>>);

/// The way to the thread, which ends with the last of these.
#[derive(Clone, Debug)]
pub(super) struct Door(mpsc::Sender<Request>);

impl Door {
    pub(super) fn start() -> io::Result<Self> {
        let (requests, mut waiting) = mpsc::channel::<Request>(QUEUE);
        let serve = move || {
            while let Some((namespace, reply)) = waiting.blocking_recv() {
                let made = link::enter(namespace.as_fd()).and_then(|()| link::tcp_socket());
                // nobody waits any more: the socket is closed
                drop(reply.send(made));
            }
        };
        thread::Builder::new()
            .name("tradewind-door".into())
            .spawn(serve)?;
        Ok(Self(requests))
    }

    async fn socket(&self, namespace: &Arc<OwnedFd>) -> io::Result<TcpSocket> {
        let ended = || io::Error::other("the thread that enters network namespaces has ended");
        let (reply, made) = oneshot::channel();
        let request = (Arc::clone(namespace), reply);
        self.0.send(request).await.map_err(|_closed| ended())?;
        let socket = made.await.map_err(|_closed| ended())??;
        Ok(TcpSocket::from_std_stream(socket))
    }
}

/// Connects to what an instance's processes listen on.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    pub(super) namespace: Arc<OwnedFd>,
    pub(super) door: Door,
}

impl Dialer {
    /// A connection to a port of the instance's loopback interface.
    ///
    /// # Errors
    /// When nothing listens there.
    ///
    /// # Cancel safety
    /// What was begun is undone when the future is dropped.
    pub(crate) async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let socket = self.door.socket(&self.namespace).await?;
        socket
            .connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await
    }
}
