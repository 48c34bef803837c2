//! In the background: what subscription filters deliver, what other services send to groups, and the end of
//! what is past its retention.

mod payload;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tradewind_events::{Message, Routing, Trace, Undeliverable};
use tradewind_model::Timestamp;
use tradewind_observe::{LogChunk, LogEvent, LogKind, LogPosition};
use tradewind_store::Batch;

use crate::error::LogsError;
use crate::model::{Group, SubscriptionFilter};
use crate::service::LogsService;
use crate::tables::{self, Owed};

/// After a look at all filters, before the next: what is said meanwhile goes together.
const GATHER: Duration = Duration::from_millis(200);
/// How long a destination that does not take its events rests.
const RETRY: Duration = Duration::from_secs(10);
/// How often retention is enforced.
const SWEEP: Duration = Duration::from_secs(60 * 60);
/// What is read of a group at once, in bytes.
const CHUNK_BYTES: usize = 1024 * 1024;
/// For how long AWS tries to deliver.
const MAX_AGE_MS: i64 = 24 * 60 * 60 * 1000;

/// Owed events that are stored at once.
const OWED: u32 = 500;

/// What became of a look at what there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pumped {
    /// All there was is delivered.
    Done,
    /// Some of it could not be delivered now.
    Waits,
}

impl Pumped {
    fn and(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}

impl LogsService {
    /// Works until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut changes = self.logs().changes();
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            let stored = self.store_owed().await;
            let pumped = self.pump_all(&stop).await.and(stored);
            let retry = async {
                match pumped {
                    Pumped::Waits => tokio::time::sleep(RETRY).await,
                    Pumped::Done => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = retry => {}
                () = self.wake().notified() => {}
                changed = changes.changed() => if changed.is_err() { return },
                _ = sweep.tick() => self.logs().sweep().await,
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(GATHER) => {}
            }
        }
    }

