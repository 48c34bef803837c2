//! Topics of named clusters as targets: whoever has the ARN of one writes to it here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_model::{AccountId, Arn, Region, Secrets};

use crate::named::Clusters;
use crate::problem::Problem;
use crate::producer::{ProduceCode, ProduceError, Producer, Record};

/// How long a producer is kept that nobody uses.
const KEPT: Duration = Duration::from_mins(5);
const MAX_TOPIC: usize = 249;

/// The ARN of a topic of a named cluster: `arn:aws:kafka:REGION:ACCOUNT:topic/CLUSTER/UUID/TOPIC`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TopicArn {
    account: AccountId,
    region: Region,
    cluster: Box<str>,
    topic: Box<str>,
}

impl TopicArn {
    /// None if it is the ARN of something else.
    #[must_use]
    pub fn of(arn: &Arn) -> Option<Self> {
        let rest = arn.resource.strip_prefix("topic/")?;
        let mut parts = rest.split('/');
        let (cluster, uuid, topic) = (parts.next()?, parts.next()?, parts.next()?);
        let valid =
            &*arn.service == "kafka" && !cluster.is_empty() && !uuid.is_empty() && parts.next().is_none();
        (valid && is_topic(topic)).then_some(())?;
        Some(Self {
            account: arn.account.parse().ok()?,
            region: arn.region.parse().ok()?,
            cluster: cluster.into(),
            topic: topic.into(),
        })
    }

    /// The cluster's name.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

/// Kafka's rule for names of topics.
fn is_topic(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !matches!(name, "" | "." | "..") && name.len() <= MAX_TOPIC && name.chars().all(plain)
}

/// Why an ARN is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopic {
    /// It has another form.
    #[error("`{0}` is not arn:aws:kafka:REGION:ACCOUNT:topic/CLUSTER/UUID/TOPIC")]
    Form(String),
    /// This node was not told of the cluster.
    #[error("there is no Kafka cluster `{cluster}`; start the node with --kafka {cluster}=HOST:PORT")]
    NoCluster {
        /// Its name.
        cluster: String,
    },
}

/// The topics of a node's named clusters. Clones share their producers.
#[derive(Clone, Debug)]
pub struct Topics(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clusters: Clusters,
    secrets: Arc<dyn Secrets>,
    producers: Mutex<HashMap<Key, Used>>,
}

/// The account and region say whose secret logs in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    account: AccountId,
    region: Region,
    cluster: Box<str>,
}

#[derive(Debug)]
struct Used {
    producer: Producer,
    at: Instant,
}

impl Topics {
    /// The topics of these clusters; `secrets` has what logs in to them.
    #[must_use]
    pub fn new(clusters: Clusters, secrets: Arc<dyn Secrets>) -> Self {
        Self(Arc::new(Shared {
            clusters,
            secrets,
            producers: Mutex::default(),
        }))
    }

    /// The topic that the ARN names, if its cluster is known; whether the topic exists is not asked.
    ///
    /// # Errors
    /// [`InvalidTopic`].
    pub fn find(&self, arn: &Arn) -> Result<TopicArn, InvalidTopic> {
        let topic = TopicArn::of(arn).ok_or_else(|| InvalidTopic::Form(arn.to_string()))?;
        match self.0.clusters.find(&topic.cluster) {
            Some(_) => Ok(topic),
            None => Err(InvalidTopic::NoCluster {
                cluster: topic.cluster.into(),
            }),
        }
    }

    /// Writes records to the topic in their order; what became of each.
    pub async fn send_all(&self, topic: &TopicArn, records: &[Record]) -> Vec<Result<(), ProduceError>> {
        let results = match self.producer(topic).await {
            Ok(producer) => producer.send_all(&topic.topic, records).await,
            Err(problem) => records
                .iter()
                .map(|_| Err(ProduceError::from(problem.clone())))
                .collect(),
        };
        let is_refused = |result: &Result<(), ProduceError>| matches!(result, Err(error) if error.code == ProduceCode::NotAllowed);
        if results.iter().any(is_refused) {
            // the next attempt reads the secret anew
            self.forget(topic);
        }
        results
    }

    async fn producer(&self, topic: &TopicArn) -> Result<Producer, Problem> {
        if let Some(producer) = self.kept(topic) {
            return Ok(producer);
        }
        let not_found = || Problem::Other(format!("there is no cluster `{}`", topic.cluster));
        let named = self.0.clusters.find(&topic.cluster).ok_or_else(not_found)?;
        let cluster = named.cluster(&*self.0.secrets, &topic.account, &topic.region)?;
        let producer = Producer::open(&cluster).await?;
        let used = Used {
            producer,
            at: Instant::now(),
        };
        let mut producers = self.0.producers.lock().unwrap_or_else(PoisonError::into_inner);
        // another may have opened one meanwhile: one producer a cluster
        Ok(producers.entry(key(topic)).or_insert(used).producer.clone())
    }

    fn kept(&self, topic: &TopicArn) -> Option<Producer> {
        let mut producers = self.0.producers.lock().unwrap_or_else(PoisonError::into_inner);
        let used = producers.get_mut(&key(topic))?;
        used.at = Instant::now();
        Some(used.producer.clone())
    }

    fn forget(&self, topic: &TopicArn) {
        let mut producers = self.0.producers.lock().unwrap_or_else(PoisonError::into_inner);
        producers.remove(&key(topic));
    }

    /// Closes producers that were not used for a while, until `stop`; then all.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(KEPT) => self.close_unused(),
            }
        }
        let mut producers = self.0.producers.lock().unwrap_or_else(PoisonError::into_inner);
        producers.clear();
    }

    fn close_unused(&self) {
        let mut producers = self.0.producers.lock().unwrap_or_else(PoisonError::into_inner);
        producers.retain(|_, used| used.at.elapsed() < KEPT);
    }
}

fn key(topic: &TopicArn) -> Key {
    Key {
        account: topic.account.clone(),
        region: topic.region.clone(),
        cluster: topic.cluster.clone(),
    }
}
