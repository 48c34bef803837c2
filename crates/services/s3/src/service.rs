//! The service as the node sees it.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tradewind_events::{Router, Trace};
use tradewind_model::resource::ResourceType;
use tradewind_model::{AccountId, Clock, Region};
use tradewind_store::Database;
use tradewind_store::blobs::Blobs;
use tradewind_wire::{Body, Caller};

use crate::api::get_object::ReadObjectError;
use crate::configuration::Configurations;
use crate::lifecycle::worker;
use crate::notification::Notifier;
use crate::objects::KeyLocks;
use crate::operation::Operations;
use crate::state::State;
use crate::{api, bucket, front, policy, tables};

/// What the service is made of.
#[derive(Debug)]
pub struct S3Config {
    /// Migrated with [`crate::MIGRATIONS`].
    pub database: Database,
    /// Where content is.
    pub blobs: Blobs,
    /// Where notifications go.
    pub router: Router,
    /// Dates versions and judges expiries.
    pub clock: Clock,
    /// The account of unsigned requests.
    pub account: AccountId,
    /// The region of unsigned requests.
    pub region: Region,
}

/// The buckets and objects of a node. A clone is the same service.
#[derive(Clone)]
pub struct S3Service {
    state: State,
    wire: s3s::service::S3Service,
}

impl S3Service {
    /// The service over its tables.
    #[must_use]
    pub fn open(config: S3Config) -> Self {
        let configurations = Configurations::new(config.database.clone());
        let notifier = Notifier::new(
            configurations.clone(),
            config.database.clone(),
            config.router,
            config.clock.clone(),
        );
        let state = State {
            database: config.database,
            blobs: config.blobs,
            clock: config.clock,
            account: config.account,
            region: config.region,
            locks: Arc::new(KeyLocks::default()),
            configurations,
            notifier: Arc::new(notifier),
            trace: Trace::default(),
            lifecycles: Arc::default(),
        };
        let builder = s3s::service::S3ServiceBuilder::new(Operations(state.clone()));
        Self {
            state,
            wire: builder.build(),
        }
    }

    /// Makes what expires go, until `stop` is cancelled.
    pub async fn run(&self, stop: CancellationToken) {
        worker::run(self.state.clone(), stop).await;
    }

    /// Answers a request of `caller`.
    pub async fn handle(&self, request: Request<Incoming>, caller: Caller) -> http::Response<Body> {
        front::handle(&self.state, &self.wire, request, caller).await
    }

    /// Puts a JSON document into a bucket for another service of the node, in the name of `account`; on `Ok` it is
    /// durable, and what the bucket notifies of it is owed.
    ///
    /// # Errors
    /// The code and the text of S3's error.
    pub async fn put(&self, account: &AccountId, bucket: &str, key: &str, body: Bytes) -> Result<(), String> {
        api::put_object::put_for_service(&self.state, account, bucket, key, body)
            .await
            .map_err(|error| {
                format!(
                    "{}: {}",
                    error.code().as_str(),
                    error.message().unwrap_or_default()
                )
            })
    }

    /// All bytes of an object for another service of the node, if there are at most `most`: of a key's latest
    /// version, or of the one named.
    ///
    /// # Errors
    /// See [`ReadObjectError`].
    pub async fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        most: u64,
    ) -> Result<Bytes, ReadObjectError> {
        api::get_object::get_for_service(&self.state, (bucket, key, version), most).await
    }

    /// Whether a web page of another origin may make this request: CORS rules of its bucket say so.
    pub async fn admits_origin(&self, parts: &Parts) -> bool {
        front::admits_origin(&self.state, parts).await
    }

    /// Whether an unsigned request is for a bucket that exists: others come from people who look for an
    /// API of theirs.
    pub async fn has_bucket_of(&self, parts: &Parts) -> bool {
        let Some(bucket) = front::bucket_of(parts) else {
            return false;
        };
        tables::find_bucket(&self.state.database, &bucket)
            .await
            .is_ok_and(|found| found.is_some())
    }

    /// `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        let database = &self.state.database;
        vec![
            Arc::new(bucket::BucketType::new(self.state.clone())),
            Arc::new(bucket::BucketNotificationType::new(self.state.clone())),
            Arc::new(policy::BucketPolicyType::new(database.clone())),
        ]
    }
}

impl std::fmt::Debug for S3Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Service")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
