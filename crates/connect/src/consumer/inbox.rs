//! What was fetched and is not settled: between the thread that polls, and who makes batches.
//!
//! It is told what happened and says what the thread is to do; nothing in it waits but [`Inbox::rest`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

/// What the records of one consumer may take in memory, about.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// What those of one partition may at least, however many there are.
const LEAST_BYTES: usize = 128 * 1024;
/// Records of a partition that wait, at least: to fetch anew costs more than to hold these.
const LEAST_RECORDS: usize = 1_000;
/// How long a partition's reader may be slower than its writers before the others are fetched without it.
const GRACE: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    state: Mutex<State<T>>,
    /// Wakes the thread that polls.
    thread: Condvar,
    /// Wakes who makes batches.
    reader: Notify,
    /// Changes whenever claims become void.
    revoked: watch::Sender<()>,
}

#[derive(Debug)]
struct State<T> {
    partitions: BTreeMap<i32, Partition<T>>,
    /// Of the last assignment of a partition: a claim of an earlier one is void.
    epoch: u64,
    /// Where the next batch begins to look, so that no partition waits for another's backlog.
    cursor: i32,
    /// To be committed: the next offset of each partition.
    settled: BTreeMap<i32, i64>,
    /// What the records of all partitions take that wait.
    bytes: usize,
    /// That is as much as it may be.
    is_over: bool,
    /// Records of a partition that may wait.
    most_records: usize,
    closing: bool,
    /// There is something for the thread to do.
    attention: bool,
}

#[derive(Debug)]
struct Partition<T> {
    queue: VecDeque<Item<T>>,
    bytes: usize,
    epoch: u64,
    /// A batch has records of it.
    claimed: bool,
    /// The offset after what no filter wanted, behind the records of the batch.
    tail: Option<i64>,
    full_since: Option<Instant>,
    paused: bool,
    /// To be fetched again from here on: a batch was given up.
    rewind: Option<i64>,
    /// The highest offset that was settled since the partition was assigned.
    highest: Option<i64>,
}

/// A record in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<T> {
    /// What was made of it.
    pub value: T,
    /// Its offset.
    pub offset: i64,
    /// The offset to go on from once it is settled.
    pub next: i64,
    bytes: usize,
    since: Instant,
}

/// Records of one partition that one batch gets. Nobody else gets any of that partition meanwhile.
#[derive(Debug)]
pub struct Part<T> {
    /// They, in order; at least one.
    pub items: Vec<Item<T>>,
    /// The right to them.
    pub claim: Claim<T>,
}

/// The right to a partition's next records. Dropped before all are settled, the rest comes again.
#[derive(Debug)]
pub struct Claim<T> {
    inbox: Arc<Inbox<T>>,
    partition: i32,
    epoch: u64,
    /// Where it stands.
    next: i64,
    /// Where it ends.
    end: i64,
}

/// What may go into a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Records.
    pub records: usize,
    /// The sum of what [`Prepared`](super::Prepared) says they take.
    pub bytes: usize,
}

/// What waits for a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Records of all partitions, also of those that a batch has others of.
    pub queued: usize,
    /// Records of partitions that no batch has.
    pub records: usize,
    /// What they take.
    pub bytes: usize,
    /// Partitions that they are of.
    pub partitions: usize,
    /// When the first of them came.
    pub since: Option<Instant>,
    /// One of these partitions holds as much as it may, so that no more of it comes.
    pub full: bool,
}

/// What the thread is to do before it polls again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Poll,
    /// Wait this long for room, at most.
    Rest(Duration),
    Pause(Vec<i32>),
    Resume(Vec<i32>),
    /// Fetch the partition again from the offset.
    Rewind(i32, i64),
    Close,
}

impl<T> Partition<T> {
    fn new(epoch: u64) -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            epoch,
            claimed: false,
            tail: None,
            full_since: None,
            paused: false,
            rewind: None,
            highest: None,
        }
    }
}

impl<T> State<T> {
    fn most_bytes(&self) -> usize {
        (MOST_BYTES / self.partitions.len().max(1)).max(LEAST_BYTES)
    }