    /// Writes what other services sent to groups; each event at least once.
    pub(crate) async fn store_owed(&self) -> Pumped {
        loop {
            match self.store_some_owed().await {
                Ok(0) => return Pumped::Done,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "events sent to log groups could not be stored; it is tried again");
                    return Pumped::Waits;
                }
            }
        }
    }

    async fn store_some_owed(&self) -> Result<usize, LogsError> {
        if self.owed().load(Ordering::SeqCst) == 0 {
            return Ok(0);
        }
        let owed = tables::owed(self.database(), OWED).await?;
        // those of a group that was deleted meanwhile have nowhere to go
        let is_there = |owed: &&Owed| self.registry(|registry| registry.get(&owed.group).is_some());
        let events: Vec<LogEvent> = owed
            .iter()
            .filter(is_there)
            .map(|owed| self.event_of(owed))
            .collect();
        if !events.is_empty() {
            self.logs().append_durably(events).await?;
        }
        let batch = owed
            .iter()
            .fold(Batch::new(), |batch, owed| tables::settle(batch, &owed.id));
        self.database().write(batch).await?;
        self.owed().fetch_sub(owed.len(), Ordering::SeqCst);
        Ok(owed.len())
    }

    fn event_of(&self, owed: &Owed) -> LogEvent {
        LogEvent {
            group: self.stored_name(&owed.group).into(),
            stream: owed.stream.as_str().into(),
            timestamp: owed.timestamp,
            request_id: None,
            kind: LogKind::Line,
            message: owed.message.as_str().into(),
        }
    }

    /// Delivers what every filter has to, as far as destinations take it.
    pub(crate) async fn pump_all(&self, stop: &CancellationToken) -> Pumped {
        let mut all = Pumped::Done;
        let groups: Vec<Arc<Group>> =
            self.registry(|registry| registry.subscribed().map(Arc::clone).collect());
        for group in groups {
            for (name, filter) in &group.filters {
                if stop.is_cancelled() {
                    return all;
                }
                match self.pump(&group, name, filter).await {
                    Ok(Pumped::Done) => {}
                    Ok(Pumped::Waits) => all = Pumped::Waits,
                    Err(error) => {
                        tracing::error!(log_group = %group.key.name, filter = %name, %error,
                            "a subscription filter could not deliver; it is tried again");
                        all = Pumped::Waits;
                    }
                }
            }
        }
        all
    }

    async fn pump(
        &self,
        group: &Group,
        name: &str,
        filter: &SubscriptionFilter,
    ) -> Result<Pumped, LogsError> {
        let id = (group.key.clone(), name.to_owned());
        let stored_name = self.stored_name(&group.key);
        loop {
            let Some(position) = self.cursors().get(&id).copied() else {
                // deleted meanwhile
                return Ok(Pumped::Done);
            };
            let chunk = self.logs().read_from(&stored_name, position, CHUNK_BYTES).await?;
            let (next, is_end) = (chunk.next, chunk.is_end);
            if !chunk.events.is_empty() && !self.deliver(group, name, filter, chunk).await? {
                return Ok(Pumped::Waits);
            }
            // what does not match is not read again from the first segment on after a restart
            if next.segment != position.segment || !is_end {
                self.commit(Routing::new(Batch::new()), group, name, next).await?;
            }
            if let Some(cursor) = self.cursors().get_mut(&id) {
                *cursor = next;
            }
            if is_end {
                return Ok(Pumped::Done);
            }
        }
    }

    /// Delivers what matches of a chunk, in one transaction with the filter's progress; false when the
    /// destination does not take it now.
    async fn deliver(
        &self,
        group: &Group,
        name: &str,
        filter: &SubscriptionFilter,
        chunk: LogChunk,
    ) -> Result<bool, LogsError> {
        if let Some(way) = self.circle(&group.key, &filter.destination) {
            tracing::warn!(log_group = %group.key.name, filter = %name, %way,
                "a function would be fed with its own log, without end; these events are not delivered");
            return Ok(true);
        }
        let newest = chunk.events.iter().map(|event| event.ingested).max();
        let next = chunk.next;
        let of = payload::Subscription {
            owner: group.key.account.to_string(),
            log_group: group.key.name.to_string(),
            filter: name.to_owned(),
            pattern: filter.pattern.clone(),
        };
        // matching and compressing take their time
        let made = tokio::task::spawn_blocking(move || payload::make(&of, chunk.events)).await;
        let payloads = made.map_err(|error| LogsError::Internal(error.to_string()))?;
        if payloads.is_empty() {
            return Ok(true);
        }
        let mut routing = Routing::new(Batch::new());
        for body in payloads {
            let message = Message {
                body: body.into(),
                sender: "logs.amazonaws.com".into(),
                source: group.key.arn(),
                trace: Trace::new(self.now()),
                ..Message::default()
            };
            let delivered = self.router().deliver(&mut routing, &filter.destination, message);
            if let Err(error) = delivered
                && !self.gives_up(group, name, &error, newest)
            {
                return Ok(false);
            }
        }
        self.commit(routing, group, name, next).await?;
        Ok(true)
    }

    async fn commit(
        &self,
        mut routing: Routing,
        group: &Group,
        name: &str,
        next: LogPosition,
    ) -> Result<(), LogsError> {
        routing.add(|batch| tables::advance_filter(batch, &group.key, name, next));
        self.database().write(routing.into_batch()).await?;
        Ok(())
    }

    /// Whether events that a destination does not take are dropped: those that it never will, and after a
    /// day all.
    fn gives_up(&self, group: &Group, name: &str, error: &Undeliverable, newest: Option<Timestamp>) -> bool {
        let never = matches!(
            error,
            Undeliverable::TooLarge { .. } | Undeliverable::Loop { .. } | Undeliverable::Refused { .. }
        );
        let day_ago = self.now().plus_millis(-MAX_AGE_MS);
        let dropped = never || newest.is_some_and(|newest| newest < day_ago);
        tracing::warn!(log_group = %group.key.name, filter = %name, %error, dropped,
            "log events were not taken by the destination of a subscription filter");
        dropped
    }
}

#[cfg(test)]
mod tests;
