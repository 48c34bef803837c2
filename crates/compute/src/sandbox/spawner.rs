//! The one thread that starts processes.
//!
//! Starting a process blocks for about a millisecond, which is no work for the runtime's threads,
//! and the parent-death signal fires when the *thread* that started the child ends. So one thread
//! does it for the engine's whole life. When it ends, however it ends, so do all instances.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::process::{self, Process};
use super::{CHANNEL_FDS, SpawnPlan};

/// Starts that may wait for the thread; more wait for a place.
const QUEUE: usize = 64;

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// The kernel would not start it, or its folder cannot be made.
    #[error("{source}")]
    Io {
        /// Why.
        #[from]
        source: io::Error,
    },
    /// The engine shuts down.
    #[error("the engine is shutting down")]
    Stopped,
}

type Request = (SpawnPlan, oneshot::Sender<io::Result<Process>>);

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct Spawner(Mutex<Option<Running>>);

#[derive(Debug)]
struct Running {
    requests: mpsc::Sender<Request>,
    thread: JoinHandle<()>,
}

impl Spawner {
    /// Starts the thread. Processes belong to the runtime behind `handle`.
    pub(crate) fn start(handle: Handle) -> io::Result<Self> {
        let (requests, mut waiting) = mpsc::channel::<Request>(QUEUE);
        let run = move || {
            let _reserved = reserve_low_descriptors();
            while let Some((plan, reply)) = waiting.blocking_recv() {
                let _inside = handle.enter();
                // nobody waits any more: the process, if there is one, is killed by its drop
                drop(reply.send(start_one(plan)));
            }
        };
        let thread = std::thread::Builder::new()
            .name("tradewind-spawn".into())
            .spawn(run)?;
        Ok(Self(Mutex::new(Some(Running { requests, thread }))))
    }

    /// Starts a process.
    pub(crate) async fn spawn(&self, plan: SpawnPlan) -> Result<Process, SpawnError> {
        let requests = self.running().as_ref().map(|running| running.requests.clone());
        let requests = requests.ok_or(SpawnError::Stopped)?;
        let (reply, started) = oneshot::channel();
        requests
            .send((plan, reply))
            .await
            .map_err(|_closed| SpawnError::Stopped)?;
        Ok(started.await.map_err(|_closed| SpawnError::Stopped)??)
    }

    /// Ends the thread, and with it whatever it started. Waits until it has ended.
    pub(crate) async fn stop(&self) {
        let Some(running) = self.running().take() else {
            return;
        };
        drop(running.requests);
        let joined = tokio::task::spawn_blocking(move || running.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the thread that starts instances panicked");
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start_one(plan: SpawnPlan) -> io::Result<Process> {
    let tmp_dir = &plan.folders.tmp;
    fs::create_dir_all(tmp_dir).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot create `{}`: {error}", tmp_dir.display()),
        )
    })?;
    let process = process::spawn(plan)?;
    prefer_for_oom(process.id());
    Ok(process)
}

/// When the machine runs out of memory, a function goes before the node does.
fn prefer_for_oom(id: u32) {
    let path = format!("/proc/{id}/oom_score_adj");
    if Path::new(&path).exists()
        && let Err(error) = fs::write(path, "500")
    {
        tracing::debug!(%error, "cannot set the instance's oom score");
    }
}

/// Keeps the descriptors up to the last of [`CHANNEL_FDS`] in use, so that none that matters gets such a number
/// and is overwritten in the child: least of all the pipe on which `exec` reports its failure.
fn reserve_low_descriptors() -> Vec<File> {
    let [_, last] = CHANNEL_FDS;
    let mut reserved = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        if file.as_raw_fd() > last {
            break;
        }
        reserved.push(file);
    }
    reserved
}
