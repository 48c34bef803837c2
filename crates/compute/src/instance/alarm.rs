//! A timer that is cheap to move: invocations set a deadline each and hardly ever reach it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// When a timer with nothing to do looks again.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// One timer of the runtime. It may ring early, sees that it is too early, and sleeps on; so a
/// deadline that moves back costs nothing.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep(FAR)),
        }
    }

    /// Ready once `at` has come; never when there is none.
    pub(crate) fn poll(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(at) = at
            && at < self.sleep.deadline()
        {
            self.sleep.as_mut().reset(at);
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match at {
                Some(at) if at <= now => return Poll::Ready(()),
                Some(at) => self.sleep.as_mut().reset(at),
                None => self.sleep.as_mut().reset(now + FAR),
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn poll_once(alarm: &mut Alarm, at: Option<Instant>) -> Poll<()> {
        poll_fn(|cx| Poll::Ready(alarm.poll(at, cx))).await
    }

    #[tokio::test]
    async fn it_rings_at_the_time_wanted_last() {
        let mut alarm = Alarm::new();
        let start = Instant::now();
        let (early, late) = (
            start + Duration::from_millis(1),
            start + Duration::from_millis(30),
        );
        assert!(
            poll_once(&mut alarm, Some(start + Duration::from_secs(60)))
                .await
                .is_pending()
        );
        assert!(poll_once(&mut alarm, Some(early)).await.is_pending() || Instant::now() >= early);
        poll_fn(|cx| alarm.poll(Some(late), cx)).await;
        assert!(Instant::now() >= late);
        poll_fn(|cx| alarm.poll(Some(late), cx)).await;
    }

    #[tokio::test]
    async fn without_a_time_it_does_not_ring() {
        let mut alarm = Alarm::new();
        let at = Instant::now();
        poll_fn(|cx| alarm.poll(Some(at), cx)).await;
        assert!(poll_once(&mut alarm, None).await.is_pending());
    }
}
