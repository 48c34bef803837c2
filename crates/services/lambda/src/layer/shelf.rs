//! All layers of the node, in memory as the database has them, and the one way to change them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;
use tradewind_model::{AccountId, Region, Timestamp};

use super::{Layer, LayerArn, LayerName, LayerVersion, LayerVersionArn};
use crate::error::LambdaError;
use crate::service::LambdaService;
use crate::tables;

/// All layers, by account, region and name.
#[derive(Debug)]
pub(crate) struct Shelf {
    layers: RwLock<BTreeMap<LayerArn, Arc<Layer>>>,
    /// Held while a layer changes, so that database and memory see the same order.
    changing: Mutex<()>,
}

/// What becomes of a layer, and what the change answers.
pub(crate) struct Change<T> {
    after: Option<Layer>,
    answer: T,
}

impl<T> Change<T> {
    /// Leaves it as it is.
    pub(crate) fn keep(answer: T) -> Self {
        Self { after: None, answer }
    }

    /// Makes or replaces it.
    pub(crate) fn put(layer: Layer, answer: T) -> Self {
        Self {
            after: Some(layer),
            answer,
        }
    }
}

impl Shelf {
    /// With the layers that were read from the database.
    pub(crate) fn new(layers: Vec<Layer>) -> Self {
        let by_arn = layers
            .into_iter()
            .map(|layer| (layer.arn.clone(), Arc::new(layer)));
        Self {
            layers: RwLock::new(by_arn.collect()),
            changing: Mutex::default(),
        }
    }

    /// The layer, if it was ever published.
    pub(crate) fn find(&self, arn: &LayerArn) -> Option<Arc<Layer>> {
        self.read().get(arn).cloned()
    }

    /// One version of a layer.
    pub(crate) fn version(&self, arn: &LayerVersionArn) -> Option<LayerVersion> {
        self.find(&arn.layer)?.versions.get(&arn.version).cloned()
    }

    /// The layers of one account and region behind `after`, by name.
    pub(crate) fn list(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<LayerName>,
    ) -> Vec<Arc<Layer>> {
        let layers = self.read();
        let arn = |name| LayerArn {
            account: account.clone(),
            region: region.clone(),
            name,
        };
        let of_caller = |layer: &&Arc<Layer>| layer.arn.account == *account && layer.arn.region == *region;
        let Some(after) = after else {
            return layers.values().filter(of_caller).cloned().collect();
        };
        let behind = (Bound::Excluded(arn(after)), Bound::Unbounded);
        let rest = layers.range(behind).map(|(_, layer)| layer);
        rest.filter(of_caller).cloned().collect()
    }

    /// Every version of every layer.
    pub(crate) fn all_versions<T>(&self, read: impl FnMut(&LayerVersion) -> T) -> Vec<T> {
        let layers = self.read();
        let versions = layers.values().flat_map(|layer| layer.versions.values());
        versions.map(read).collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<LayerArn, Arc<Layer>>> {
        self.layers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, layer: Layer) {
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        layers.insert(layer.arn.clone(), Arc::new(layer));
    }
}

impl LambdaService {
    /// Changes one layer: `decide` sees it as it is now and says what becomes of it; its answer comes back
    /// after the change is in the database and in memory.
    ///
    /// # Cancel safety
    /// The change runs to its end even if this future is dropped.
    pub(crate) async fn change_layer<T: Send + 'static>(
        &self,
        arn: LayerArn,
        decide: impl FnOnce(Option<&Layer>, Timestamp) -> Result<Change<T>, LambdaError> + Send + 'static,
    ) -> Result<T, LambdaError> {
        let service = self.clone();
        let task = self
            .tasks()
            .spawn(async move { service.change_layer_to_the_end(&arn, decide).await });
        task.await.map_err(LambdaError::internal)?
    }

    async fn change_layer_to_the_end<T>(
        &self,
        arn: &LayerArn,
        decide: impl FnOnce(Option<&Layer>, Timestamp) -> Result<Change<T>, LambdaError>,
    ) -> Result<T, LambdaError> {
        let _turn = self.shelf().changing.lock().await;
        let before = self.shelf().find(arn);
        let Change { after, answer } = decide(before.as_deref(), self.clock().now())?;
        if let Some(after) = after {
            let batch = tables::layers::change(before.as_deref(), &after);
            self.database().write(batch).await?;
            self.shelf().put(after);
        }
        Ok(answer)
    }
}
