//! Usage in the database.
//!
//! A second's usage is one *flush*: one transaction that adds to buckets and raises a sequence number by one. A flush
//! of which the answer was lost stays in memory until the sequence number says whether it is in the database; so it
//! is there once, whatever failed. If the node dies, the flush under way and what was used since are lost: a second
//! or two.
//!
//! Buckets are of a minute, after three days of an hour, after 65 days of a day, and go after 400 days.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tradewind_model::{Clock, Timestamp};
use tradewind_store::{Batch, Database, DatabaseError};

use super::tables::{self, FUNCTIONS, Series};
use super::{Meter, UsageSink, UsageTotals};

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
/// How long minutes are kept, in minutes.
const MINUTES_FOR: i64 = 3 * DAY;
/// How long hours are kept: two months and some days, in minutes.
const HOURS_FOR: i64 = 65 * DAY;
/// How long usage is kept: a year and the month that is compared with it, in minutes.
const KEPT_FOR: i64 = 400 * DAY;

/// How often usage is written.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Buckets that one flush writes.
const MAX_FLUSH: usize = 2048;
/// Series that are remembered as being in the database.
const MAX_KNOWN: usize = 64 * 1024;
/// Buckets of one roll-up, in the wider span: what one transaction moves.
const ROLL_UP_STEP: i64 = 6;
/// The item of records that are in no bucket.
pub const DROPPED: &str = "usage.dropped";

/// The stacks that made resources, by the resources' ARNs; those that no stack made are not in it.
pub type Owners = HashMap<String, String>;
/// Says which stacks made these resources.
pub type StacksOf = Arc<dyn Fn(Vec<String>) -> Pin<Box<dyn Future<Output = Owners> + Send>> + Send + Sync>;

/// What a ledger is made of.
#[derive(Clone)]
pub struct LedgerConfig {
    /// Migrated with [`super::MIGRATIONS`].
    pub database: Database,
    /// The time.
    pub clock: Clock,
    /// Invocations.
    pub usage: UsageSink,
    /// All else.
    pub meter: Meter,
    /// The stacks of resources, asked when they are first seen, for all that a flush brings at once; and once an
    /// hour for those that had none.
    pub stacks_of: StacksOf,
}

impl fmt::Debug for LedgerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerConfig").finish_non_exhaustive()
    }
}

/// Keeps usage. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: LedgerConfig,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last flush that is in the database.
    sequence: i64,
    /// A flush of which it is not known whether it is in the database.
    open: Option<Flush>,
    /// What is to be flushed after it.
    waiting: Vec<Entry>,
    /// Series that are in the database, and whether nothing more is to be found out about whose they are.
    known: HashMap<i64, bool>,
    /// Dropped records that were taken.
    dropped: u64,
    /// The hour of the last roll-up.
    rolled_up: i64,
}

#[derive(Debug)]
struct Flush {
    batch: Batch,
    series: HashMap<i64, bool>,
}

#[derive(Debug)]
struct Entry {
    series: Series,
    minute: i64,
    amount: Amount,
}

#[derive(Debug)]
enum Amount {
    Function(UsageTotals),
    Count(u64),
}

/// Whose usage it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The function, API, queue, … by its ARN; empty where it is not known.
    pub resource: String,
    /// The stack that made it.
    pub stack: Option<String>,
}

/// What one owner used over a time: of functions by version and memory, of all else by item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// Who.
    pub owner: Owner,
    /// `lambda`, or the name of a [`super::Metered`].
    pub item: String,
    /// The function's version.
    pub version: String,
    /// The function's memory.
    pub memory_mib: u32,
    /// For functions.
    pub totals: UsageTotals,
    /// For all else.
    pub quantity: u64,
}

