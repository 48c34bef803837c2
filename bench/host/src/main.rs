//! The bare host: an HTTP server in front of N instances of one function, and nothing else.
//!
//! It is what Tradewind is measured against (`cargo xtask bench warm`): the same libraries, the same
//! event, the same answer, but no names, routes, limits, deadlines, logs, metrics, isolation or
//! scaling. The difference between the two is what those features cost together.
//!
//! One thread serves everything: a second one brings nothing when the functions need the cores.

#![expect(
    clippy::print_stderr,
    reason = "a benchmark's peer has nowhere else to say why it ends"
)]

mod gateway;
mod instance;
mod runtime_api;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

use gateway::Gateway;

/// A function host without any features.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// How many instances to run
    #[arg(long, default_value_t = 2)]
    pub(crate) instances: usize,
    /// How they get their events
    #[arg(long, value_enum)]
    pub(crate) channel: ChannelKind,
    /// What an instance runs
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

/// How an instance gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChannelKind {
    /// A socket at descriptor 0, on which each message is a `u32` length and JSON
    Socket,
    /// The same messages on two pipes: in at descriptor 0, out at 1
    Pipes,
    /// Lambda's Runtime API over HTTP
    RuntimeApi,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(serve(&arguments)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until it is told to end; the instances end with it.
async fn serve(arguments: &Arguments) -> Result<()> {
    let tasks = TaskTracker::new();
    let gateway = Arc::new(Gateway::start(arguments, &tasks).await?);
    let listener = TcpListener::bind(arguments.listen).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _peer) = accepted?;
                tasks.spawn(connection(stream, gateway.clone()));
            }
            _signal = terminate.recv() => return Ok(()),
        }
    }
}

async fn connection(stream: TcpStream, gateway: Arc<Gateway>) {
    let answer = service_fn(|request| gateway.answer(request));
    // the load ends by hanging up, and what fails shows at the client: neither is worth a line here
    if stream.set_nodelay(true).is_ok() {
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        drop(connection.await);
    }
}
