//! The end of an instance that has extensions, and of its extensions.

use std::future::poll_fn;
use std::task::Poll;

use tokio::time::timeout;

use super::{Instance, Wake};
use crate::channel::ChannelEvent;
use crate::failure::Failure;

impl Instance {
    /// Gives extensions their time to shut down, if there are any.
    pub(super) async fn shut_down(&mut self, reason: &str) {
        let now_ms = self.pool.host.clock.now().as_millis();
        let limit = self.channel.shut_down(reason, now_ms);
        if limit.is_zero() {
            return;
        }
        self.thaw();
        self.deadline = None;
        self.shutting_down = true;
        let done = poll_fn(|cx| {
            while let Poll::Ready(wake) = self.poll_wake(cx) {
                let over = match wake {
                    Wake::Exited(_) | Wake::Killed | Wake::Deadline => true,
                    Wake::Ahead(job) => {
                        self.pool.give_back(job);
                        false
                    }
                    Wake::AheadStuck => true,
                    Wake::Channel(event) => {
                        matches!(event, ChannelEvent::Closed { .. } | ChannelEvent::Broken(_))
                    }
                };
                if over {
                    return Poll::Ready(());
                }
            }
            if self.channel.is_shut_down() {
                return Poll::Ready(());
            }
            Poll::Pending
        });
        if timeout(limit, done).await.is_err() {
            tracing::debug!(function = %self.pool.spec.arn, "extensions did not shut down in time");
        }
    }

    /// The end of an external extension, which the instance does not survive unless it ends itself.
    pub(super) fn extension_exit(&mut self) -> Option<Failure> {
        let (name, status) = self.journal.take_extension_exit()?;
        self.channel.extension_exited(&name);
        (!self.shutting_down).then(|| Failure::Extension {
            error_type: "Extension.Crash",
            message: format!("extension `{name}` exited: exit status {status}"),
        })
    }
}
