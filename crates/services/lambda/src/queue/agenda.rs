//! What the queue knows without its table: for each function what waits, what runs, and when the next is due.
//!
//! An invocation that may run at once is written as leased, and handed to the worker by its commit: it is neither
//! looked for nor leased in a second transaction.
//!
//! # Invariants
//! - A row counts from its commit on. Before, it has a [`Place`], which goes with a batch that failed.
//! - A count is never less than the rows that are there. It may be more when rows went with their function
//!   while others were committed; the next look at the table that finds none corrects it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tradewind_events::share_of;
use tradewind_model::{FunctionArn, RequestId, Timestamp};

use super::Leased;

/// Invocations of one function that may wait.
pub(super) const WAITING_PER_FUNCTION: u64 = 100_000;
/// Invocations of one function that run at the same time.
pub(super) const RUNNING_PER_FUNCTION: usize = 64;
/// Invocations that run at the same time, of all functions together.
pub(crate) const RUNNING: usize = 256;
/// Invocations that are handed over and not taken yet: their payloads are in memory.
const HANDED_OVER: usize = 64;
/// Invocations of which it is not known whether they were committed. What is beyond waits for the next start.
const DOUBTFUL: usize = 10_000;

/// See the module. A clone is the same agenda.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    functions: Mutex<Functions>,
    /// How many events of a function run at the same time, where that is less than usual.
    bounds: Mutex<BTreeMap<FunctionArn, usize>>,
    changed: Notify,
}

/// What waits, and what of it is on its way to the worker without a look at the table.
#[derive(Debug, Default)]
pub(super) struct Functions {
    waiting: BTreeMap<FunctionArn, Waiting>,
    /// Rows that run, of all functions.
    running: usize,
    /// Places of those that will be handed over by their commit.
    coming: usize,
    handed_over: VecDeque<Leased>,
    /// Of batches that failed: if one was committed all the same, its row is leased and nobody has it.
    doubtful: VecDeque<(FunctionArn, RequestId)>,
}

/// What waits for one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Rows, those that run too.
    pub(super) rows: u64,
    /// Rows of batches that are not committed yet.
    pub(super) places: u64,
    /// Rows that run.
    pub(super) running: usize,
    /// When the first row that is not leased is due; none if all are leased.
    pub(super) due: Option<Timestamp>,
}

/// A function with rows due.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) arn: FunctionArn,
    since: Timestamp,
    pub(super) running: usize,
    /// How many more may run.
    pub(super) free: usize,
}

impl Waiting {
    fn is_over(&self) -> bool {
        self.rows == 0 && self.places == 0
    }
}

/// Room for a row that is not committed yet; given back when it is dropped before [`Place::taken`].
#[derive(Debug)]
pub(super) struct Place {
    agenda: Agenda,
    arn: FunctionArn,
    request_id: RequestId,
    /// Whether it runs as soon as it is committed. It counts as running already.
    at_once: bool,
    taken: AtomicBool,
}

impl Place {
    /// Whether the row is to be written as leased.
    pub(super) fn is_leased(&self) -> bool {
        self.at_once
    }

