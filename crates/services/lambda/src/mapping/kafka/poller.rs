//! The poller of a mapping of a topic: keeps a consumer, gathers, and starts batches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tradewind_connect::consumer::{Bounds, Consumer, Part, Prepare, Subscription};

use super::super::filter::Filters;
use super::super::model::{Mapping, MappingId, Source};
use super::super::poller::{LARGEST_SHARE_KIB, Place, Shared};
use super::super::registry::Assignment;
use super::super::scale::{MOST, STEP, Scale};
use super::super::worker::invocable;
use super::access::cluster_of;
use super::event::{Envelope, KafkaRecord, prepare};
use super::producer::MappingProducer;
use super::run::{KafkaPlan, KafkaRun};
use super::{Access, KafkaCluster, KafkaSource, USUAL_WINDOW, cluster_name};
use crate::service::LambdaService;

/// How long a mapping rests whose function is missing, or that cannot begin.
const AFTER_PROBLEM: Duration = Duration::from_secs(5);
/// After so long without a record the topic counts as idle.
const IDLE: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug)]
pub(in super::super) struct KafkaPoller {
    desired: watch::Receiver<Option<Arc<Mapping>>>,
    stop: CancellationToken,
    shared: Arc<Shared>,
    batches: TaskTracker,
    reading: Option<Reading>,
    /// Of the mapping as it is now.
    producer: Arc<MappingProducer>,
    /// More waits than the batches take.
    backlog: bool,
    /// What was told of the cluster.
    told: Option<String>,
}

/// A consumer, and what it was started with.
#[derive(Debug)]
struct Reading {
    consumer: Consumer<KafkaRecord>,
    source: KafkaSource,
    access: Vec<Access>,
    filters: Filters,
}

impl KafkaPoller {
    pub(in super::super) fn new(
        service: LambdaService,
        assignment: Assignment,
        stop: CancellationToken,
    ) -> Self {
        let least = assignment.desired.borrow().as_deref().map_or(1, least_pollers);
        let scale = Scale::of_pollers(service.clock().now(), least);
        let memory = Arc::clone(&service.mappings().kafka_memory);
        let shared = Shared::new(service, assignment.status, &stop, scale, memory);
        Self {
            desired: assignment.desired,
            shared: Arc::new(shared),
            stop,
            batches: TaskTracker::new(),
            reading: None,
            producer: Arc::default(),
            backlog: false,
            told: None,
        }
    }

