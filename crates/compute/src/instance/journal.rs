//! The log of one instance: its lines are gathered and appended together.
//!
//! A short invocation costs one append, at its end. A longer one is flushed after a tenth of a
//! second, or after 64 KB, so that a tail is live. When the log store cannot take more, the journal
//! is blocked, and the driver stops reading the function's output: back-pressure ends at the
//! function, not in memory.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tradewind_model::{Clock, Timestamp};
use tradewind_observe::{LogEvent, LogKind, LogStore};

use super::lines::Lines;
use super::platform::{PlatformEvent, level_of};
use crate::channel::MAX_EXTENSIONS;
use crate::spec::{LogFormat, LoggingConfig};

/// How long a line may wait for others.
const LINGER: Duration = Duration::from_millis(100);
/// How much may wait.
const MAX_PENDING_BYTES: usize = 64 * 1024;
/// What an event takes besides its text: many empty lines are much, too.
const EVENT_BYTES: usize = 96;
/// `X-Amz-Log-Result` holds so much.
const TAIL_BYTES: usize = 4 * 1024;
/// Lines of an initialisation that are kept to explain its failure.
const INIT_LINES: usize = 50;

type Append = Pin<Box<dyn Future<Output = ()> + Send>>;

/// See the module.
pub(crate) struct Journal {
    logs: LogStore,
    clock: Clock,
    group: Arc<str>,
    stream: Arc<str>,
    logging: LoggingConfig,
    /// The invocation that runs.
    request: Option<Arc<str>>,
    /// What the shell says when an external extension has ended, before its name and status.
    extension_mark: Option<Box<str>>,
    extension_exits: Vec<(String, i32)>,
    /// When that was said to start.
    started: Timestamp,
    /// Whether it has printed anything.
    printed: bool,
    lines: Lines,
    pending: Vec<LogEvent>,
    pending_bytes: usize,
    pending_since: Option<Instant>,
    /// An append that the store has no room for yet.
    blocked: Option<Append>,
    /// The end of the invocation's log, when its caller asked for it.
    tail: Option<Vec<u8>>,
    /// The lines of the initialisation, while it lasts.
    init_lines: Option<Vec<String>>,
}

impl Journal {
    pub(crate) fn new(
        logs: LogStore,
        clock: Clock,
        logging: LoggingConfig,
        group: Arc<str>,
        stream: Arc<str>,
    ) -> Self {
        Self {
            logs,
            clock,
            group,
            stream,
            logging,
            request: None,
            extension_mark: None,
            extension_exits: Vec::new(),
            started: Timestamp::from_millis(0),
            printed: false,
            lines: Lines::default(),
            pending: Vec::new(),
            pending_bytes: 0,
            pending_since: None,
            blocked: None,
            tail: None,
            init_lines: Some(Vec::new()),
        }
    }

    /// The name of the instance's log stream.
    pub(crate) fn stream(&self) -> Arc<str> {
        Arc::clone(&self.stream)
    }

    /// The lines that follow belong to this invocation.
    pub(crate) fn begin(&mut self, request: &Arc<str>, log_tail: bool) {
        self.init_lines = None;
        self.request = Some(Arc::clone(request));
        self.printed = false;
        self.tail = log_tail.then(Vec::new);
    }

    /// Whether the invocation has printed anything.
    pub(crate) fn printed(&self) -> bool {
        self.printed
    }

    /// The invocation is over.
    pub(crate) fn end(&mut self) {
        self.request = None;
    }

    /// An invocation that did not reach the function was never here.
    pub(crate) fn forget(&mut self) {
        if let Some(request) = self.request.take() {
            self.pending
                .retain(|event| event.request_id.as_ref() != Some(&request));
        }
    }

    /// What the function printed.
    pub(crate) fn output(&mut self, bytes: &[u8]) {
        self.printed = true;
        let mut lines = std::mem::take(&mut self.lines);
        lines.feed(bytes, |line| self.line(line.into_owned()));
        self.lines = lines;
        if self.pending_bytes >= MAX_PENDING_BYTES {
            self.flush();
        }
    }

