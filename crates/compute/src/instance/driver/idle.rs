//! An instance between two invocations.

use std::future::poll_fn;
use std::task::{Poll, ready};

use tokio::time::Instant;

use super::{Instance, Wake};
use crate::channel::ChannelEvent;
use crate::failure::ExitReason;
use crate::pool::Job;

impl Instance {
    /// Waits for a job. None when the pool has let the instance go, or it is gone.
    pub(super) async fn idle(&mut self) -> Option<Box<Job>> {
        self.deadline = Some(Instant::now() + self.freezes_after());
        let job = poll_fn(|cx| {
            loop {
                if let Poll::Ready(job) = self.jobs.poll_recv(cx) {
                    return Poll::Ready(job);
                }
                match ready!(self.poll_wake(cx)) {
                    Wake::Deadline => {
                        self.deadline = None;
                        self.freeze();
                    }
                    wake => {
                        self.note_idle_end(&wake);
                        return Poll::Ready(None);
                    }
                }
            }
        })
        .await;
        self.thaw();
        job
    }

    /// An idle instance that ends, or says what nobody asked, is not fit for the next event.
    fn note_idle_end(&mut self, wake: &Wake) {
        self.journal.end_line();
        let sentence = match wake {
            Wake::Exited(status) => ExitReason::from(*status).sentence(),
            Wake::Channel(ChannelEvent::Fault(failure)) => failure.sentence(),
            Wake::Channel(_) | Wake::Ahead(_) | Wake::AheadStuck | Wake::Deadline | Wake::Killed => return,
        };
        self.journal.complain(format!("{sentence} (between invocations)"));
    }
}
