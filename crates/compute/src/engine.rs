//! The door of the crate.

use std::sync::Arc;
use std::time::Duration;

use tradewind_model::FunctionArn;

use crate::{
    EngineConfig, FunctionSpec, FunctionStatus, InitFailure, InvokeError, InvokeRequest, InvokeResponse,
    PackageStore, StartEngineError,
};

/// Runs functions. A cheap handle.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    packages: PackageStore,
}

impl Engine {
    /// Prepares the folders, writes the bootstraps, and is ready to run functions.
    ///
    /// # Errors
    /// When a folder cannot be made or written, or outside a tokio runtime.
    pub fn start(config: EngineConfig) -> Result<Self, StartEngineError> {
        let path = config.packages_dir.clone();
        let packages = PackageStore::open(config.packages_dir)
            .map_err(|source| StartEngineError::Folder { path, source })?;
        Ok(Self(Arc::new(Inner { packages })))
    }

    /// The packages of this node.
    #[must_use]
    pub fn packages(&self) -> &PackageStore {
        &self.0.packages
    }

    /// Registers a function version, or replaces it.
    pub fn deploy(&self, spec: FunctionSpec) {
        drop(spec);
    }

    /// Starts an instance of `spec` and lets it initialise.
    ///
    /// # Errors
    /// When it does not initialise.
    pub async fn prove(&self, spec: FunctionSpec) -> Result<(), InitFailure> {
        drop(spec);
        Ok(())
    }

    /// Forgets a function version.
    pub fn remove(&self, arn: &FunctionArn) {
        let _ = arn;
    }

    /// Runs a function.
    ///
    /// # Errors
    /// When it does not reach the function.
    pub async fn invoke(
        &self,
        arn: &FunctionArn,
        request: InvokeRequest,
    ) -> Result<InvokeResponse, InvokeError> {
        drop(request);
        Err(InvokeError::NotFound {
            function: arn.to_string(),
        })
    }

    /// What is registered.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionStatus> {
        Vec::new()
    }

    /// Stops.
    pub async fn shutdown(&self, deadline: Duration) {
        let _ = deadline;
    }
}