    /// The row is committed, and due at `due`.
    pub(super) fn taken(&self, leased: &Leased, due: Timestamp) {
        if self.taken.swap(true, Ordering::Relaxed) {
            return;
        }
        let at_once = self.at_once;
        self.agenda.with(|functions| {
            functions.change(&self.arn, |waiting| {
                waiting.places = waiting.places.saturating_sub(1);
                waiting.rows += 1;
                if !at_once {
                    waiting.is_due(due);
                }
            });
            if at_once {
                functions.coming = functions.coming.saturating_sub(1);
                functions.handed_over.push_back(leased.clone());
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if *self.taken.get_mut() {
            return;
        }
        let at_once = self.at_once;
        self.agenda.with(|functions| {
            functions.coming = functions.coming.saturating_sub(usize::from(at_once));
            functions.change(&self.arn, |waiting| {
                waiting.places = waiting.places.saturating_sub(1);
                waiting.running = waiting.running.saturating_sub(usize::from(at_once));
            });
            if at_once && functions.doubtful.len() < DOUBTFUL {
                let doubtful = (self.arn.clone(), self.request_id.clone());
                functions.doubtful.push_back(doubtful);
            }
        });
    }
}

impl Functions {
    /// Changes what is known of a function, which is forgotten once nothing waits for it.
    fn change(&mut self, arn: &FunctionArn, change: impl FnOnce(&mut Waiting)) {
        let Some(waiting) = self.waiting.get_mut(arn) else {
            return;
        };
        let before = waiting.running;
        change(waiting);
        let is_over = waiting.is_over();
        let after = if is_over { 0 } else { waiting.running };
        if is_over {
            self.waiting.remove(arn);
        }
        self.running = (self.running + after).saturating_sub(before);
    }

    /// Whether a row that is written now may run before all that is in the table.
    fn runs_at_once(&self, waiting: &Waiting, bound: usize, now: Timestamp) -> bool {
        let is_first = waiting.due.is_none_or(|due| due > now);
        let room = RUNNING.saturating_sub(self.running);
        let may_run = waiting.running < bound && share_of(room, waiting.running, 0) > 0;
        is_first && may_run && self.coming + self.handed_over.len() < HANDED_OVER
    }
}

#[cfg(test)]
impl std::ops::Deref for Functions {
    type Target = BTreeMap<FunctionArn, Waiting>;

    fn deref(&self) -> &Self::Target {
        &self.waiting
    }
}

impl Waiting {
    fn is_due(&mut self, due: Timestamp) {
        self.due = Some(self.due.map_or(due, |other| other.min(due)));
    }
}

impl Agenda {
    /// What the table holds when the queue opens.
    pub(super) fn load(&self, arn: FunctionArn, rows: u64, due: Timestamp) {
        let waiting = Waiting {
            rows,
            due: Some(due),
            ..Waiting::default()
        };
        self.functions().waiting.insert(arn, waiting);
    }

    /// Room for one more row; none if the function has as many as it may have.
    pub(super) fn place(&self, arn: &FunctionArn, request_id: &RequestId, now: Timestamp) -> Option<Place> {
        let bound = self.bound_of(arn);
        let mut functions = self.functions();
        let waiting = functions.waiting.get(arn).copied().unwrap_or_default();
        if waiting.rows + waiting.places >= WAITING_PER_FUNCTION {
            return None;
        }
        let at_once = functions.runs_at_once(&waiting, bound, now);
        let waiting = functions.waiting.entry(arn.clone()).or_default();
        waiting.places += 1;
        waiting.running += usize::from(at_once);
        functions.running += usize::from(at_once);
        functions.coming += usize::from(at_once);
        drop(functions);
        Some(Place {
            agenda: self.clone(),
            arn: arn.clone(),
            request_id: request_id.clone(),
            at_once,
            taken: AtomicBool::new(false),
        })
    }

    /// The first of those of which it is not known whether they were committed.
    pub(super) fn doubtful(&self) -> Option<(FunctionArn, RequestId)> {
        self.functions().doubtful.front().cloned()
    }

    /// Now it is known of the first: whether there was a row, which is due again.
    pub(super) fn clear_doubt(&self, arn: &FunctionArn, was_committed: bool, now: Timestamp) {
        self.with(|functions| {
            functions.doubtful.pop_front();
            if was_committed {
                let waiting = functions.waiting.entry(arn.clone()).or_default();
                waiting.rows += 1;
                waiting.is_due(now);
            }
        });
    }

    /// Takes up to `room` of what was handed over, the first first.
    pub(super) fn handed_over(&self, room: usize) -> Vec<Leased> {
        let mut functions = self.functions();
        let count = room.min(functions.handed_over.len());
        functions.handed_over.drain(..count).collect()
    }

    /// A row was taken back before it ran.
    pub(super) fn withdrawn(&self, arn: &FunctionArn, request_id: &RequestId) {
        self.with(|functions| {
            let before = functions.handed_over.len();
            functions
                .handed_over
                .retain(|leased| leased.request_id != *request_id);
            let back = before - functions.handed_over.len();
            functions.change(arn, |waiting| {
                waiting.rows = waiting.rows.saturating_sub(1);
                waiting.running = waiting.running.saturating_sub(back);
            });
        });
    }

    /// See [`super::Queue::next_due`].
    pub(super) fn next_due(&self, room: usize) -> Option<Timestamp> {
        let functions = self.functions();
        let may_run = |(arn, waiting): &(&FunctionArn, &Waiting)| {
            waiting.running < self.bound_of(arn) && share_of(room, waiting.running, 0) > 0
        };
        let dues = functions
            .waiting
            .iter()
            .filter(may_run)
            .filter_map(|(_, w)| w.due);
        let handed_over = functions.handed_over.front();
        let doubtful = functions.doubtful.front();
        dues.chain(handed_over.map(|leased| leased.attempts.enqueued_at))
            .chain(doubtful.map(|_| Timestamp::from_millis(0)))
            .min()
    }

    /// See [`super::Queue::bound`].
    pub(super) fn bound(&self, arn: &FunctionArn, bound: Option<usize>) {
        let mut bounds = self.0.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        match bound {
            Some(bound) => drop(bounds.insert(arn.clone(), bound)),
            None => drop(bounds.remove(arn)),
        }
        drop(bounds);
        self.0.changed.notify_one();
    }

    /// Completes when something changed. Cancel-safe: a wake-up that nobody saw is kept for the next call.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// The function is deleted, and with it what waited for it. What was handed over and not taken yet is not
    /// leased any more.
    pub(super) fn forget(&self, arn: &FunctionArn) -> Vec<Leased> {
        self.with(|functions| {
            let all = std::mem::take(&mut functions.handed_over);
            let (back, others): (Vec<_>, _) = all.into_iter().partition(|leased| leased.arn == *arn);
            functions.handed_over = others.into();
            functions.change(arn, |waiting| {
                waiting.running = waiting.running.saturating_sub(back.len());
                waiting.rows = waiting.running as u64;
                waiting.due = None;
            });
            back
        })
    }

    /// So many rows are there although the function was forgotten.
    pub(super) fn found(&self, arn: &FunctionArn, rows: u64, due: Timestamp) {
        self.with(|functions| {
            let waiting = functions.waiting.entry(arn.clone()).or_default();
            waiting.rows = waiting.rows.max(rows);
            waiting.is_due(due);
        });
    }

    /// A row is due at `due`: the worker may have to wake earlier than it thought.
    pub(super) fn note_due(&self, arn: &FunctionArn, due: Timestamp) {
        self.change(arn, |waiting| waiting.is_due(due));
    }

    /// The table is about to be looked at.
    pub(super) fn clear_due(&self, arn: &FunctionArn) {
        self.functions().change(arn, |waiting| waiting.due = None);
    }

    /// The table has no row that is not leased, as of after the last [`Agenda::clear_due`].
    pub(super) fn none_due(&self, arn: &FunctionArn) {
        self.functions().change(arn, |waiting| {
            // else one was committed since
            if waiting.due.is_none() {
                waiting.rows = waiting.running as u64;
            }
        });
    }

    /// So many more rows run.
    pub(super) fn leased(&self, arn: &FunctionArn, rows: usize) {
        self.functions().change(arn, |waiting| waiting.running += rows);
    }

    /// A lease ended: the row is due again, or gone.
    pub(super) fn settle(&self, arn: &FunctionArn, again: Option<Timestamp>) {
        self.change(arn, |waiting| {
            waiting.running = waiting.running.saturating_sub(1);
            match again {
                Some(due) => waiting.is_due(due),
                None => waiting.rows = waiting.rows.saturating_sub(1),
            }
        });
    }

    /// Functions with rows due and room to run them: those first of which fewest run, and among them those that
    /// have waited longest.
    pub(super) fn due_functions(&self, now: Timestamp) -> Vec<Due> {
        let functions = self.functions();
        let due = |(arn, waiting): (&FunctionArn, &Waiting)| {
            let since = waiting.due.filter(|due| *due <= now)?;
            let free = self.bound_of(arn).checked_sub(waiting.running);
            Some(Due {
                arn: arn.clone(),
                since,
                running: waiting.running,
                free: free.filter(|free| *free > 0)?,
            })
        };
        let mut due: Vec<_> = functions.waiting.iter().filter_map(due).collect();
        due.sort_by_key(|due| (due.running, due.since));
        due
    }

    /// All that waits, by function.
    pub(super) fn functions(&self) -> MutexGuard<'_, Functions> {
        self.0.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bound_of(&self, arn: &FunctionArn) -> usize {
        let bounds = self.0.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = bounds.get(arn).copied().unwrap_or(RUNNING_PER_FUNCTION);
        bound.min(RUNNING_PER_FUNCTION)
    }

    fn change(&self, arn: &FunctionArn, change: impl FnOnce(&mut Waiting)) {
        self.with(|functions| functions.change(arn, change));
    }

    /// Changes what is known, and tells the worker.
    fn with<T>(&self, change: impl FnOnce(&mut Functions) -> T) -> T {
        let result = change(&mut self.functions());
        self.0.changed.notify_one();
        result
    }
}
