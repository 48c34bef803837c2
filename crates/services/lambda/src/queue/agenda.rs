//! What the queue knows without its table: for each function what waits, what runs, and when the next is due.
//!
//! # Invariants
//! - A row counts from its commit on. Before, it has a [`Place`], which goes with a batch that failed.
//! - A count is never less than the rows that are there. It may be more when rows went with their function
//!   while others were committed; the next look at the table that finds none corrects it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tradewind_events::share_of;
use tradewind_model::{FunctionArn, Timestamp};

/// Invocations of one function that may wait.
pub(super) const WAITING_PER_FUNCTION: u64 = 100_000;
/// Invocations of one function that run at the same time.
pub(super) const RUNNING_PER_FUNCTION: usize = 64;

/// See the module. A clone is the same agenda.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    functions: Mutex<BTreeMap<FunctionArn, Waiting>>,
    /// How many events of a function run at the same time, where that is less than usual.
    bounds: Mutex<BTreeMap<FunctionArn, usize>>,
    changed: Notify,
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
    taken: AtomicBool,
}

impl Place {
    /// The row is committed, and due at `due`.
    pub(super) fn taken(&self, due: Timestamp) {
        if self.taken.swap(true, Ordering::Relaxed) {
            return;
        }
        self.agenda.change(&self.arn, |waiting| {
            waiting.places = waiting.places.saturating_sub(1);
            waiting.rows += 1;
            waiting.is_due(due);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !*self.taken.get_mut() {
            let give_back = |waiting: &mut Waiting| waiting.places = waiting.places.saturating_sub(1);
            self.agenda.change(&self.arn, give_back);
        }
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
        self.functions().insert(arn, waiting);
    }

    /// Room for one more row; none if the function has as many as it may have.
    pub(super) fn place(&self, arn: &FunctionArn) -> Option<Place> {
        let mut functions = self.functions();
        let waiting = functions.entry(arn.clone()).or_default();
        if waiting.rows + waiting.places >= WAITING_PER_FUNCTION {
            return None;
        }
        waiting.places += 1;
        Some(Place {
            agenda: self.clone(),
            arn: arn.clone(),
            taken: AtomicBool::new(false),
        })
    }

    /// A row was taken back before it ran.
    pub(super) fn withdrawn(&self, arn: &FunctionArn) {
        self.change(arn, |waiting| waiting.rows = waiting.rows.saturating_sub(1));
    }

    /// See [`super::Queue::next_due`].
    pub(super) fn next_due(&self, room: usize) -> Option<Timestamp> {
        let functions = self.functions();
        let may_run = |(arn, waiting): &(&FunctionArn, &Waiting)| {
            waiting.running < self.bound_of(arn) && share_of(room, waiting.running, 0) > 0
        };
        let dues = functions.iter().filter(may_run).filter_map(|(_, w)| w.due);
        dues.min()
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

    /// The function is deleted, and with it what waited for it.
    pub(super) fn forget(&self, arn: &FunctionArn) {
        self.change(arn, |waiting| {
            waiting.rows = waiting.running as u64;
            waiting.due = None;
        });
    }

    /// So many rows are there although the function was forgotten.
    pub(super) fn found(&self, arn: &FunctionArn, rows: u64, due: Timestamp) {
        let mut functions = self.functions();
        let waiting = functions.entry(arn.clone()).or_default();
        waiting.rows = waiting.rows.max(rows);
        waiting.is_due(due);
        drop(functions);
        self.0.changed.notify_one();
    }

    /// A row is due at `due`: the worker may have to wake earlier than it thought.
    pub(super) fn note_due(&self, arn: &FunctionArn, due: Timestamp) {
        self.change(arn, |waiting| waiting.is_due(due));
    }

    /// The table is about to be looked at.
    pub(super) fn clear_due(&self, arn: &FunctionArn) {
        if let Some(waiting) = self.functions().get_mut(arn) {
            waiting.due = None;
        }
    }

    /// The table has no row that is not leased, as of after the last [`Agenda::clear_due`].
    pub(super) fn none_due(&self, arn: &FunctionArn) {
        let mut functions = self.functions();
        // else one was committed since
        if let Some(waiting) = functions.get_mut(arn).filter(|waiting| waiting.due.is_none()) {
            waiting.rows = waiting.running as u64;
        }
        functions.retain(|_, waiting| !waiting.is_over());
    }

    /// So many more rows run.
    pub(super) fn leased(&self, arn: &FunctionArn, rows: usize) {
        if let Some(waiting) = self.functions().get_mut(arn) {
            waiting.running += rows;
        }
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
        let mut due: Vec<_> = functions.iter().filter_map(due).collect();
        due.sort_by_key(|due| (due.running, due.since));
        due
    }

    /// All that waits, by function.
    pub(super) fn functions(&self) -> MutexGuard<'_, BTreeMap<FunctionArn, Waiting>> {
        self.0.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bound_of(&self, arn: &FunctionArn) -> usize {
        let bounds = self.0.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = bounds.get(arn).copied().unwrap_or(RUNNING_PER_FUNCTION);
        bound.min(RUNNING_PER_FUNCTION)
    }

    fn change(&self, arn: &FunctionArn, change: impl FnOnce(&mut Waiting)) {
        let mut functions = self.functions();
        if let Some(waiting) = functions.get_mut(arn) {
            change(waiting);
            if waiting.is_over() {
                functions.remove(arn);
            }
        }
        drop(functions);
        self.0.changed.notify_one();
    }
}
