//! Who writes what a mapping gives up to another topic of its cluster: opened when it is needed, which is seldom.

use tradewind_connect::{Problem, Producer};

use super::super::model::{Mapping, Source};
use super::access::cluster_of;
use crate::service::LambdaService;

/// A producer of the cluster that the mapping reads.
pub(super) async fn producer_of(service: &LambdaService, mapping: &Mapping) -> Result<Producer, Problem> {
    let Source::Kafka(source) = &mapping.source else {
        return Err(Problem::TopicNotFound);
    };
    Producer::open(&cluster_of(service, mapping, source)?).await
}
