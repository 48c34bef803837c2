//! Archives keep the events of a bus, replays give them to it again.
//!
//! An event is archived in the batch that it comes in. A replay reads the archive in the order of the
//! events' times, a page at a time; each page's deliveries and how far the replay is are one transaction.
//!
//! ```text
//! Starting ──▶ Running ──▶ Completed
//!     └───────────┴──cancel──▶ Cancelling ──▶ Cancelled
//! ```
//!
//! # Invariants
//! - A replayed event carries `replay-name` and is not archived again.
//! - A crash neither skips an event of a replay nor replays it twice.
//! - The events of a deleted archive follow it, in small steps; a new archive of its name never sees them.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tradewind_events::pattern::Pattern;
use tradewind_events::{Message, Routing, Trace};
use tradewind_model::Timestamp;
use tradewind_store::Batch;

use crate::error::EventBridgeError;
use crate::model::{EventBus, parse_pattern};
use crate::names::{BusArn, Name};
use crate::receiver::Event;
use crate::registry::Registry;
use crate::service::EventBridgeService;
use crate::tables::{self, ArchivedEvent, Stored};

/// Events that are replayed in one transaction.
const PAGE: i64 = 20;
const DAY_MS: i64 = 86_400_000;
/// Later than any event: 14 digits.
const FOREVER: Timestamp = Timestamp::from_millis(99_999_999_999_999);
/// Replays are forgotten after this time, as on AWS.
const REPLAYS_KEPT_MS: i64 = 90 * DAY_MS;
/// What replayed events carry.
pub(crate) const REPLAY_NAME: &str = "replay-name";

/// An archive as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ArchiveDefinition {
    pub(crate) arn: String,
    pub(crate) name: Name,
    pub(crate) source: BusArn,
    pub(crate) description: Option<String>,
    pub(crate) pattern: Option<String>,
    /// 0: for ever.
    pub(crate) retention_days: i64,
    /// What its events' rows are marked with: nobody else's.
    pub(crate) rows: String,
    pub(crate) created: Option<Timestamp>,
    /// The resource of a stack that made it.
    pub(crate) owner: Option<String>,
}

/// An archive as it is used.
#[derive(Debug)]
pub(crate) struct Archive {
    pub(crate) definition: ArchiveDefinition,
    pattern: Option<Pattern>,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ReplayState {
    Starting,
    Running,
    Cancelling,
    Completed,
    Cancelled,
}

/// A replay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Replay {
    pub(crate) arn: String,
    pub(crate) name: Name,
    pub(crate) description: Option<String>,
    /// The archive's ARN.
    pub(crate) archive: String,
    /// What the archive's rows are marked with.
    pub(crate) rows: String,
    pub(crate) bus: BusArn,
    /// The ARNs of the rules that get the events; if empty, all.
    pub(crate) rules: Vec<String>,
    /// The time of an event is not before this.
    pub(crate) from: Timestamp,
    /// The time of an event is before this.
    pub(crate) until: Timestamp,
    pub(crate) state: ReplayState,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    /// The time of the event that was replayed last.
    pub(crate) last: Option<Timestamp>,
    /// The row that was replayed last.
    pub(crate) after: Option<String>,
}

impl Stored for ArchiveDefinition {
    const KIND: &'static str = "archive";
    fn key(&self) -> String {
        self.arn.clone()
    }
}

impl Stored for Replay {
    const KIND: &'static str = "replay";
    fn key(&self) -> String {
        self.arn.clone()
    }
}

impl Archive {
    pub(crate) fn compile(definition: ArchiveDefinition) -> Result<Self, EventBridgeError> {
        let pattern = definition.pattern.as_deref().map(parse_pattern).transpose()?;
        Ok(Self { definition, pattern })
    }

    fn takes(&self, event: &Value) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(event))
    }
}

impl Replay {
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, ReplayState::Starting | ReplayState::Running)
    }

    /// Whether there is still something to do for it.
    pub(crate) fn is_open(&self) -> bool {
        self.is_running() || self.state == ReplayState::Cancelling
    }

    fn end(mut self, state: ReplayState, now: Timestamp) -> Self {
        self.state = state;
        self.ended = Some(now);
        self
    }
}

/// The event's own time.
fn time_of(event: &Event, now: Timestamp) -> Timestamp {
    let text = event.json.get("time").and_then(Value::as_str);
    let time = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    time.map_or(now, |time| Timestamp::from_millis(time.as_millisecond()))
}

/// Rows of one millisecond stay in the order in which they came.
fn row_id(now: Timestamp) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let unique: String = crate::event::new_id().chars().take(8).collect();
    format!("{:014}-{number:012}-{unique}", now.as_millis())
}

