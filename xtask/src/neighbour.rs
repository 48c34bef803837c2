//! The neighbour: a well-behaved function that is called one at a time while others misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::node::{Function, Node, invocations};

/// Its name on the node.
const NAME: &str = "neighbour";
/// Between an answer and the next call.
const PAUSE: Duration = Duration::from_millis(2);
const HANDLER: &str = "exports.handler = async (event) => ({ got: event });";

/// Calls that go on until they are stopped.
#[derive(Debug)]
pub(crate) struct Neighbour {
    stop: Arc<AtomicBool>,
    caller: JoinHandle<Result<Vec<Call>>>,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) begun: Instant,
    pub(crate) took_ms: f64,
}

impl Neighbour {
    /// Creates the function, and calls it until it is warm.
    pub(crate) fn settle(node: &Node) -> Result<()> {
        node.create(NAME, &Function::of_file("nodejs20.x", "handler.js", HANDLER)?)?;
        for _ in 0..200 {
            node.invoke(NAME, "{}")?;
        }
        Ok(())
    }

    /// Begins to call. A call that fails ends the watch, and the measurement with it.
    pub(crate) fn watch(node: &Node) -> Result<Self> {
        let mut client = node.server.client()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let caller = std::thread::spawn(move || {
            let mut calls = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let begun = Instant::now();
                client
                    .send("POST", &invocations(NAME), b"{\"n\":1}")?
                    .success("the neighbour's call")?;
                calls.push(Call {
                    begun,
                    took_ms: begun.elapsed().as_secs_f64() * 1000.0,
                });
                std::thread::sleep(PAUSE);
            }
            Ok(calls)
        });
        Ok(Self { stop, caller })
    }

    /// Ends the calls and gives all of them.
    pub(crate) fn stop(self) -> Result<Vec<Call>> {
        self.stop.store(true, Ordering::Relaxed);
        self.caller
            .join()
            .map_err(|_panic| anyhow!("the neighbour's caller panicked"))?
    }

    /// What its calls take for so long, in ms.
    pub(crate) fn calls_for(node: &Node, period: Duration) -> Result<Vec<f64>> {
        let watch = Self::watch(node)?;
        std::thread::sleep(period);
        Ok(watch.stop()?.iter().map(|call| call.took_ms).collect())
    }
}