    /// To be committed soon.
    fn settle(&mut self, partition: i32, next: i64) {
        self.note_settled(partition, next);
        self.attention = true;
    }

    /// To be committed with what is committed next.
    fn note_settled(&mut self, partition: i32, next: i64) {
        if let Some(found) = self.partitions.get_mut(&partition) {
            let highest = found.highest.map_or(next, |highest| highest.max(next));
            found.highest = Some(highest);
            self.settled.insert(partition, highest);
        }
    }

    /// Lets go of what waits of a partition.
    fn clear(&mut self, partition: i32) {
        if let Some(found) = self.partitions.get_mut(&partition) {
            self.bytes -= found.bytes;
            found.queue.clear();
            found.bytes = 0;
        }
    }

    /// Notes that there is room again, or none any more.
    fn measure(&mut self, partition: i32, now: Instant) {
        let was_over = std::mem::replace(&mut self.is_over, self.bytes >= MOST_BYTES);
        if was_over || self.is_over {
            let all: Vec<i32> = self.partitions.keys().copied().collect();
            let free = self.partitions.values().filter(|found| !found.claimed);
            let is_plenty = free.map(|found| found.bytes).sum::<usize>() >= MOST_BYTES;
            for partition in all {
                self.measure_one(partition, is_plenty, now);
            }
        } else {
            self.measure_one(partition, false, now);
        }
    }

    /// When all partitions together hold as much as they may, none gets more that has something, or whose batch runs;
    /// and none at all while batches can be made of so much (`is_plenty`). So those whose batches fail do not hold up
    /// the others for ever.
    fn measure_one(&mut self, partition: i32, is_plenty: bool, now: Instant) {
        let (most_bytes, most_records) = (self.most_bytes(), self.most_records);
        let Some(found) = self.partitions.get_mut(&partition) else {
            return;
        };
        let is_enough = is_plenty || found.claimed || !found.queue.is_empty();
        let is_full = found.bytes >= most_bytes || found.queue.len() >= most_records;
        if !(is_full || self.is_over && is_enough) {
            self.attention |= found.full_since.take().is_some();
        } else if found.full_since.is_none() {
            found.full_since = Some(now);
            self.attention = true;
        }
    }
}

