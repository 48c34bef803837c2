//! Live tails: what is appended, as it is appended, to those who watch.
//!
//! Each tail has a buffer of its own, bounded by count and by bytes. Whoever falls behind loses the
//! oldest events and is told how many; nobody slows the writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::LogEvent;

const MAX_EVENTS: usize = 8_192;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What a tail sees next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TailItem {
    /// An event.
    Event(Arc<LogEvent>),
    /// The watcher was too slow: so many events, older than the next one, are gone.
    Skipped(u64),
}

/// A live view of all that is appended after it was made.
#[derive(Debug)]
pub struct LogTail(Arc<Shared>);

impl LogTail {
    /// The next event; `None` once the store is shut down and all was seen.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is taken unless it is returned.
    pub async fn next(&mut self) -> Option<TailItem> {
        loop {
            let notified = self.0.arrived.notified();
            let closed = self.0.closed.load(Ordering::Acquire);
            if let Some(item) = self.0.lock().take() {
                return Some(item);
            }
            if closed {
                return None;
            }
            notified.await;
        }
    }
}

impl Drop for LogTail {
    fn drop(&mut self) {
        self.0.abandoned.store(true, Ordering::Release);
        *self.0.lock() = Buffer::default();
    }
}

#[derive(Debug, Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    arrived: Notify,
    closed: AtomicBool,
    abandoned: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Buffer {
    events: VecDeque<Arc<LogEvent>>,
    bytes: usize,
    skipped: u64,
}

impl Buffer {
    fn push(&mut self, event: Arc<LogEvent>) {
        self.bytes += event.weight();
        self.events.push_back(event);
        while self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            if self.pop().is_none() {
                return;
            }
            self.skipped += 1;
        }
    }

    fn pop(&mut self) -> Option<Arc<LogEvent>> {
        let event = self.events.pop_front()?;
        self.bytes -= event.weight();
        Some(event)
    }

    fn take(&mut self) -> Option<TailItem> {
        match std::mem::take(&mut self.skipped) {
            0 => self.pop().map(TailItem::Event),
            skipped => Some(TailItem::Skipped(skipped)),
        }
    }
}

/// All tails of a store.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    tails: Vec<Arc<Shared>>,
    closed: bool,
}

impl Tails {
    pub(crate) fn subscribe(&self) -> LogTail {
        let shared = Arc::new(Shared::default());
        let mut list = self.lock();
        if list.closed {
            shared.closed.store(true, Ordering::Release);
        } else {
            list.tails.push(Arc::clone(&shared));
        }
        LogTail(shared)
    }

    /// True when somebody watches; forgets those who stopped.
    pub(crate) fn is_watched(&self) -> bool {
        let mut list = self.lock();
        list.tails.retain(|tail| !tail.abandoned.load(Ordering::Acquire));
        !list.tails.is_empty()
    }

    pub(crate) fn publish(&self, events: &[Arc<LogEvent>]) {
        for tail in &self.lock().tails {
            let mut buffer = tail.lock();
            events.iter().for_each(|event| buffer.push(Arc::clone(event)));
            drop(buffer);
            tail.arrived.notify_one();
        }
    }

    /// Ends every tail, now and in future.
    pub(crate) fn close(&self) {
        let mut list = self.lock();
        list.closed = true;
        for tail in list.tails.drain(..) {
            tail.closed.store(true, Ordering::Release);
            tail.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogKind;
    use tradewind_model::Timestamp;

    fn event(message: String) -> Arc<LogEvent> {
        Arc::new(LogEvent {
            group: "g".into(),
            stream: "s".into(),
            timestamp: Timestamp::from_millis(0),
            request_id: None,
            kind: LogKind::Line,
            message: message.into(),
        })
    }

    fn numbered(range: std::ops::Range<usize>) -> Vec<Arc<LogEvent>> {
        range.map(|n| event(n.to_string())).collect()
    }

    #[tokio::test]
    async fn a_tail_sees_what_comes_after_it_in_order() {
        let tails = Tails::default();
        assert!(!tails.is_watched());
        tails.publish(&numbered(0..1));
        let mut tail = tails.subscribe();
        assert!(tails.is_watched());
        let events = numbered(1..3);
        tails.publish(&events);
        for event in events {
            assert_eq!(tail.next().await, Some(TailItem::Event(event)));
        }
    }

    #[tokio::test]
    async fn a_slow_tail_is_told_how_many_it_missed() {
        let tails = Tails::default();
        let mut tail = tails.subscribe();
        tails.publish(&numbered(0..MAX_EVENTS + 5));
        assert_eq!(tail.next().await, Some(TailItem::Skipped(5)));
        assert_eq!(tail.next().await, Some(TailItem::Event(event("5".into()))));
    }

    #[tokio::test]
    async fn a_slow_tail_is_bounded_in_bytes_too() {
        let tails = Tails::default();
        let mut tail = tails.subscribe();
        let big = event("x".repeat(MAX_BYTES / 4));
        tails.publish(&vec![big; 6]);
        assert_eq!(tail.next().await, Some(TailItem::Skipped(3)));
    }

    #[tokio::test]
    async fn a_closed_store_ends_its_tails_after_the_last_event() {
        let tails = Tails::default();
        let mut tail = tails.subscribe();
        tails.publish(&numbered(0..1));
        tails.close();
        assert!(matches!(tail.next().await, Some(TailItem::Event(_))));
        assert_eq!(tail.next().await, None);
        assert_eq!(tails.subscribe().next().await, None);
    }

    #[test]
    fn a_dropped_tail_is_forgotten() {
        let tails = Tails::default();
        drop(tails.subscribe());
        assert!(!tails.is_watched());
    }
}
