//! The thread of a consumer: the only one that calls the client.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::BorrowedMessage;
use rdkafka::{ClientContext, Message as _, Offset, TopicPartitionList};
use tokio::sync::watch;

use super::inbox::{Inbox, Step};
use super::record::Record;
use super::start::{commit_start, list};
use super::{FindCluster, PATIENCE, Prepare, Subscription};
use crate::client::{Health, config};
use crate::problem::Problem;

/// After how many milliseconds of silence the group takes a member for dead; the mock of a cluster lets each member
/// that comes later wait as long.
const SESSION_MS: &str = if cfg!(test) { "5000" } else { "10000" };
/// How long a poll waits; so long at most a commit is late.
const POLL: Duration = Duration::from_millis(50);
/// From a commit to the next, at least: small batches come by the thousand a second, and each commit is a request.
const BETWEEN_COMMITS: Duration = Duration::from_millis(10);
/// How long the brokers may take to say what they know of the topic.
const LOOK: Duration = Duration::from_secs(5);
/// How long a seek may take.
const SEEK: Duration = Duration::from_secs(5);
/// The first wait after a problem; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait after a problem.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// See the module.
pub(super) struct Thread<T> {
    pub(super) subscription: Subscription,
    pub(super) cluster: Box<FindCluster>,
    pub(super) prepare: watch::Receiver<Arc<Prepare<T>>>,
    pub(super) inbox: Arc<Inbox<T>>,
    pub(super) health: Health,
    pub(super) commits: Commits,
}

/// How far apart commits are.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// When the last one was.
    last: Cell<Option<Instant>>,
    /// One was put off since.
    put_off: Cell<bool>,
}

impl Commits {
    /// Whether it is too early for one; then there has to be one soon.
    fn put_off(&self, now: Instant) -> bool {
        let is_early = |last: Instant| now < last + BETWEEN_COMMITS;
        let early = self.last.get().is_some_and(is_early);
        self.put_off.set(early);
        early
    }

    /// How long a poll may wait: a commit that was put off is not to wait for a record.
    fn patience(&self) -> Duration {
        if self.put_off.get() { BETWEEN_COMMITS } else { POLL }
    }

    fn made(&self, now: Instant) {
        self.last.set(Some(now));
    }
}

/// What the client calls back.
struct Context<T> {
    topic: String,
    inbox: Arc<Inbox<T>>,
    health: Health,
}

type Client<T> = BaseConsumer<Context<T>>;

impl<T: Send + 'static> ClientContext for Context<T> {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.health.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.health.error(error, reason);
    }
}