impl<T> Inbox<T> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                partitions: BTreeMap::new(),
                epoch: 0,
                cursor: 0,
                settled: BTreeMap::new(),
                bytes: 0,
                is_over: false,
                most_records: LEAST_RECORDS,
                closing: false,
                attention: false,
            }),
            thread: Condvar::new(),
            reader: Notify::new(),
            revoked: watch::Sender::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn changed(&self) {
        self.reader.notified().await;
    }

    pub(super) fn tell_reader(&self) {
        self.reader.notify_one();
    }

    /// Twice a batch may wait of each partition.
    pub(super) fn gather(&self, batch: usize) {
        self.state().most_records = (batch * 2).max(LEAST_RECORDS);
    }

    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closing = true;
        state.attention = true;
        self.thread.notify_all();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.state().closing
    }

    pub(super) fn assigned(&self) -> usize {
        self.state().partitions.len()
    }

    pub(super) fn assign(&self, partitions: impl IntoIterator<Item = i32>) {
        let mut state = self.state();
        for partition in partitions {
            state.clear(partition);
            state.epoch += 1;
            let epoch = state.epoch;
            state.partitions.insert(partition, Partition::new(epoch));
        }
        self.revoked.send_replace(());
        self.reader.notify_one();
    }

    /// Gives up what waits of these partitions, and waits until no batch has any of them, `patience` at most. Gives
    /// what of them is settled and not committed.
    pub(super) fn revoke(&self, partitions: &[i32], patience: Duration) -> Vec<(i32, i64)> {
        let end = Instant::now() + patience;
        let mut state = self.state();
        for partition in partitions {
            state.clear(*partition);
        }
        let is_claimed = |state: &State<T>| {
            let mut found = partitions
                .iter()
                .filter_map(|partition| state.partitions.get(partition));
            found.any(|partition| partition.claimed)
        };
        while is_claimed(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.thread.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let settled = partitions.iter();
        let settled = settled
            .filter_map(|partition| state.settled.remove_entry(partition))
            .collect();
        state
            .partitions
            .retain(|partition, _| !partitions.contains(partition));
        if let Some(first) = state.partitions.keys().next().copied() {
            state.measure(first, Instant::now());
        }
        self.revoked.send_replace(());
        self.reader.notify_one();
        settled
    }

    /// Adds a record, or notes that nobody wants it. True if something is to be done before the next poll.
    pub(super) fn push(&self, partition: i32, offset: i64, wanted: Option<(T, usize)>, now: Instant) -> bool {
        let mut state = self.state();
        let Some(found) = state.partitions.get_mut(&partition) else {
            return state.attention;
        };
        if found.rewind.is_some() {
            return true;
        }
        let next = offset + 1;
        match wanted {
            Some((value, bytes)) => {
                let was_empty = found.queue.is_empty();
                let tell = was_empty && !found.claimed;
                found.bytes += bytes;
                found.queue.push_back(Item {
                    value,
                    offset,
                    next,
                    bytes,
                    since: now,
                });
                state.bytes += bytes;
                state.measure(partition, now);
                if tell || state.attention {
                    self.reader.notify_one();
                }
            }
            None => match found.queue.back_mut() {
                Some(last) => last.next = next,
                None if found.claimed => found.tail = Some(next),
                // committed with the next that is: not a request for each record that no filter wants
                None => state.note_settled(partition, next),
            },
        }
        state.attention
    }

    /// What there is to do.
    pub(super) fn step(&self, now: Instant) -> Step {
        let mut state = self.state();
        state.attention = false;
        if state.closing {
            return Step::Close;
        }
        let rewind = state
            .partitions
            .iter()
            .find_map(|(id, found)| Some((*id, found.rewind?)));
        if let Some((partition, offset)) = rewind {
            return Step::Rewind(partition, offset);
        }
        let waiting = |found: &Partition<T>| found.full_since.filter(|_| !found.paused);
        let due: Vec<i32> = state
            .partitions
            .iter()
            .filter(|(_, found)| waiting(found).is_some_and(|since| now >= since + GRACE))
            .map(|(partition, _)| *partition)
            .collect();
        if !due.is_empty() {
            return Step::Pause(due);
        }
        let (half_bytes, half_records) = (state.most_bytes() / 2, state.most_records / 2);
        let has_room = |found: &Partition<T>| {
            found.full_since.is_none() && found.bytes <= half_bytes && found.queue.len() <= half_records
        };
        let mut paused = state.partitions.iter().filter(|(_, found)| found.paused);
        let drained: Vec<i32> = paused
            .by_ref()
            .filter(|(_, found)| has_room(found))
            .map(|(partition, _)| *partition)
            .collect();
        if !drained.is_empty() {
            return Step::Resume(drained);
        }
        let first = state.partitions.values().filter_map(waiting).min();
        first.map_or(Step::Poll, |since| {
            Step::Rest((since + GRACE).saturating_duration_since(now))
        })
    }

    /// The thread did what a step said.
    pub(super) fn paused(&self, partitions: &[i32], paused: bool) {
        let mut state = self.state();
        for partition in partitions {
            if let Some(found) = state.partitions.get_mut(partition) {
                found.paused = paused;
            }
        }
    }

    pub(super) fn rewound(&self, partition: i32) {
        if let Some(found) = self.state().partitions.get_mut(&partition) {
            found.rewind = None;
        }
    }

    /// Waits for something to do.
    pub(super) fn rest(&self, time: Duration) {
        let state = self.state();
        if !state.attention {
            drop(self.thread.wait_timeout(state, time));
        }
    }

    /// What is to be committed.
    pub(super) fn take_settled(&self) -> Vec<(i32, i64)> {
        std::mem::take(&mut self.state().settled).into_iter().collect()
    }

    /// A commit failed: it is tried again unless there is a later one, which may have been committed meanwhile, or the
    /// partition is another's.
    pub(super) fn unsettled(&self, partition: i32, next: i64) {
        let mut state = self.state();
        let found = state.partitions.get(&partition);
        if found.is_some_and(|found| found.highest == Some(next)) {
            state.settled.insert(partition, next);
        }
    }

    pub(super) fn waiting(&self) -> Waiting {
        let state = self.state();
        let mut waiting = Waiting {
            queued: state.partitions.values().map(|found| found.queue.len()).sum(),
            ..Waiting::default()
        };
        for found in state.partitions.values().filter(|found| !found.claimed) {
            let Some(first) = found.queue.front() else {
                continue;
            };
            waiting.records += found.queue.len();
            waiting.bytes += found.bytes;
            waiting.partitions += 1;
            waiting.full |= found.full_since.is_some() || found.paused;
            waiting.since = Some(waiting.since.map_or(first.since, |since| since.min(first.since)));
        }
        waiting
    }

    /// The records of a batch, when `batches` of them may be made now: of as many partitions as is fair then.
    pub(super) fn take(self: &Arc<Self>, bounds: Bounds, batches: usize, now: Instant) -> Vec<Part<T>> {
        let mut state = self.state();
        let ready: Vec<i32> = state
            .partitions
            .iter()
            .filter(|(_, found)| !found.claimed && !found.queue.is_empty())
            .map(|(partition, _)| *partition)
            .collect();
        let most = ready.len().div_ceil(batches.max(1));
        let start = ready.partition_point(|partition| *partition < state.cursor);
        let (mut records, mut bytes, mut parts) = (0, 0, Vec::new());
        for partition in ready.iter().cycle().skip(start).take(most) {
            let Some(found) = state.partitions.get_mut(partition) else {
                break;
            };
            let (mut items, before) = (Vec::new(), found.bytes);
            while let Some(item) = found.queue.front() {
                let fits = records < bounds.records && bytes + item.bytes <= bounds.bytes;
                if !fits && records > 0 {
                    break;
                }
                records += 1;
                bytes += item.bytes;
                found.bytes -= item.bytes;
                items.extend(found.queue.pop_front());
            }
            let Some((first, last)) = items.first().zip(items.last()) else {
                break;
            };
            found.claimed = true;
            let claim = Claim {
                inbox: Arc::clone(self),
                partition: *partition,
                epoch: found.epoch,
                next: first.offset,
                end: last.next,
            };
            state.bytes -= before - found.bytes;
            state.cursor = partition + 1;
            state.measure(*partition, now);
            parts.push(Part { items, claim });
        }
        if state.attention {
            self.thread.notify_all();
        }
        parts
    }
}

