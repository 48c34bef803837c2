//! The thread that makes namespaces, and the few it keeps ready.

use std::io;
use std::thread;

use tokio::sync::{Mutex, mpsc};

use super::link;
use super::namespace::{self, Layout, Namespace};

/// Makes a namespace and forgets it: whether it can be made is all that is to be known.
///
/// # Blocking
/// For a millisecond.
pub(super) fn try_out(layout: Layout) -> io::Result<()> {
    let made = thread::Builder::new().spawn(move || namespace::make(&layout).map(drop))?;
    let panicked = |_panic| io::Error::other("the thread that makes a network namespace panicked");
    made.join().map_err(panicked)?
}

/// Namespaces of one layout that wait for their instance.
#[derive(Debug)]
pub(super) struct Maker {
    /// An async mutex, because takers wait in it for their turn, in the order they came.
    ready: Mutex<mpsc::Receiver<io::Result<Namespace>>>,
    kept: usize,
}

impl Maker {
    /// Starts the thread, which ends with the maker and is in nobody's way. It makes the first namespace at once and the next
    /// whenever fewer than `kept` are ready.
    pub(super) fn start(layout: Layout, kept: usize) -> io::Result<Self> {
        let (sender, ready) = mpsc::channel(kept);
        let make_on = move || {
            if let Err(error) = link::stand_back() {
                tracing::debug!(%error, "cannot lower a thread's priority");
            }
            // each namespace takes the thread into it; the thread has no business in any of them
            while sender.blocking_send(namespace::make(&layout)).is_ok() {}
        };
        thread::Builder::new()
            .name("tradewind-netns".into())
            .spawn(make_on)?;
        Ok(Self {
            ready: Mutex::new(ready),
            kept,
        })
    }

    /// A namespace that nobody else has had.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn take(&self) -> io::Result<Namespace> {
        let mut ready = self.ready.lock().await;
        let mut error = None;
        // what failed a while ago says nothing of now: the last of these is new
        for _ in 0..=self.kept + 1 {
            match ready.recv().await {
                Some(Ok(namespace)) => return Ok(namespace),
                Some(Err(failed)) => error = Some(failed),
                None => break,
            }
        }
        Err(error.unwrap_or_else(|| io::Error::other("the thread that makes network namespaces has ended")))
    }
}
