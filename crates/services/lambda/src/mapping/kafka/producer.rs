//! Who writes what a mapping gives up to another topic of its cluster: opened when it is first needed, which is seldom.

use tokio::sync::Mutex;
use tradewind_connect::{Problem, Producer};

use super::super::model::{Mapping, Source};
use super::access::cluster_of;
use crate::service::LambdaService;

/// The producer of a mapping, once there is one.
#[derive(Debug, Default)]
pub(super) struct MappingProducer(Mutex<Option<Producer>>);

impl MappingProducer {
    /// That of the cluster that the mapping reads.
    pub(super) async fn open(&self, service: &LambdaService, mapping: &Mapping) -> Result<Producer, Problem> {
        let Source::Kafka(source) = &mapping.source else {
            return Err(Problem::TopicNotFound);
        };
        let mut producer = self.0.lock().await;
        if let Some(open) = &*producer {
            return Ok(open.clone());
        }
        let opened = Producer::open(&cluster_of(service, mapping, source)?).await?;
        Ok(producer.insert(opened).clone())
    }

    /// The next one logs in with the credentials of then.
    pub(super) async fn close(&self) {
        self.0.lock().await.take();
    }
}
