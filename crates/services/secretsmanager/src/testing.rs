//! A service over a database in memory, and requests to it.

use http::Request;
use serde_json::{Value, json};
use tradewind_model::{AccountId, Clock, Region, Timestamp};
use tradewind_store::Database;
use tradewind_store::blobs::{self, Blobs, BlobsConfig, KeyFile, Place};
use tradewind_wire::{Body, Caller, read_body};

use crate::{SecretsManagerConfig, SecretsManagerService};

/// A day, in milliseconds.
pub(crate) const DAY: i64 = 24 * 60 * 60 * 1000;

/// A service and its clock.
pub(crate) struct World {
    pub(crate) service: SecretsManagerService,
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    blobs: Blobs,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = Database::in_memory_for_tests(&[crate::MIGRATIONS, blobs::MIGRATIONS]);
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let folder = tempfile::tempdir().unwrap();
        let config = BlobsConfig {
            database: database.clone(),
            clock: clock.clone(),
            place: Place::Folder(folder.path().join("blobs")),
            keys: KeyFile::Own(folder.path().join("node.key")),
            reserve: 0,
        };
        let blobs = Blobs::open(config).await.unwrap();
        let service = open(&database, &clock, &blobs).await;
        Self {
            service,
            clock,
            database,
            blobs,
            _folder: folder,
        }
    }

    /// The same database, in a service that was just started.
    pub(crate) async fn restart(&mut self) {
        self.service = open(&self.database, &self.clock, &self.blobs).await;
    }

    async fn call(&self, action: &str, mut parameters: Value) -> (u16, Value) {
        const TOKENED: &[&str] = &["CreateSecret", "PutSecretValue", "UpdateSecret"];
        if TOKENED.contains(&action) && !parameters.as_object().unwrap().contains_key("ClientRequestToken") {
            parameters["ClientRequestToken"] = json!(uuid::Uuid::new_v4().to_string());
        }
        let request = Request::post("/")
            .header("x-amz-target", format!("secretsmanager.{action}"))
            .body(Body::full(parameters.to_string()))
            .unwrap();
        let caller = Caller {
            account: AccountId::default_account(),
            region: Region::default_region(),
            access_key: Some("AKIDEXAMPLE".into()),
            service: Some("secretsmanager".into()),
        };
        let (parts, body) = self.service.handle(request, caller).await.into_parts();
        let body = read_body(body, 16 * 1024 * 1024).await.unwrap();
        (parts.status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    /// An operation that succeeds.
    pub(crate) async fn ok(&self, action: &str, parameters: Value) -> Value {
        let (status, answer) = self.call(action, parameters).await;
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    /// An operation that is refused: its code and text.
    pub(crate) async fn refused(&self, action: &str, parameters: Value) -> (String, String) {
        let (status, answer) = self.call(action, parameters).await;
        assert!(status >= 400, "{action}: {answer}");
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("__type"), text("message"))
    }

    /// The text that `GetSecretValue` gives.
    pub(crate) async fn text(&self, id: &str) -> String {
        let answer = self.ok("GetSecretValue", json!({"SecretId": id})).await;
        answer["SecretString"].as_str().unwrap().to_owned()
    }
}

async fn open(database: &Database, clock: &Clock, blobs: &Blobs) -> SecretsManagerService {
    let config = SecretsManagerConfig {
        database: database.clone(),
        blobs: blobs.clone(),
        clock: clock.clone(),
    };
    SecretsManagerService::open(config).await.unwrap()
}