impl Ledger {
    /// The ledger of that database.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open(config: LedgerConfig) -> Result<Self, DatabaseError> {
        config.usage.keep();
        let state = State {
            sequence: tables::sequence(&config.database).await?,
            ..State::default()
        };
        Ok(Self(Arc::new(Shared {
            config,
            state: Mutex::new(state),
        })))
    }

    /// Writes usage every second and rolls up every hour, until `stop`. What is used after that is written by the
    /// last [`Ledger::flush`] of whoever stops the node.
    pub async fn run(&self, stop: CancellationToken) {
        let mut failing = false;
        while stop
            .run_until_cancelled(tokio::time::sleep(FLUSH_EVERY))
            .await
            .is_some()
        {
            let kept = self.keep().await;
            if let Err(error) = &kept
                && !failing
            {
                tracing::warn!(%error, "usage cannot be written and is kept in memory until it can");
            }
            failing = kept.is_err();
        }
    }

    /// Writes what waits and widens what is old.
    pub(crate) async fn keep(&self) -> Result<(), DatabaseError> {
        self.flush().await?;
        self.roll_up().await
    }

    /// Writes all usage so far.
    ///
    /// # Errors
    /// When the database fails; nothing is lost, and the next call tries again.
    ///
    /// # Cancel safety
    /// Nothing is lost or doubled.
    pub async fn flush(&self) -> Result<(), DatabaseError> {
        let database = self.0.config.database.clone();
        self.flush_by(|batch| {
            let database = database.clone();
            async move { database.write(batch).await.map(drop) }
        })
        .await
    }

    /// Flushes by `write`, which tests make fail.
    pub(super) async fn flush_by<F>(&self, write: impl Fn(Batch) -> F) -> Result<(), DatabaseError>
    where
        F: Future<Output = Result<(), DatabaseError>>,
    {
        let mut state = self.0.state.lock().await;
        self.settle(&mut state).await?;
        self.gather(&mut state);
        let (mut asked, mut owners) = (HashSet::new(), Owners::new());
        while !state.waiting.is_empty() {
            let new = state.new_resources(&asked);
            if !new.is_empty() {
                // nobody waits for the lock meanwhile; what waits may be flushed by another
                drop(state);
                owners.extend((self.0.config.stacks_of)(new.clone()).await);
                asked.extend(new);
                state = self.0.state.lock().await;
                self.settle(&mut state).await?;
                continue;
            }
            state.begin(&owners);
            let Some(flush) = &state.open else { break };
            write(flush.batch.clone()).await?;
            state.close();
        }
        Ok(())
    }

    /// Finds out what became of a flush that was not answered; one that is not there is written again.
    async fn settle(&self, state: &mut State) -> Result<(), DatabaseError> {
        let Some(flush) = &state.open else {
            return Ok(());
        };
        if tables::sequence(&self.0.config.database).await? == state.sequence {
            self.0.config.database.write(flush.batch.clone()).await?;
        }
        state.close();
        Ok(())
    }

    fn gather(&self, state: &mut State) {
        let config = &self.0.config;
        let buckets = config.usage.take_buckets().into_iter();
        state.waiting.extend(buckets.map(|(key, totals)| Entry {
            series: Series {
                item: FUNCTIONS,
                resource: (&*key.function).into(),
                version: (&*key.version).into(),
                memory_mib: key.memory_mib,
            },
            minute: key.minute,
            amount: Amount::Function(totals),
        }));
        let minute = minute_of(config.clock.now());
        let counted = config.meter.take().into_iter();
        let mut counted: Vec<_> = counted
            .map(|counted| (counted.item.as_str(), counted.resource, counted.quantity))
            .collect();
        let dropped = config.usage.dropped();
        if dropped > state.dropped {
            counted.push((DROPPED, "".into(), dropped - state.dropped));
            state.dropped = dropped;
        }
        state
            .waiting
            .extend(counted.into_iter().map(|(item, resource, quantity)| Entry {
                series: Series {
                    item,
                    resource,
                    version: "".into(),
                    memory_mib: 0,
                },
                minute,
                amount: Amount::Count(quantity),
            }));
    }

    /// Widens old buckets and forgets the oldest, if that was not done this hour.
    pub(super) async fn roll_up(&self) -> Result<(), DatabaseError> {
        let now = minute_of(self.0.config.clock.now());
        let mut state = self.0.state.lock().await;
        if state.rolled_up == now / HOUR {
            return Ok(());
        }
        let database = &self.0.config.database;
        for (spans, kept) in [((1, HOUR), MINUTES_FOR), ((HOUR, DAY), HOURS_FOR)] {
            let end = (now - kept) / spans.1 * spans.1;
            while let Some(oldest) = tables::oldest(database, Some(spans.0)).await?
                && oldest < end
            {
                let from = oldest / spans.1 * spans.1;
                let until = end.min(from + ROLL_UP_STEP * spans.1);
                database
                    .write(tables::roll_up(Batch::new(), spans, (from, until)))
                    .await?;
            }
        }
        if tables::oldest(database, None)
            .await?
            .is_some_and(|oldest| oldest < now - KEPT_FOR)
        {
            database
                .write(tables::forget(Batch::new(), now - KEPT_FOR))
                .await?;
            // those that were forgotten have to be made known again
            let left = tables::series(database).await?;
            state.known.retain(|id, _| left.contains(id));
        }
        state.rolled_up = now / HOUR;
        // a stack may have made them that did not say so yet
        state.known.retain(|_, is_settled| *is_settled);
        Ok(())
    }

    /// What was used from `from` to before `until`, so far as it is in the database. A bucket counts where it begins.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn used(&self, from: Timestamp, until: Timestamp) -> Result<Vec<Used>, DatabaseError> {
        let sums = tables::sums(&self.0.config.database, minute_of(from), minute_of(until)).await?;
        let used = |sum: tables::Sum| Used {
            owner: Owner {
                resource: sum.resource,
                stack: sum.stack,
            },
            item: sum.item,
            version: sum.version,
            memory_mib: sum.memory_mib,
            totals: sum.totals,
            quantity: sum.quantity,
        };
        Ok(sums.into_iter().map(used).collect())
    }

    /// Where the oldest usage begins.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn begins(&self) -> Result<Option<Timestamp>, DatabaseError> {
        let oldest = tables::oldest(&self.0.config.database, None).await?;
        Ok(oldest.map(|minute| Timestamp::from_millis(minute.saturating_mul(60_000))))
    }
}