    /// What it printed last was a line, with or without a newline.
    pub(crate) fn end_line(&mut self) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.flush(|line| self.line(line.into_owned()));
        self.lines = lines;
    }

    /// From now on lines with this mark are not the function's: they tell of ends of extensions.
    pub(crate) fn watch_extensions(&mut self, mark: Option<Box<str>>) {
        self.extension_mark = mark;
    }

    /// An external extension that ended, and its exit status.
    pub(crate) fn take_extension_exit(&mut self) -> Option<(String, i32)> {
        self.extension_exits.pop()
    }

    /// A line of the function, if its level is logged.
    fn line(&mut self, line: String) {
        if let Some(mark) = &self.extension_mark
            && let Some((before, exit)) = line.split_once(&**mark)
        {
            let (status, name) = exit.trim().split_once(' ').unwrap_or_default();
            let exit = (name.to_owned(), status.parse().unwrap_or_default());
            let before = before.to_owned();
            // no more than there are extensions
            if self.extension_exits.len() < MAX_EXTENSIONS {
                self.extension_exits.push(exit);
            }
            if !before.is_empty() {
                self.line(before);
            }
            return;
        }
        let least = self.logging.application_level;
        let dropped =
            self.logging.format == LogFormat::Json && level_of(&line).is_some_and(|level| level < least);
        if !dropped {
            self.say(LogKind::Line, line);
        }
    }

    /// An event of the platform, in the log's form, if its level is logged.
    pub(crate) fn platform(&mut self, event: &PlatformEvent<'_>) {
        let now = self.clock.now();
        if matches!(event, PlatformEvent::Start { .. }) {
            self.started = now;
        }
        let line = match self.logging.format {
            LogFormat::Text => event.text(),
            LogFormat::Json if event.level() >= self.logging.system_level => {
                Some(event.json(&now.to_rfc3339()))
            }
            LogFormat::Json => None,
        };
        if let Some((kind, line)) = line {
            self.say_at(now, kind, line);
        }
    }

    /// A complaint of the platform about the function.
    pub(crate) fn complain(&mut self, complaint: String) {
        let complaint = match self.logging.format {
            LogFormat::Text => complaint,
            LogFormat::Json => serde_json::json!({
                "timestamp": self.now(),
                "level": "ERROR",
                "requestId": self.request.as_deref(),
                "message": complaint,
            })
            .to_string(),
        };
        self.say(LogKind::Platform, complaint);
    }

    /// A line of its own.
    fn say(&mut self, kind: LogKind, message: String) {
        self.say_at(self.clock.now(), kind, message);
    }

    fn say_at(&mut self, timestamp: Timestamp, kind: LogKind, message: String) {
        if let Some(tail) = &mut self.tail {
            push_tail(tail, &message);
        }
        if let Some(lines) = &mut self.init_lines
            && kind == LogKind::Line
        {
            push_bounded(lines, &message);
        }
        self.pending_bytes += message.len() + EVENT_BYTES;
        self.pending_since.get_or_insert_with(Instant::now);
        self.pending.push(LogEvent {
            group: Arc::clone(&self.group),
            stream: Arc::clone(&self.stream),
            timestamp,
            request_id: self.request.clone(),
            kind,
            message: message.into_boxed_str(),
        });
    }

    /// When the last invocation started.
    pub(crate) fn started(&self) -> Timestamp {
        self.started
    }

    /// The time, as log lines print it.
    pub(crate) fn now(&self) -> String {
        self.clock.now().to_rfc3339()
    }

    /// The last 4 KB of the invocation's log.
    pub(crate) fn take_tail(&mut self) -> Option<Vec<u8>> {
        let mut tail = self.tail.take()?;
        let surplus = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..surplus);
        Some(tail)
    }

    /// What the initialisation printed.
    pub(crate) fn take_init_lines(&mut self) -> Vec<String> {
        self.init_lines.take().unwrap_or_default()
    }

    /// When what waits must go.
    pub(crate) fn flush_at(&self) -> Option<Instant> {
        if self.blocked.is_some() {
            return None;
        }
        Some(self.pending_since? + LINGER)
    }

    /// Hands what waits to the store, or blocks until it has room.
    pub(crate) fn flush(&mut self) {
        if self.pending.is_empty() || self.blocked.is_some() {
            return;
        }
        let events = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        self.pending_since = None;
        if let Err(events) = self.logs.try_append(events) {
            let logs = self.logs.clone();
            self.blocked = Some(Box::pin(async move { logs.append(events).await }));
        }
    }

    /// Pending while the store has no room.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(append) = &mut self.blocked {
            std::task::ready!(append.as_mut().poll(cx));
            self.blocked = None;
            self.flush();
        }
        Poll::Ready(())
    }

    /// Everything is in the store.
    pub(crate) async fn settle(&mut self) {
        self.flush();
        std::future::poll_fn(|cx| self.poll_room(cx)).await;
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("stream", &self.stream)
            .field("request", &self.request)
            .field("pending", &self.pending.len())
            .field("blocked", &self.blocked.is_some())
            .finish_non_exhaustive()
    }
}

