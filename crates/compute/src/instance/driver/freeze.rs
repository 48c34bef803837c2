//! Idle instances get no processor: what a function leaves running stands still until its next invocation,
//! as on Lambda.
//!
//! An instance is frozen when it has been idle for a moment, never between invocations that follow each
//! other, so the warm path makes no system call for it. A managed runtime waits in a blocking read
//! anyway: only what other threads and children do goes on for that moment. A runtime of the user's own
//! may do anything, and is frozen sooner.

use std::time::Duration;

use super::Instance;

/// How long a managed runtime is idle before it is frozen.
const MANAGED: Duration = Duration::from_millis(100);
/// How long a runtime of the user's own is.
const OWN: Duration = Duration::from_millis(5);

impl Instance {
    /// How long it is idle before it is frozen.
    pub(super) fn freezes_after(&self) -> Duration {
        if self.channel.announces_readiness() {
            OWN
        } else {
            MANAGED
        }
    }

    pub(super) fn freeze(&mut self) {
        match self.process.freeze() {
            Ok(()) => self.frozen = true,
            Err(error) => {
                tracing::debug!(function = %self.pool.spec.arn, %error, "cannot freeze an idle instance");
            }
        }
    }

    /// Lets it run again. One that cannot be thawed answers nothing and ends at its timeout.
    pub(super) fn thaw(&mut self) {
        if !std::mem::take(&mut self.frozen) {
            return;
        }
        if let Err(error) = self.process.thaw() {
            tracing::warn!(function = %self.pool.spec.arn, %error, "cannot thaw an instance");
        }
    }
}
