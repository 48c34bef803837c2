//! Counters of what costs money and is not an invocation: requests, events, bytes.
//!
//! # Invariants
//! - [`Meter::count`] takes a read lock and adds to an atomic; it waits for nobody but who names a resource for the
//!   first time.
//! - What was counted is taken exactly once.
//! - Resources are bounded, in number and length: beyond the bound the same is counted without its resource.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Resources an item is counted by; what further ones use is counted without them.
const MAX_RESOURCES: usize = 16 * 1024;
/// The longest resource, in bytes: ARNs have at most as many.
const MAX_RESOURCE: usize = 2048;

macro_rules! metered {
    ($($(#[$doc:meta])* $name:ident => $word:literal,)+) => {
        /// What is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Metered {
            $($(#[$doc])* $name,)+
        }

        impl Metered {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name in the database and in price files.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

metered! {
    /// Requests to HTTP APIs, each begun 512 KiB of request or answer one.
    HttpApiRequests => "apigateway.http.requests",
    /// Requests to REST APIs.
    RestApiRequests => "apigateway.rest.requests",
    /// Requests to standard queues, each begun 64 KiB one.
    SqsRequests => "sqs.requests",
    /// Requests to FIFO queues, each begun 64 KiB one.
    SqsFifoRequests => "sqs.fifo.requests",
    /// What is published to topics, each begun 64 KiB one.
    SnsPublishes => "sns.publishes",
    /// Deliveries of topics to HTTP endpoints, each begun 64 KiB one.
    SnsHttpDeliveries => "sns.http.deliveries",
    /// Deliveries of topics by mail.
    SnsEmailDeliveries => "sns.email.deliveries",
    /// Events of one's own put on a bus, each begun 64 KiB one.
    EventBridgeEvents => "events.custom",
    /// Schedules' invocations of their targets.
    SchedulerInvocations => "scheduler.invocations",
    /// PUT, COPY, POST and LIST requests to buckets.
    S3Writes => "s3.writes",
    /// GET and all other requests to buckets, DELETE aside, which is free.
    S3Reads => "s3.reads",
    /// Bytes of lines that functions wrote and that clients put into log groups.
    LogBytes => "logs.bytes",
}

impl Metered {
    /// What requests to a queue of that name or ARN are.
    #[must_use]
    pub fn requests_to(queue: &str) -> Self {
        match queue.ends_with(".fifo") {
            true => Self::SqsFifoRequests,
            false => Self::SqsRequests,
        }
    }
}

/// One counter of a [`Meter`], for who counts the same again and again.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds to it.
    pub fn add(&self, quantity: u64) {
        self.0.fetch_add(quantity, Ordering::Relaxed);
    }
}

type Counters = HashMap<Box<str>, Counter>;

/// Counts. Clones are handles to the same one; a fresh one counts for nobody.
#[derive(Clone)]
pub struct Meter(Arc<[RwLock<Counters>]>);

impl Default for Meter {
    fn default() -> Self {
        Self(Metered::ALL.iter().map(|_| RwLock::default()).collect())
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}

/// What was counted of one item for one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What.
    pub item: Metered,
    /// The ARN it was counted for, or nothing.
    pub resource: Box<str>,
    /// How much.
    pub quantity: u64,
}

impl Meter {
    /// Adds `quantity` of `item` for a resource, an ARN; empty where none is known.
    pub fn count(&self, item: Metered, resource: &str, quantity: u64) {
        let counters = self.of(item).read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = counters.get(resource) {
            return counter.add(quantity);
        }
        drop(counters);
        self.counter(item, resource).add(quantity);
    }

    /// The counter of that item and resource.
    #[must_use]
    pub fn counter(&self, item: Metered, resource: &str) -> Counter {
        let mut counters = self.of(item).write().unwrap_or_else(PoisonError::into_inner);
        let is_full = counters.len() >= MAX_RESOURCES && !counters.contains_key(resource);
        let is_too_much = is_full || resource.len() > MAX_RESOURCE;
        let resource = if is_too_much { "" } else { resource };
        counters.entry(resource.into()).or_default().clone()
    }

    /// What was counted since the last call. Counters that were not used since, and that nobody holds, go.
    #[must_use]
    pub fn take(&self) -> Vec<Counted> {
        Metered::ALL
            .iter()
            .flat_map(|item| take(*item, self.of(*item)))
            .collect()
    }

    fn of(&self, item: Metered) -> &RwLock<Counters> {
        &self.0[item as usize]
    }
}

fn take(item: Metered, counters: &RwLock<Counters>) -> Vec<Counted> {
    let mut taken = Vec::new();
    let mut idle = 0_usize;
    let read = counters.read().unwrap_or_else(PoisonError::into_inner);
    for (resource, counter) in read.iter() {
        match counter.0.swap(0, Ordering::Relaxed) {
            0 => idle += 1,
            quantity => taken.push(Counted {
                item,
                resource: resource.clone(),
                quantity,
            }),
        }
    }
    drop(read);
    if idle > MAX_RESOURCES / 2 {
        let mut counters = counters.write().unwrap_or_else(PoisonError::into_inner);
        counters
            .retain(|_, counter| Arc::strong_count(&counter.0) > 1 || counter.0.load(Ordering::Relaxed) > 0);
    }
    taken
}

/// What so many bytes are billed as where each begun 64 KiB is a request.
#[must_use]
pub fn units_of_64_kib(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(64 * 1024))
        .unwrap_or(u64::MAX)
        .max(1)
}