fn push_tail(tail: &mut Vec<u8>, message: &str) {
    tail.extend_from_slice(message.as_bytes());
    tail.push(b'\n');
    // now and then, not for each line
    if tail.len() > 4 * TAIL_BYTES {
        let surplus = tail.len() - TAIL_BYTES;
        tail.drain(..surplus);
    }
}

fn push_bounded(lines: &mut Vec<String>, message: &str) {
    if lines.len() == INIT_LINES {
        lines.remove(0);
    }
    lines.push(message.to_owned());
}

#[cfg(test)]
mod tests {
    use tradewind_observe::{LogOptions, LogQuery};

    use super::*;

    fn store(options: LogOptions) -> (tempfile::TempDir, LogStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = LogStore::open(dir.path().join("logs"), Clock::system(), options).unwrap();
        (dir, store)
    }

    fn journal(logs: &LogStore) -> Journal {
        let logging = LoggingConfig::default();
        Journal::new(logs.clone(), Clock::system(), logging, "/g".into(), "s".into())
    }

    async fn messages(logs: &LogStore) -> Vec<String> {
        let query = LogQuery {
            groups: vec!["/g".into()],
            limit: 10_000,
            ..LogQuery::default()
        };
        logs.read(query)
            .await
            .unwrap()
            .into_iter()
            .map(|event| event.message.into())
            .collect()
    }

    #[tokio::test]
    async fn lines_belong_to_the_invocation_that_runs() {
        let (_dir, logs) = store(LogOptions::default());
        let mut journal = journal(&logs);
        journal.output(b"loading\n");
        let id: Arc<str> = "r1".into();
        journal.begin(&id, false);
        journal.output(b"a\nhalf");
        journal.end_line();
        journal.end();
        journal.settle().await;
        let query = LogQuery {
            groups: vec!["/g".into()],
            limit: 10,
            ..LogQuery::default()
        };
        let events = logs.read(query).await.unwrap();
        let seen: Vec<_> = events
            .iter()
            .map(|event| (event.request_id.as_deref(), event.message.as_ref()))
            .collect();
        assert_eq!(seen, [(None, "loading"), (Some("r1"), "a"), (Some("r1"), "half")]);
    }

    #[tokio::test]
    async fn the_tail_is_the_last_four_kilobytes() {
        let (_dir, logs) = store(LogOptions::default());
        let mut journal = journal(&logs);
        journal.begin(&"r1".into(), true);
        for number in 0..10_000 {
            journal.output(format!("line {number}\n").as_bytes());
        }
        let tail = journal.take_tail().unwrap();
        assert_eq!(tail.len(), TAIL_BYTES);
        assert!(tail.ends_with(b"line 9999\n"));
        journal.begin(&"r2".into(), false);
        assert_eq!(journal.take_tail(), None);
    }

    #[tokio::test]
    async fn a_full_store_blocks_and_nothing_is_lost() {
        let options = LogOptions {
            queue_appends: 1,
            queue_bytes: 4 * 1024,
            ..LogOptions::default()
        };
        let (_dir, logs) = store(options);
        let mut journal = journal(&logs);
        let line = "x".repeat(1023) + "\n";
        for _ in 0..2_000 {
            journal.output(line.as_bytes());
            std::future::poll_fn(|cx| journal.poll_room(cx)).await;
        }
        journal.settle().await;
        assert_eq!(messages(&logs).await.len(), 2_000);
    }

    #[tokio::test]
    async fn what_never_ran_leaves_no_line() {
        let (_dir, logs) = store(LogOptions::default());
        let mut journal = journal(&logs);
        journal.begin(&"r1".into(), false);
        journal.say(LogKind::Start, "START".into());
        journal.forget();
        journal.settle().await;
        assert_eq!(messages(&logs).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn the_lines_of_an_initialisation_are_kept_and_bounded() {
        let (_dir, logs) = store(LogOptions::default());
        let mut journal = journal(&logs);
        for number in 0..INIT_LINES + 5 {
            journal.output(format!("{number}\n").as_bytes());
        }
        let lines = journal.take_init_lines();
        assert_eq!((lines.len(), lines[0].as_str()), (INIT_LINES, "5"));
    }
}