/// The event as a replay gives it.
fn replayed(event: &[u8], name: &Name) -> Bytes {
    let text = String::from_utf8_lossy(event);
    let open = text.trim_end().strip_suffix('}').unwrap_or_default();
    format!(r#"{open},"{REPLAY_NAME}":"{name}"}}"#).into()
}

impl EventBridgeService {
    /// Adds the event to the archives of the bus.
    pub(crate) fn archive_event(&self, routing: &mut Routing, bus: &EventBus, event: &Event) {
        if event.json.get(REPLAY_NAME).is_some() {
            return;
        }
        let now = self.now();
        for archive in self.registry(|registry| registry.archives_of(&bus.arn)) {
            if !archive.takes(&event.json) {
                continue;
            }
            let row = ArchivedEvent {
                id: row_id(now),
                time: time_of(event, now),
                text: event.text.to_vec(),
            };
            routing.add(|batch| tables::archive(batch, &archive.definition.rows, row));
        }
    }

    /// The rules that the event may go to, where a replay names some.
    pub(crate) fn replay_of(&self, bus: &BusArn, event: &Value) -> Option<std::sync::Arc<Replay>> {
        let name = event.get(REPLAY_NAME)?.as_str()?;
        let arn = crate::names::arn(&bus.account, &bus.region, &format!("replay/{name}")).to_string();
        let replay = self.registry(|registry| registry.replay(&arn))?;
        Some(replay).filter(|replay| replay.bus == *bus && !replay.rules.is_empty())
    }

    /// Replays one page of each open replay; false when there is none.
    pub(crate) async fn replay_pages(&self) -> Result<bool, EventBridgeError> {
        let open = self.registry(|registry| registry.running());
        for arn in &open {
            let _changing = self.changing().await;
            if let Some(replay) = self.registry(|registry| registry.replay(arn)) {
                self.replay_page(Replay::clone(&replay)).await?;
            }
        }
        Ok(!open.is_empty())
    }

    async fn replay_page(&self, mut replay: Replay) -> Result<(), EventBridgeError> {
        let now = self.now();
        if replay.state == ReplayState::Cancelling {
            return self
                .store_replay(Batch::new(), replay.end(ReplayState::Cancelled, now))
                .await;
        }
        let after = (
            replay.last.unwrap_or(replay.from),
            replay.after.as_deref().unwrap_or_default(),
        );
        let page = tables::archived_page(self.database(), &replay.rows, after, replay.until, PAGE).await?;
        let Some(last) = page.last() else {
            return self
                .store_replay(Batch::new(), replay.end(ReplayState::Completed, now))
                .await;
        };
        (replay.last, replay.after) = (Some(last.time), Some(last.id.clone()));
        replay.state = ReplayState::Running;
        let mut batch = Batch::new();
        for event in &page {
            let mut routing = Routing::new(batch);
            let message = Message {
                body: replayed(&event.text, &replay.name),
                sender: replay.bus.account.to_string(),
                source: replay.arn.clone(),
                trace: Trace::new(now),
                ..Message::default()
            };
            if let Err(error) = self.router().deliver(&mut routing, &replay.bus.to_arn(), message) {
                tracing::warn!(replay = %replay.arn, %error, "an archived event cannot be replayed");
            }
            batch = routing.into_batch();
        }
        self.store_replay(batch, replay).await
    }

    /// Removes what is past its retention, what deleted archives left, replays of long ago, and partner event
    /// sources that nobody took.
    pub(crate) async fn tidy(&self) -> Result<(), EventBridgeError> {
        let now = self.now();
        let archives = self.registry(|registry| registry.archives());
        let expiring = archives
            .iter()
            .filter(|archive| archive.definition.retention_days > 0);
        for archive in expiring {
            let end = now.plus_millis(archive.definition.retention_days.saturating_mul(-DAY_MS));
            tables::expire(self.database(), &archive.definition.rows, end).await?;
        }
        for rows in tables::archives_with_rows(self.database()).await? {
            if self.registry(|registry| !registry.has_rows(&rows)) {
                tables::expire(self.database(), &rows, FOREVER).await?;
            }
        }
        let _changing = self.changing().await;
        for arn in self.registry(|registry| registry.ended_before(now.plus_millis(-REPLAYS_KEPT_MS))) {
            let batch = tables::delete(Batch::new(), &arn);
            self.commit(batch, |registry| registry.delete_replay(&arn))
                .await?;
        }
        for source in self.registry(Registry::sources) {
            if self.source_state(&source).is_none() {
                self.forget_source(&source).await?;
            }
        }
        Ok(())
    }
}
