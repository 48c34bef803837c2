//! The thread that carries functions' traffic.
//!
//! A thread of its own, so that a function that floods its network delays other functions' networks at
//! worst, and no invocation.

use std::future::Future;
use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Threads for what blocks: closing a device takes the kernel milliseconds.
const BLOCKING_THREADS: usize = 1;

/// The way to the thread. It ends with this.
#[derive(Debug)]
pub(super) struct Attendant {
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

impl Attendant {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()?;
        let (handle, tasks, stop) = (
            runtime.handle().clone(),
            TaskTracker::new(),
            CancellationToken::new(),
        );
        let (stopped, all) = (stop.clone(), tasks.clone());
        let attend = move || {
            runtime.block_on(async {
                stopped.cancelled().await;
                all.wait().await;
            });
        };
        thread::Builder::new()
            .name("tradewind-net".into())
            .spawn(attend)?;
        Ok(Self {
            runtime: handle,
            tasks,
            _stop_when_dropped: stop.clone().drop_guard(),
            stop,
        })
    }

    /// Runs `service` on the thread until the returned guard is dropped.
    pub(super) fn attend(&self, service: impl Future<Output = ()> + Send + 'static) -> DropGuard {
        let stop = self.stop.child_token();
        let stopped = stop.clone();
        let attended = async move {
            tokio::select! {
                () = service => {}
                () = stopped.cancelled() => {}
            }
        };
        self.tasks.spawn_on(attended, &self.runtime);
        stop.drop_guard()
    }

    /// Ends what runs on the thread, and waits until it has ended.
    pub(super) async fn stop(&self) {
        self.tasks.close();
        self.stop.cancel();
        self.tasks.wait().await;
    }
}
