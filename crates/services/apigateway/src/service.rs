//! The service: one owner of the records, who writes, remembers and publishes each change.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tradewind_gateway::Gateway;
use tradewind_model::resource::{ResourceError, ResourceType};
use tradewind_store::Database;

use crate::model::RecordKey;
use crate::resource::{ApiGatewayType, DEFINITIONS};
use crate::state::{CannotServe, State, Stored};
use crate::tables;
use crate::urls::Url;

/// API Gateway's control plane. A cheap clone.
#[derive(Clone)]
pub struct ApiGatewayService(Arc<Shared>);

struct Shared {
    database: Database,
    gateway: Gateway,
    state: Mutex<State>,
    /// Held from a change's check to its publication, across the write: memory, disk and gateway
    /// see changes in one order. Requests never wait for it.
    changes: tokio::sync::Mutex<()>,
}

/// Why the stored APIs cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot load the stored APIs: {reason}")]
pub struct OpenApiGatewayError {
    reason: String,
}

impl fmt::Debug for ApiGatewayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiGatewayService")
            .field("apis", &self.state().api_ids())
            .finish_non_exhaustive()
    }
}

impl ApiGatewayService {
    /// Reads what is stored and has the gateway serve it.
    ///
    /// # Errors
    /// When the tables cannot be read, or hold what this version does not understand.
    pub async fn open(database: Database, gateway: Gateway) -> Result<Self, OpenApiGatewayError> {
        let fail = |error: &dyn fmt::Display| OpenApiGatewayError {
            reason: error.to_string(),
        };
        let mut state = State::default();
        for (key, stored) in tables::all(&database).await.map_err(|error| fail(&error))? {
            state.insert(key, stored);
        }
        for api in state.api_ids() {
            publish(&gateway, &state, &api).map_err(|error| fail(&error))?;
        }
        let changes = tokio::sync::Mutex::new(());
        Ok(Self(Arc::new(Shared {
            database,
            gateway,
            state: Mutex::new(state),
            changes,
        })))
    }

    /// The CloudFormation types of this service.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        let make =
            |definition| Arc::new(ApiGatewayType::new(self.clone(), definition)) as Arc<dyn ResourceType>;
        DEFINITIONS.iter().map(make).collect()
    }

    /// The URLs that functions answer.
    #[must_use]
    pub fn urls(&self) -> Vec<Url> {
        self.state().urls()
    }

    /// The host and port below which APIs have names.
    pub(crate) fn base_domain(&self) -> &str {
        &self.0.gateway.config().base_domain
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a record that `plan` makes from what there is, and serves what follows from it.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a change that was written may not be served until the next start.
    pub(crate) async fn put<T>(
        &self,
        plan: impl FnOnce(&State) -> Result<(RecordKey, Stored, T), ResourceError>,
    ) -> Result<T, ResourceError> {
        let _order = self.0.changes.lock().await;
        let (key, stored, result) = plan(&self.state())?;
        let mut next = self.state().clone();
        next.insert(key.clone(), stored.clone());
        next.compile(&key.api).map_err(|error| invalid(&error))?;
        self.0
            .database
            .write(tables::put(&key, &stored))
            .await
            .map_err(|error| internal(&error))?;
        *self.state() = next;
        publish(&self.0.gateway, &self.state(), &key.api).map_err(|error| internal(&error))?;
        Ok(result)
    }

    /// Removes a record if `owner` has it, and serves it no longer.
    ///
    /// # Cancel safety
    /// Not cancel-safe, see [`ApiGatewayService::put`].
    pub(crate) async fn remove(&self, key: &RecordKey, owner: &str) -> Result<(), ResourceError> {
        let _order = self.0.changes.lock().await;
        if self.state().get(key).is_none_or(|stored| stored.owner != owner) {
            return Ok(());
        }
        self.0
            .database
            .write(tables::remove(key))
            .await
            .map_err(|error| internal(&error))?;
        self.state().remove(key);
        publish(&self.0.gateway, &self.state(), &key.api).map_err(|error| internal(&error))
    }
}

fn publish(gateway: &Gateway, state: &State, api: &str) -> Result<(), CannotServe> {
    match state.compile(api)? {
        Some(compiled) => gateway.put_api(compiled),
        None => {
            if let Ok(id) = api.parse() {
                gateway.remove_api(&id);
            }
        }
    }
    Ok(())
}

fn internal(error: &dyn fmt::Display) -> ResourceError {
    ResourceError::Internal {
        message: error.to_string(),
    }
}

fn invalid(error: &dyn fmt::Display) -> ResourceError {
    ResourceError::Invalid {
        message: error.to_string(),
    }
}