    /// Works until the mapping is deleted or the node stops; returns when its batches have ended and the group is
    /// left.
    pub(in super::super) async fn run(mut self) {
        let stop = self.stop.clone();
        let mut desired = self.desired.clone();
        let mut before: Option<Arc<Mapping>> = None;
        while !stop.is_cancelled() {
            let Some(mapping) = desired.borrow_and_update().clone() else {
                break;
            };
            if before
                .replace(Arc::clone(&mapping))
                .is_some_and(|before| before != mapping)
            {
                // what waits for a retry is tried as the mapping says now
                self.shared.give_up_waiting(&self.stop);
                self.producer = Arc::default();
            }
            let pollers = least_pollers(&mapping);
            self.shared.scale(|scale| scale.set_pollers(pollers));
            let work = async {
                if mapping.enabled {
                    self.work(mapping).await;
                } else {
                    self.let_go().await;
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _changed_or_gone = desired.changed() => {}
                () = work => {}
            }
        }
        self.let_go().await;
    }

    /// One step: starts what is ready, then waits for more.
    ///
    /// # Cancel safety
    /// Cancel-safe: records that are in no batch yet come again.
    async fn work(&mut self, mapping: Arc<Mapping>) {
        let Source::Kafka(source) = mapping.source.clone() else {
            return;
        };
        let function = match invocable(&self.shared.service, &mapping.function) {
            Ok(found) => found,
            Err(text) => {
                self.shared.tell_problem(&mapping, text);
                return tokio::time::sleep(AFTER_PROBLEM).await;
            }
        };
        if let Err(error) = self.open(&mapping, &source).await {
            let text = format!("PROBLEM: {error}");
            self.shared.tell_problem(&mapping, &text);
            self.told = Some(text);
            return tokio::time::sleep(AFTER_PROBLEM).await;
        }
        self.tell_health(&mapping);
        let most = mapping.settings.kafka.maximum_pollers.unwrap_or(MOST);
        let reserved = function.function.reserved_concurrency.unwrap_or(most);
        let plan = KafkaPlan {
            envelope: Envelope::new(&source, servers_of(&self.shared.service, &source)),
            mapping,
            function,
            producer: Arc::clone(&self.producer),
            cap: most.min(reserved),
        };
        let pause = self.start_batches(&Arc::new(plan));
        let Some(reading) = &self.reading else { return };
        tokio::select! {
            () = reading.consumer.changed() => {}
            () = self.shared.ended.notified() => {}
            () = tokio::time::sleep(pause) => {
                if pause == IDLE {
                    self.shared.scale(Scale::idle);
                }
            }
        }
    }

    /// Starts a consumer, or goes on with the one that reads the same in the same way.
    async fn open(&mut self, mapping: &Arc<Mapping>, source: &KafkaSource) -> std::io::Result<()> {
        if self
            .reading
            .as_ref()
            .is_some_and(|reading| reading.consumer.has_ended())
        {
            self.let_go().await;
            return Err(std::io::Error::other("The consumer panicked; it starts again"));
        }
        let settings = &mapping.settings;
        let same = |reading: &Reading| reading.source == *source && reading.access == settings.kafka.access;
        if !self.reading.as_ref().is_some_and(same) {
            self.let_go().await;
            self.reading = Some(self.read(mapping, source)?);
        }
        if let Some(reading) = &mut self.reading {
            reading.consumer.gather(settings.batch_size as usize);
            if reading.filters != settings.filters {
                reading.filters = settings.filters.clone();
                reading.consumer.prepare_with(prepared_by(&settings.filters));
            }
        }
        Ok(())
    }

    fn read(&self, mapping: &Arc<Mapping>, source: &KafkaSource) -> std::io::Result<Reading> {
        let subscription = Subscription {
            topic: source.topic.clone(),
            group: source.group.clone(),
            instance: Some(instance_of(mapping.id)),
            start: source.start,
        };
        let (service, of, topic) = (self.shared.service.clone(), Arc::clone(mapping), source.clone());
        let cluster = Box::new(move || cluster_of(&service, &of, &topic));
        let filters = mapping.settings.filters.clone();
        let consumer = Consumer::start(subscription, cluster, prepared_by(&filters))?;
        Ok(Reading {
            consumer,
            source: source.clone(),
            access: mapping.settings.kafka.access.clone(),
            filters,
        })
    }

    /// Says what is wrong with the cluster, and once that it no longer is.
    fn tell_health(&mut self, mapping: &Mapping) {
        let problem = self
            .reading
            .as_ref()
            .and_then(|reading| reading.consumer.problem());
        let text = problem.map(|problem| format!("PROBLEM: {problem}"));
        if text == self.told {
            return;
        }
        match &text {
            Some(text) => self.shared.tell_problem(mapping, text),
            None => drop(self.shared.status.tell("OK")),
        }
        self.told = text;
    }

    /// Starts the batches that are ready and may run; says how long to wait for more.
    fn start_batches(&mut self, plan: &Arc<KafkaPlan>) -> Duration {
        let settings = &plan.mapping.settings;
        let bounds = settings.bounds(USUAL_WINDOW);
        let Some(reading) = &self.reading else {
            return AFTER_PROBLEM;
        };
        loop {
            let waiting = reading.consumer.waiting();
            let cap = plan
                .cap
                .min(u32::try_from(reading.consumer.assigned()).unwrap_or(MOST))
                .max(1);
            let room = room(
                &self.shared,
                &mut self.backlog,
                cap,
                waiting.queued >= bounds.size,
            );
            if room == 0 || self.shared.holds_its_share() {
                return if self.backlog { STEP } else { IDLE };
            }
            let Some(since) = waiting.since else { return IDLE };
            let space = plan.envelope.room(waiting.partitions);
            let full = waiting.full || waiting.records >= bounds.size || waiting.bytes >= space;
            let left = (since + bounds.window).saturating_duration_since(Instant::now());
            if !full && !left.is_zero() {
                return left;
            }
            let most = Bounds {
                records: bounds.size,
                bytes: space,
            };
            let batches = waiting.records.div_ceil(bounds.size.max(1)).min(room as usize);
            let parts = reading.consumer.take(most, batches);
            let kib = kib(&parts).min(LARGEST_SHARE_KIB);
            let place = Place::take(&self.shared, share(&self.shared.memory, kib));
            let (run, piece) = KafkaRun::new(&self.shared, Arc::clone(plan), parts, place);
            self.batches.spawn(run.run(piece));
        }
    }

    /// Waits for the batches, which wait for nothing any more, and leaves the group.
    ///
    /// # Cancel safety
    /// Dropped, the consumer is there until the next call.
    async fn let_go(&mut self) {
        self.shared.give_up_waiting(&self.stop);
        self.batches.close();
        self.batches.wait().await;
        self.batches.reopen();
        if let Some(reading) = self.reading.take() {
            reading.consumer.close().await;
        }
    }
}

/// Batches that run at first and at least.
fn least_pollers(mapping: &Mapping) -> u32 {
    mapping.settings.kafka.minimum_pollers.unwrap_or(1)
}

/// Batches that may be started now. The scale grows with the time that there is a backlog.
fn room(shared: &Shared, backlog: &mut bool, cap: u32, has_more: bool) -> u32 {
    let now = shared.service.clock().now();
    shared.scale(|scale| {
        if !(has_more && *backlog) {
            scale.saturated(now);
        } else if scale.room(cap) == 0 {
            scale.grow(now);
        }
        *backlog = has_more;
        scale.room(cap)
    })
}

/// The memory of a batch, or what is left of it. Nobody waits for it: batches that fail hold theirs as long as they are
/// tried, and [`Shared::holds_its_share`] leaves each mapping at least one batch.
fn share(memory: &Arc<Semaphore>, kib: u32) -> Option<OwnedSemaphorePermit> {
    let free = u32::try_from(memory.available_permits()).unwrap_or(u32::MAX);
    Arc::clone(memory).try_acquire_many_owned(kib.min(free)).ok()
}

/// What a batch takes in memory, about.
fn kib(parts: &[Part<KafkaRecord>]) -> u32 {
    let records = parts.iter().flat_map(|part| &part.items);
    let bytes: usize = records.map(|item| item.value.text.len()).sum();
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

fn prepared_by(filters: &Filters) -> Arc<Prepare<KafkaRecord>> {
    let filters = filters.clone();
    Arc::new(move |record| prepare(&filters, record))
}

/// A node is one member of a mapping's group, before and after a restart.
fn instance_of(id: MappingId) -> String {
    format!("tradewind-{id}")
}

/// `bootstrapServers` of events.
fn servers_of(service: &LambdaService, source: &KafkaSource) -> String {
    match &source.cluster {
        KafkaCluster::SelfManaged { servers, .. } => servers.to_string(),
        KafkaCluster::Named(arn) => {
            let named = service
                .kafka()
                .clusters
                .find(cluster_name(arn).unwrap_or_default());
            named.map(|named| named.servers.to_string()).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests;