impl State {
    fn next(&self) -> &[Entry] {
        let from = self.waiting.len().saturating_sub(MAX_FLUSH);
        self.waiting.get(from..).unwrap_or_default()
    }

    /// The resources of the next flush that are neither known nor were asked for.
    fn new_resources(&self, asked: &HashSet<String>) -> Vec<String> {
        let is_new = |entry: &&Entry| {
            let series = &entry.series;
            let resource = &*series.resource;
            !resource.is_empty() && !asked.contains(resource) && !self.known.contains_key(&series.id())
        };
        let new: HashSet<&str> = self
            .next()
            .iter()
            .filter(is_new)
            .map(|entry| &*entry.series.resource)
            .collect();
        new.into_iter().map(str::to_owned).collect()
    }

    /// Makes the next flush of what waits.
    fn begin(&mut self, owners: &Owners) {
        let from = self.waiting.len().saturating_sub(MAX_FLUSH);
        let entries = self.waiting.split_off(from);
        let mut batch = tables::numbered(Batch::new(), self.sequence + 1);
        let mut new = HashMap::new();
        for entry in entries {
            let id = entry.series.id();
            if !self.known.contains_key(&id) && !new.contains_key(&id) {
                let stack = owners.get(&*entry.series.resource);
                new.insert(id, stack.is_some() || entry.series.resource.is_empty());
                batch = tables::put_series(batch, &entry.series, stack.cloned());
            }
            batch = match entry.amount {
                Amount::Function(totals) => tables::add_function(batch, id, entry.minute, &totals),
                Amount::Count(quantity) => tables::add_count(batch, id, entry.minute, quantity),
            };
        }
        self.open = Some(Flush {
            batch: batch.growing(),
            series: new,
        });
    }

    /// The open flush is in the database.
    fn close(&mut self) {
        let Some(flush) = self.open.take() else { return };
        self.sequence += 1;
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.extend(flush.series);
    }
}

fn minute_of(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(60_000)
}
