//! The node's API endpoint, as it stands on a function's own loopback interface.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::relay::{Traffic, relay, reset};

/// Connections an instance may have to the endpoint; more wait in the kernel.
const MAX_CONNECTIONS: usize = 256;
/// How long to wait when the node has no descriptor left.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes connections and passes them on to the node's own listener, until it is dropped.
pub(super) async fn serve(listener: TcpListener, node: SocketAddr) {
    let traffic = Arc::new(Traffic::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((function, _peer)) => {
                    connections.spawn(pass_on(function, node, Arc::clone(&traffic)));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a function's connection to the node");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a function's connection to the node ended badly");
                }
            }
        }
    }
}

async fn pass_on(function: TcpStream, node: SocketAddr, traffic: Arc<Traffic>) {
    match TcpStream::connect(node).await {
        Ok(stream) => relay(function, stream, &traffic).await,
        Err(error) => {
            tracing::debug!(%error, %node, "the node's own endpoint takes no connection");
            reset(&function);
        }
    }
}