impl<T: Send + 'static> ConsumerContext for Context<T> {
    fn pre_rebalance(&self, client: &Client<T>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(partitions) = rebalance else {
            return;
        };
        let patience = if client.assignment_lost() || self.inbox.is_closing() {
            Duration::ZERO
        } else {
            PATIENCE
        };
        let settled = self.inbox.revoke(&numbers(partitions), patience);
        if let Err(error) = commit(client, &self.topic, &settled, CommitMode::Sync) {
            tracing::debug!(topic = self.topic, %error, "offsets are not committed; their records come again");
        }
    }

    fn post_rebalance(&self, client: &Client<T>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(partitions) = rebalance else {
            return;
        };
        let numbers = numbers(partitions);
        tracing::debug!(topic = self.topic, partitions = ?numbers, "the group gave partitions");
        self.inbox.assign(numbers.iter().copied());
        if let Err(error) = client.resume(partitions) {
            tracing::debug!(topic = self.topic, %error, "partitions cannot be resumed");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let Err(error) = result else { return };
        tracing::debug!(topic = self.topic, %error, "a commit failed; it is tried again");
        for element in offsets.elements() {
            if let Offset::Offset(next) = element.offset() {
                self.inbox.unsettled(element.partition(), next);
            }
        }
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<i32> {
    let elements = partitions.elements();
    elements.iter().map(|element| element.partition()).collect()
}

fn commit<T: Send + 'static>(
    client: &Client<T>,
    topic: &str,
    settled: &[(i32, i64)],
    mode: CommitMode,
) -> KafkaResult<()> {
    if settled.is_empty() {
        return Ok(());
    }
    let mut offsets = TopicPartitionList::new();
    for (partition, next) in settled {
        offsets.add_partition_offset(topic, *partition, Offset::Offset(*next))?;
    }
    client.commit(&offsets, mode)
}

impl<T: Send + 'static> Thread<T> {
    /// Reads until it is closed; after a problem it starts anew, with the credentials as they are then.
    pub(super) fn run(mut self) {
        let mut wait = FIRST_WAIT;
        while !self.inbox.is_closing() {
            let began = Instant::now();
            let Err(problem) = self.session() else { break };
            self.note(problem);
            if began.elapsed() > LONGEST_WAIT * 2 {
                wait = FIRST_WAIT;
            }
            self.pause_for(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn note(&self, problem: Problem) {
        if self.health.problem().as_ref() != Some(&problem) {
            tracing::debug!(topic = self.subscription.topic, %problem, "a topic cannot be read");
        }
        self.health.note(problem);
        self.inbox.tell_reader();
    }

    /// Waits, unless it is closed.
    fn pause_for(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.inbox.is_closing() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.inbox.rest(left.min(POLL));
        }
    }

    /// One client, from its creation to its end.
    fn session(&mut self) -> Result<(), Problem> {
        let client = self.client()?;
        let Some(partitions) = self.find_topic(&client)? else {
            return Ok(());
        };
        let Subscription { topic, start, .. } = &self.subscription;
        if let Err(error) = commit_start(&client, topic, &partitions, *start) {
            // another member has the group: then it has begun
            if error.rdkafka_error_code() != Some(Code::UnknownMemberId) {
                return Err(Problem::of(&error, ""));
            }
        }
        let subscribed = client.subscribe(&[topic]);
        subscribed.map_err(|error| Problem::of(&error, ""))?;
        let ended = self.read(&client);
        let settled = self.inbox.take_settled();
        if let Err(error) = commit(&client, &self.subscription.topic, &settled, CommitMode::Sync) {
            tracing::debug!(topic = self.subscription.topic, %error, "offsets are not committed");
        }
        ended
    }

    fn client(&self) -> Result<Client<T>, Problem> {
        let mut config = config(&(self.cluster)()?)?;
        self.configure(&mut config);
        let context = Context {
            topic: self.subscription.topic.clone(),
            inbox: Arc::clone(&self.inbox),
            health: self.health.clone(),
        };
        let made = config.create_with_context(context);
        made.map_err(|error| Problem::of(&error, ""))
    }

    fn configure(&self, config: &mut ClientConfig) {
        if let Some(instance) = &self.subscription.instance {
            config.set("group.instance.id", instance);
        }
        config
            .set("group.id", &self.subscription.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", SESSION_MS)
            .set("heartbeat.interval.ms", "1000")
            .set("max.poll.interval.ms", "300000")
            // what is fetched ahead: 8 MiB, and what one fetch brings beyond it
            .set("queued.max.messages.kbytes", "8192")
            .set("queued.min.messages", "20000")
            .set("fetch.max.bytes", "8388608")
            .set("fetch.message.max.bytes", "1048576")
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.error.backoff.ms", "200")
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("topic.metadata.propagation.max.ms", "3000");
    }

    /// The topic's partitions, once brokers tell of them; none when it is closed before.
    fn find_topic(&self, client: &Client<T>) -> Result<Option<Vec<i32>>, Problem> {
        let mut wait = FIRST_WAIT;
        while !self.inbox.is_closing() {
            match self.look(client) {
                Ok(partitions) => {
                    self.health.clear();
                    return Ok(Some(partitions));
                }
                Err(problem) => self.note(problem),
            }
            if self
                .health
                .problem()
                .is_some_and(|problem| needs_new_client(&problem))
            {
                return Err(self.health.problem().unwrap_or(Problem::Connection));
            }
            self.pause_for(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Ok(None)
    }

    fn look(&self, client: &Client<T>) -> Result<Vec<i32>, Problem> {
        let topic = self.subscription.topic.as_str();
        let found = client.fetch_metadata(Some(topic), LOOK);
        let metadata = match found {
            Ok(metadata) => metadata,
            Err(error) => {
                // why brokers are not reached stands in the client's events
                while let Some(Err(error)) = client.poll(Duration::ZERO) {
                    self.health.note(Problem::of(&error, ""));
                }
                return Err(Problem::of(&error, ""));
            }
        };
        let topics = metadata.topics();
        let found = topics.iter().find(|found| found.name() == topic);
        let found = found.ok_or(Problem::TopicNotFound)?;
        if let Some(error) = found.error() {
            return Err(Problem::of(&KafkaError::MetadataFetch(error.into()), ""));
        }
        let partitions: Vec<i32> = found
            .partitions()
            .iter()
            .map(|partition| partition.id())
            .collect();
        if partitions.is_empty() {
            return Err(Problem::TopicNotFound);
        }
        Ok(partitions)
    }

    /// Polls until it is closed, or the client is of no use any more.
    fn read(&mut self, client: &Client<T>) -> Result<(), Problem> {
        let mut prepare = Arc::clone(&self.prepare.borrow_and_update());
        let mut served = Instant::now();
        let (mut looked, mut suspicious) = (Instant::now(), false);
        let mut now = Instant::now();
        loop {
            if now >= served + POLL {
                prepare = Arc::clone(&self.prepare.borrow_and_update());
                self.commit(client);
                if looked.elapsed() >= LOOK && (suspicious || self.health.problem().is_some()) {
                    self.recover(client)?;
                    (suspicious, looked) = (false, Instant::now());
                }
                if !self.serve(client, now)? {
                    return Ok(());
                }
                now = Instant::now();
                served = now;
            }
            let polled = client.poll(self.commits.patience());
            // asked once for each record: there are very many
            now = Instant::now();
            let attention = match polled {
                None => {
                    served = now - POLL;
                    false
                }
                Some(Ok(message)) => self.receive(&message, &prepare, now),
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(Problem::of(&KafkaError::MessageConsumptionFatal(code), ""));
                }
                Some(Err(error)) => {
                    match Problem::of(&error, "") {
                        // a connection that was idle is closed by its broker, and opened anew
                        Problem::Connection => suspicious = true,
                        problem if needs_new_client(&problem) => return Err(problem),
                        problem => self.note(problem),
                    }
                    false
                }
            };
            if attention {
                self.commit(client);
                if !self.serve(client, now)? {
                    return Ok(());
                }
                now = Instant::now();
            }
        }
    }

    fn receive(&self, message: &BorrowedMessage<'_>, prepare: &Arc<Prepare<T>>, now: Instant) -> bool {
        let record = Record::new(message);
        let prepared = prepare(&record).map(|(value, bytes)| (value, bytes.max(record.bytes())));
        self.inbox
            .push(message.partition(), message.offset(), prepared, now)
    }

    /// Commits what is settled, unless that was done a moment ago: then the next call does.
    fn commit(&self, client: &Client<T>) {
        let now = Instant::now();
        if self.commits.put_off(now) {
            return;
        }
        let settled = self.inbox.take_settled();
        if settled.is_empty() {
            return;
        }
        self.commits.made(now);
        let topic = self.subscription.topic.as_str();
        if let Err(error) = commit(client, topic, &settled, CommitMode::Async) {
            tracing::debug!(topic, %error, "a commit failed; it is tried again");
            for (partition, next) in settled {
                self.inbox.unsettled(partition, next);
            }
        }
    }

    /// Does what the inbox asks for; false when it is closed.
    fn serve(&self, client: &Client<T>, mut now: Instant) -> Result<bool, Problem> {
        let topic = self.subscription.topic.as_str();
        let of = |error: KafkaError| Problem::of(&error, "");
        loop {
            match self.inbox.step(now) {
                Step::Poll => return Ok(true),
                Step::Close => return Ok(false),
                Step::Rest(time) => {
                    self.inbox.rest(time);
                    self.commit(client);
                }
                Step::Pause(partitions) => {
                    let paused = list(topic, &partitions, Offset::Invalid).map_err(of)?;
                    client.pause(&paused).map_err(of)?;
                    self.inbox.paused(&partitions, true);
                }
                Step::Resume(partitions) => {
                    let resumed = list(topic, &partitions, Offset::Invalid).map_err(of)?;
                    client.resume(&resumed).map_err(of)?;
                    self.inbox.paused(&partitions, false);
                }
                Step::Rewind(partition, offset) => {
                    client
                        .seek(topic, partition, Offset::Offset(offset), SEEK)
                        .map_err(of)?;
                    self.inbox.rewound(partition);
                }
            }
            now = Instant::now();
        }
    }

    /// Asks whether something is wrong, or still is; an error if only another client gets over it.
    fn recover(&self, client: &Client<T>) -> Result<(), Problem> {
        match self.look(client) {
            Ok(_) => {
                self.health.clear();
                self.inbox.tell_reader();
            }
            Err(problem) => self.note(problem),
        }
        let problem = self.health.problem();
        problem.filter(needs_new_client).map_or(Ok(()), Err)
    }
}

/// What a client that has once been made does not get over: other credentials may.
fn needs_new_client(problem: &Problem) -> bool {
    match problem {
        Problem::Login
        | Problem::ClientRejected
        | Problem::ServerUntrusted
        | Problem::Certificate
        | Problem::Secret(_)
        | Problem::TlsMissing(_) => true,
        Problem::Connection | Problem::Authorization | Problem::TopicNotFound | Problem::Other(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_apart_and_one_that_was_put_off_does_not_wait_for_a_record() {
        let (commits, now) = (Commits::default(), Instant::now());
        assert!(!commits.put_off(now));
        commits.made(now);
        assert_eq!(commits.patience(), POLL);
        assert!(commits.put_off(now + BETWEEN_COMMITS / 2));
        assert_eq!(commits.patience(), BETWEEN_COMMITS);
        assert!(!commits.put_off(now + BETWEEN_COMMITS));
        assert_eq!(commits.patience(), POLL);
    }
}
