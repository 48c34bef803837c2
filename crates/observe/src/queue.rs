//! The bounded way from the hot path to the writer: so many commands, so many bytes.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tradewind_model::Timestamp;

use crate::{GroupSummary, LogEvent};

/// Bytes are counted in units of this size.
const UNIT_BYTES: usize = 1024;

/// A segment's number from here on is the time at which its group began, or soon after it.
const FIRST_TIME_NUMBER: i64 = 1_000_000_000_000;

/// What the writer can be asked.
#[derive(Debug)]
pub(crate) enum Command {
    Append {
        events: Vec<LogEvent>,
        units: u32,
        /// Told once the events are on the disk, or why they are not.
        durable: Option<Written>,
    },
    SetRetention {
        group: String,
        days: Option<u32>,
    },
    /// Deletes what is past its retention.
    Sweep,
    Delete {
        group: String,
        done: oneshot::Sender<std::io::Result<()>>,
    },
    /// The files of the named groups (of all, when none is named), once all before is written.
    Snapshot {
        groups: Vec<String>,
        done: oneshot::Sender<Vec<GroupFiles>>,
    },
    Stop,
}

/// Who waits until events are on the disk.
pub(crate) type Written = oneshot::Sender<Result<(), String>>;

/// A segment as the writer knows it.
#[derive(Clone, Debug)]
pub(crate) struct SegmentFile {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// The oldest and the newest event in it; `None` when nobody looked yet.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
}

/// The files of a group, oldest first.
#[derive(Debug)]
pub(crate) struct GroupFiles {
    pub(crate) group: Arc<str>,
    pub(crate) segments: Vec<SegmentFile>,
    /// Events before this instant are past the group's retention.
    pub(crate) cutoff: Option<Timestamp>,
}

impl GroupFiles {
    /// A group without files.
    pub(crate) fn none(group: &str) -> Self {
        Self {
            group: group.into(),
            segments: Vec::new(),
            cutoff: None,
        }
    }

    pub(crate) fn summary(&self) -> GroupSummary {
        // segments of groups that began before numbers were times count from zero
        let first = self.segments.first();
        let began = first.and_then(|segment| i64::try_from(segment.number).ok());
        GroupSummary {
            group: Arc::clone(&self.group),
            bytes: self.segments.iter().map(|segment| segment.bytes).sum(),
            since: began
                .filter(|ms| *ms >= FIRST_TIME_NUMBER)
                .map(Timestamp::from_millis),
        }
    }
}

/// The sending side.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    all_units: u32,
}

/// The writer's side.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Command>,
    room: Arc<Semaphore>,
}

/// The store is shut down; what was to be sent comes back.
#[derive(Debug)]
pub(crate) struct Closed<T>(pub(crate) T);

pub(crate) fn bounded(commands: usize, bytes: usize) -> (Queue, Inbox) {
    let (sender, receiver) = mpsc::channel(commands.max(1));
    let all_units = u32::try_from(bytes / UNIT_BYTES)
        .unwrap_or(u32::MAX)
        .clamp(1, 1 << 28);
    let room = Arc::new(Semaphore::new(all_units as usize));
    let queue = Queue {
        sender,
        room: Arc::clone(&room),
        all_units,
    };
    (queue, Inbox { receiver, room })
}

impl Queue {
    /// Gives the events back when there is no room for them now.
    pub(crate) fn try_append(&self, events: Vec<LogEvent>) -> Result<(), Vec<LogEvent>> {
        let units = self.units(&events);
        let Ok(room) = self.room.try_acquire_many(units) else {
            return Err(events);
        };
        let durable = None;
        match self.sender.try_send(Command::Append {
            events,
            units,
            durable,
        }) {
            Ok(()) => {
                room.forget();
                Ok(())
            }
            Err(TrySendError::Full(command) | TrySendError::Closed(command)) => Err(events_of(command)),
        }
    }

    /// Waits for room.
    pub(crate) async fn append(
        &self,
        events: Vec<LogEvent>,
        durable: Option<Written>,
    ) -> Result<(), Closed<Vec<LogEvent>>> {
        let units = self.units(&events);
        let Ok(room) = self.room.acquire_many(units).await else {
            return Err(Closed(events));
        };
        let command = Command::Append {
            events,
            units,
            durable,
        };
        match self.sender.send(command).await {
            Ok(()) => {
                room.forget();
                Ok(())
            }
            Err(mpsc::error::SendError(command)) => Err(Closed(events_of(command))),
        }
    }

