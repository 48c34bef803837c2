//! The service itself: the identities in memory, and the one way to change them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, Semaphore};
use tradewind_events::delivery::{Deliveries, LaneId};
use tradewind_events::mail::{self, MailRelay};
use tradewind_model::resource::ResourceType;
use tradewind_model::{AccountId, Clock, Region, Timestamp};
use tradewind_store::Database;

use crate::error::SesError;
use crate::model::{Identity, IdentityKey, IdentityName};
use crate::send::MAX_STORING_KIB;
use crate::{tables, worker};

/// Mails that are handed in at the same time.
const CONCURRENCY: usize = 4;

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct SesConfig {
    /// Where identities are kept; migrated with [`crate::MIGRATIONS`].
    pub database: Database,
    /// What keeps mail until the relay has it.
    pub deliveries: Deliveries,
    /// What takes mail; without it nothing is sent.
    pub mail: Option<MailRelay>,
    /// The time.
    pub clock: Clock,
}

/// The SES of a node. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct SesService(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: SesConfig,
    identities: RwLock<BTreeMap<IdentityKey, Identity>>,
    /// Held from a decision to its commit, so that two changes do not decide on the same state. It is an
    /// async mutex because the write happens while it is held.
    changing: Mutex<()>,
    /// In KiB.
    storing: Semaphore,
}

impl SesService {
    /// Reads the identities, and begins to hand in what is owed.
    ///
    /// # Errors
    /// When the database fails or holds what this binary cannot read.
    pub async fn open(config: SesConfig) -> Result<Self, SesError> {
        let identities = tables::load(&config.database).await?.into_iter().collect();
        let mut settings = mail::lane_settings(None);
        settings.concurrency = CONCURRENCY;
        let deliveries = config.deliveries.clone();
        let service = Self(Arc::new(Shared {
            config,
            identities: RwLock::new(identities),
            changing: Mutex::new(()),
            storing: Semaphore::new(MAX_STORING_KIB),
        }));
        deliveries.connect(worker::LANES, Arc::new(service.clone()));
        deliveries.open(&Self::lane(), settings).await?;
        Ok(service)
    }

    /// The CloudFormation types of this service.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        crate::resource::types(self)
    }

    /// Where mail waits for the relay.
    pub(crate) fn lane() -> LaneId {
        LaneId::new(worker::LANES, "outbound")
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.config.database
    }

    pub(crate) fn deliveries(&self) -> &Deliveries {
        &self.0.config.deliveries
    }

    /// What may be stored yet at this time, in KiB.
    pub(crate) fn storing(&self) -> &Semaphore {
        &self.0.storing
    }

    pub(crate) fn relay(&self) -> Option<&MailRelay> {
        self.0.config.mail.as_ref()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.config.clock.now()
    }

    /// Reads the identities. `read` is short: changes wait for it.
    fn identities<T>(&self, read: impl FnOnce(&BTreeMap<IdentityKey, Identity>) -> T) -> T {
        read(&self.0.identities.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn identity(&self, key: &IdentityKey) -> Result<Identity, SesError> {
        let found = self.identities(|all| all.get(key).cloned());
        found.ok_or_else(|| SesError::NotFound(key.name.to_string()))
    }

    /// The identities of an account in a region, by name.
    pub(crate) fn identities_of(&self, account: &AccountId, region: &Region) -> Vec<IdentityName> {
        let own = |key: &&IdentityKey| key.account == *account && key.region == *region;
        self.identities(|all| all.keys().filter(own).map(|key| key.name.clone()).collect())
    }

    /// Makes or changes an identity: `decide` sees it as it is and says what it is to be.
    ///
    /// # Cancel safety
    /// Not cancel-safe: call it in a task that is not dropped.
    pub(crate) async fn change(
        &self,
        key: &IdentityKey,
        decide: impl FnOnce(Option<Identity>) -> Result<Identity, SesError>,
    ) -> Result<(), SesError> {
        let _changing = self.0.changing.lock().await;
        let identity = decide(self.identity(key).ok())?;
        self.database().write(tables::put(key, &identity)?).await?;
        let mut identities = self.0.identities.write().unwrap_or_else(PoisonError::into_inner);
        identities.insert(key.clone(), identity);
        Ok(())
    }

    /// Removes an identity, if `decide` agrees.
    ///
    /// # Cancel safety
    /// See [`Self::change`].
    pub(crate) async fn remove(
        &self,
        key: &IdentityKey,
        decide: impl FnOnce(&Identity) -> bool,
    ) -> Result<(), SesError> {
        let _changing = self.0.changing.lock().await;
        if !decide(&self.identity(key)?) {
            return Ok(());
        }
        self.database().write(tables::delete(key)).await?;
        let mut identities = self.0.identities.write().unwrap_or_else(PoisonError::into_inner);
        identities.remove(key);
        Ok(())
    }
}
