//! An input that never returns is printed, too: the process ends with it.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After so long it will not return.
const LIMIT: Duration = Duration::from_secs(60);

type Running = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

/// A thread that looks at what is being tried; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    running: Running,
    _ends: SyncSender<()>,
}

impl Watch {
    pub(crate) fn start() -> Self {
        let running = Running::default();
        let (ends, ended) = sync_channel::<()>(0);
        let seen = Arc::clone(&running);
        std::thread::spawn(move || {
            while ended.recv_timeout(Duration::from_secs(5)) == Err(RecvTimeoutError::Timeout) {
                end_if_stuck(&seen);
            }
        });
        Self { running, _ends: ends }
    }

    pub(crate) fn begin(&self, input: &[u8]) -> Instant {
        let now = Instant::now();
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, input.to_vec()));
        now
    }

    pub(crate) fn end(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn end_if_stuck(running: &Running) {
    let running = running.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((begun, input)) = &*running
        && begun.elapsed() > LIMIT
    {
        println!("the parser does not return from \"{}\"", input.escape_ascii());
        std::process::abort();
    }
}