    pub(crate) async fn command(&self, command: Command) -> Result<(), Closed<()>> {
        self.sender.send(command).await.map_err(|_unsent| Closed(()))
    }

    /// An append heavier than the whole queue waits until the queue is empty.
    fn units(&self, events: &[LogEvent]) -> u32 {
        let bytes: usize = events.iter().map(LogEvent::weight).sum();
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX);
        units.saturating_add(1).min(self.all_units)
    }
}

impl Inbox {
    /// Takes what waits, at least one command; nothing when there will never be one again.
    pub(crate) fn take(&mut self, commands: &mut Vec<Command>, most: usize) -> usize {
        self.receiver.blocking_recv_many(commands, most)
    }

    /// Makes room again for what was written.
    pub(crate) fn release(&self, units: usize) {
        self.room.add_permits(units);
    }

    /// Refuses what comes from now on; what is inside can still be taken.
    pub(crate) fn close(&mut self) {
        self.receiver.close();
        self.room.close();
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.close();
    }
}

fn events_of(command: Command) -> Vec<LogEvent> {
    match command {
        Command::Append { events, .. } => events,
        Command::SetRetention { .. }
        | Command::Sweep
        | Command::Delete { .. }
        | Command::Snapshot { .. }
        | Command::Stop => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogKind;

    fn events(bytes: usize) -> Vec<LogEvent> {
        vec![LogEvent {
            group: "g".into(),
            stream: "s".into(),
            timestamp: Timestamp::from_millis(0),
            request_id: None,
            kind: LogKind::Line,
            message: "x".repeat(bytes).into(),
        }]
    }

    fn drain(inbox: &mut Inbox) -> usize {
        let mut units_taken = 0;
        while let Ok(Command::Append { units, .. }) = inbox.receiver.try_recv() {
            units_taken += units as usize;
        }
        inbox.release(units_taken);
        units_taken
    }

    #[test]
    fn the_queue_is_bounded_by_count_and_by_bytes() {
        let (queue, mut inbox) = bounded(2, 1024 * 1024);
        assert!(queue.try_append(events(1)).is_ok());
        assert!(queue.try_append(events(1)).is_ok());
        assert_eq!(queue.try_append(events(1)).unwrap_err().len(), 1);
        assert_eq!(drain(&mut inbox), 2);

        let (queue, mut inbox) = bounded(100, 10 * UNIT_BYTES);
        assert!(queue.try_append(events(6 * UNIT_BYTES)).is_ok());
        assert!(queue.try_append(events(6 * UNIT_BYTES)).is_err());
        drain(&mut inbox);
        assert!(queue.try_append(events(6 * UNIT_BYTES)).is_ok());
    }

    #[test]
    fn what_is_heavier_than_the_queue_still_passes_alone() {
        let (queue, mut inbox) = bounded(100, 2 * UNIT_BYTES);
        assert!(queue.try_append(events(50 * UNIT_BYTES)).is_ok());
        assert!(queue.try_append(events(1)).is_err());
        drain(&mut inbox);
        assert!(queue.try_append(events(1)).is_ok());
    }

    #[tokio::test]
    async fn a_full_queue_makes_the_sender_wait() {
        let (queue, mut inbox) = bounded(100, 2 * UNIT_BYTES);
        queue.append(events(UNIT_BYTES), None).await.unwrap();
        let mut waiting = std::pin::pin!(queue.append(events(1), None));
        let first_poll = std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx))).await;
        assert!(first_poll.is_pending());
        drain(&mut inbox);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn an_abandoned_wait_gives_its_room_back() {
        let (queue, mut inbox) = bounded(1, 10 * UNIT_BYTES);
        queue.append(events(1), None).await.unwrap();
        {
            let mut waiting = std::pin::pin!(queue.append(events(1), None));
            let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx))).await;
            assert!(poll.is_pending());
        }
        drain(&mut inbox);
        assert_eq!(queue.room.available_permits(), 10);
    }

    #[tokio::test]
    async fn a_closed_queue_gives_everything_back() {
        let (queue, inbox) = bounded(1, UNIT_BYTES);
        drop(inbox);
        assert_eq!(queue.append(events(1), None).await.unwrap_err().0.len(), 1);
        assert_eq!(queue.try_append(events(1)).unwrap_err().len(), 1);
        assert!(queue.command(Command::Stop).await.is_err());
    }
}