impl<T> Claim<T> {
    /// Of what.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Whether the group still has the partition here. If not, its records are another batch's, and nothing is to be
    /// done with them any more.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let state = self.inbox.state();
        let found = state.partitions.get(&self.partition);
        found.is_some_and(|found| found.epoch == self.epoch)
    }

    /// Waits until it is void.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn void(&self) {
        let mut revoked = self.inbox.revoked.subscribe();
        while self.is_valid() && revoked.changed().await.is_ok() {}
    }

    /// All before `next` is done and does not come again.
    pub fn settle(&mut self, next: i64) {
        let mut state = self.inbox.state();
        self.next = next;
        let Some(found) = state.partitions.get_mut(&self.partition) else {
            return;
        };
        if found.epoch != self.epoch {
            return;
        }
        let tail = if next >= self.end { found.tail.take() } else { None };
        state.settle(self.partition, tail.map_or(next, |tail| tail.max(next)));
    }
}

impl<T> Drop for Claim<T> {
    fn drop(&mut self) {
        let mut state = self.inbox.state();
        let Some(found) = state.partitions.get_mut(&self.partition) else {
            return;
        };
        if found.epoch != self.epoch {
            return;
        }
        found.claimed = false;
        let tail = found.tail.take();
        if self.next < self.end {
            found.rewind = Some(self.next);
            state.clear(self.partition);
            state.attention = true;
        } else if let Some(tail) = tail {
            state.settle(self.partition, tail);
        }
        state.measure(self.partition, Instant::now());
        drop(state);
        self.inbox.thread.notify_all();
        self.inbox.reader.notify_one();
    }
}

#[cfg(test)]
mod tests;
