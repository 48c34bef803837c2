//! For tests of this crate: a service over a database in memory and an engine in a temporary folder.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tradewind_compute::{Engine, EngineConfig, Interpreters, SandboxChoice};
use tradewind_connect::Clusters;
use tradewind_events::{
    Message, QueueFacts, QueueRecord, QueueSource, Receiver, Router, Routing, Undeliverable,
};
use tradewind_gateway::{Gateway, GatewayConfig};
use tradewind_model::resource::{Properties, ResourceContext, ResourceType};
use tradewind_model::{AccountId, Arn, Clock, Region, SecretError, SecretText, Secrets, Timestamp};
use tradewind_observe::usage::UsageSink;
use tradewind_observe::{LogOptions, LogStore};
use tradewind_store::Database;
use tradewind_store::queue::{QueueId, Queues, Received};
use tradewind_wire::{Caller, read_body};

use crate::objects::{ObjectError, ObjectName, Objects};
use crate::service::{KafkaConfig, LambdaConfig, LambdaService};

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/r";
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A service, what it stands on, and its clock. The folder goes with it.
pub(crate) struct World {
    pub(crate) service: LambdaService,
    pub(crate) config: LambdaConfig,
    pub(crate) clock: Clock,
    pub(crate) bucket: Arc<Bucket>,
    _folder: tempfile::TempDir,
}

/// An answer: status, headers and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {:?}", self.bytes))
    }

    /// The error code and text.
    pub(crate) fn error(&self) -> (u16, String, String) {
        let code = self.headers["x-amzn-errortype"].to_str().unwrap().to_owned();
        (
            self.status,
            code,
            self.json()["message"].as_str().unwrap().to_owned(),
        )
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl LambdaService {
    /// What is provisioned of a function.
    pub(crate) fn function_provisioned(&self, arn: &str) -> u32 {
        self.find(&arn.parse().unwrap()).unwrap().provisioned_total()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START);
        let interpreters = Interpreters::discover(&std::env::var_os("PATH").unwrap());
        let engine = engine(folder.path().to_owned(), &interpreters);
        let database = Database::in_memory_for_tests(&[
            crate::MIGRATIONS,
            crate::MAPPING_MIGRATIONS,
            tradewind_store::queue::MIGRATIONS,
        ]);
        let bucket = Arc::new(Bucket::default());
        let config = LambdaConfig {
            queues: Queues::new(database.clone(), clock.clone()),
            queue_source: Arc::new(PlainQueues),
            database,
            gateway: gateway(&engine),
            router: Router::new(),
            engine,
            interpreters,
            clock: clock.clone(),
            base_url: "http://127.0.0.1:4566".to_owned(),
            kafka: KafkaConfig {
                clusters: Clusters::default(),
                secrets: Arc::new(NoSecrets),
            },
            objects: bucket.clone(),
        };
        let service = LambdaService::open(config.clone()).await.unwrap();
        config.router.connect("lambda", Arc::new(service.clone()));
        Self {
            service,
            config,
            clock,
            bucket,
            _folder: folder,
        }
    }

    /// The service as the next start of the node finds it.
    pub(crate) async fn reopened(&self) -> LambdaService {
        let service = LambdaService::open(self.config.clone()).await.unwrap();
        self.config.router.connect("lambda", Arc::new(service.clone()));
        service
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let bytes = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        self.send(Request::builder().method(method).uri(path).body(bytes).unwrap())
            .await
    }

    /// A call signed with a key of another account.
    pub(crate) async fn call_as(&self, account: &str, method: &str, path: &str, body: &Value) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let body = Full::new(Bytes::from(body.to_string()));
        self.send_as(account.parse().unwrap(), request.body(body).unwrap())
            .await
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> Answer {
        self.send_body(request.map(Full::new)).await
    }

    pub(crate) async fn send_body<B>(&self, request: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        self.send_as(AccountId::default_account(), request).await
    }

    async fn send_as<B>(&self, account: AccountId, request: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let caller = Caller {
            account,
            region: Region::default_region(),
            access_key: None,
            service: None,
        };
        let response = self.service.handle(request, caller).await;
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes: read_body(body, usize::MAX).await.unwrap(),
        }
    }

    pub(crate) async fn create(&self, name: &str, source: &str) -> Value {
        let answer = self
            .call("POST", "/2015-03-31/functions", &create_body(name, source))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    pub(crate) async fn invoke(
        &self,
        name: &str,
        headers: &[(&str, &str)],
        payload: &'static [u8],
    ) -> Answer {
        let mut request = Request::builder()
            .method("POST")
            .uri(format!("/2015-03-31/functions/{name}/invocations"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Bytes::from_static(payload)).unwrap())
            .await
    }

    /// What answers at `uri`, a path of a function URL.
    pub(crate) async fn visit(&self, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, body) = request.body(Full::new(Bytes::new())).unwrap().into_parts();
        let target = self.config.gateway.claims(&parts).unwrap();
        let request = Request::from_parts(parts, body);
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
        let response = self.config.gateway.handle(target, request, peer).await;
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes: read_body(body, usize::MAX).await.unwrap(),
        }
    }

    pub(crate) fn resource_type(&self, name: &str) -> Arc<dyn ResourceType> {
        let types = self.service.resource_types();
        types.into_iter().find(|kind| kind.type_name() == name).unwrap()
    }
}

/// A node without secrets.
#[derive(Debug)]
struct NoSecrets;

impl Secrets for NoSecrets {
    fn text(&self, _: &AccountId, _: &Region, _: &str) -> Result<SecretText, SecretError> {
        Err(SecretError::NotFound)
    }
}

/// Buckets that are all there, as one. What is put into them, with its key.
#[derive(Debug, Default)]
pub(crate) struct Bucket(pub(crate) Mutex<Vec<(String, Bytes)>>);

#[async_trait::async_trait]
impl Objects for Bucket {
    async fn put(&self, _: &AccountId, bucket: &str, key: &str, body: Bytes) -> Result<(), String> {
        let mut objects = self.0.lock().unwrap();
        objects.push((format!("{bucket}/{key}"), body));
        Ok(())
    }

    /// What was put last; a version is named by its place among all objects.
    async fn get(&self, object: &ObjectName, most: u64) -> Result<Bytes, ObjectError> {
        let name = format!("{}/{}", object.bucket, object.key);
        let version = object
            .version
            .as_ref()
            .map(|version| version.parse::<usize>().unwrap());
        let objects = self.0.lock().unwrap();
        let mut places = objects.iter().enumerate().rev();
        let found =
            places.find(|(at, (key, _))| *key == name && version.is_none_or(|version| version == *at));
        let (_, (_, body)) = found.ok_or_else(|| ObjectError::Refused {
            code: "NoSuchKey".to_owned(),
            message: "The specified key does not exist.".to_owned(),
        })?;
        if body.len() as u64 > most {
            return Err(ObjectError::TooLarge);
        }
        Ok(body.clone())
    }
}

/// Queues as a service would have them that keeps nothing beside a body. Those whose name begins with `no-`
/// are not there; `.fifo` at the end says what a queue is.
#[derive(Debug)]
struct PlainQueues;

impl QueueSource for PlainQueues {
    fn queue(&self, queue: &Arn) -> Result<QueueFacts, Undeliverable> {
        if queue.resource.starts_with("no-") {
            return Err(Undeliverable::NotFound {
                target: queue.to_string(),
            });
        }
        Ok(QueueFacts {
            id: QueueId::new(&queue.to_string()),
            fifo: queue.resource.ends_with(".fifo"),
            visibility_timeout: Duration::from_secs(30),
        })
    }

    fn record(
        &self,
        queue: &Arn,
        received: &Received,
        _now: Timestamp,
    ) -> Result<QueueRecord, Undeliverable> {
        Ok(QueueRecord {
            message_id: received.id.to_string(),
            receipt_handle: "handle".to_owned(),
            body: String::from_utf8(received.body.clone()).unwrap(),
            attributes: attributes_of(received),
            message_attributes: std::collections::BTreeMap::new(),
            md5_of_message_attributes: None,
            md5_of_body: String::new(),
            event_source: "aws:sqs",
            event_source_arn: queue.to_string(),
            aws_region: "us-east-1".to_owned(),
        })
    }
}

/// What was kept beside the body is the trace header.
fn attributes_of(received: &Received) -> Vec<(&'static str, String)> {
    let header = String::from_utf8(received.attributes.clone()).unwrap();
    let mut attributes = vec![("ApproximateReceiveCount", received.receives.to_string())];
    if !header.is_empty() {
        attributes.push(("AWSTraceHeader", header));
    }
    attributes
}

fn gateway(engine: &Engine) -> Gateway {
    let config = GatewayConfig {
        base_domain: "localhost:4566".to_owned(),
        account: AccountId::default_account(),
        region: Region::default_region(),
        clock: Clock::system(),
    };
    Gateway::new(engine.clone(), config)
}

fn engine(folder: PathBuf, interpreters: &Interpreters) -> Engine {
    let logs = LogStore::open(folder.join("logs"), Clock::system(), LogOptions::default()).unwrap();
    let config = EngineConfig {
        packages_dir: folder.join("packages"),
        run_dir: folder.join("run"),
        sandbox: SandboxChoice::Process,
        spawner: None,
        bootstraps_dir: folder.join("bootstraps"),
        account: AccountId::default_account(),
        region: Region::default_region(),
        endpoint_url: "http://127.0.0.1:4566".to_owned(),
        account_concurrency: 200,
        memory_budget_bytes: None,
        usage: UsageSink::default(),
        keep_alive: EngineConfig::KEEP_ALIVE,
        stems: 0,
        prepare: false,
        clock: Clock::system(),
        logs,
        interpreters: interpreters.clone(),
    };
    Engine::start(config).unwrap()
}

/// The body of a CreateFunction of a Node function.
pub(crate) fn create_body(name: &str, source: &str) -> Value {
    json!({
        "FunctionName": name, "Runtime": "nodejs20.x", "Handler": "index.handler", "Role": ROLE,
        "Code": {"ZipFile": zip_base64(source)},
    })
}

/// A package with `source` in `index.js`, in base64.
pub(crate) fn zip_base64(source: &str) -> String {
    zip_of("index.js", source.as_bytes())
}

/// A package of one file, in base64.
pub(crate) fn zip_of(name: &str, content: &[u8]) -> String {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive
        .start_file(name, zip::write::SimpleFileOptions::default())
        .unwrap();
    archive.write_all(content).unwrap();
    STANDARD.encode(archive.finish().unwrap().into_inner())
}

/// The context of resource `logical_id` of stack `shop`.
pub(crate) fn context(logical_id: &str) -> ResourceContext {
    ResourceContext {
        stack: "shop".to_owned(),
        logical_id: logical_id.to_owned(),
        generated_name: format!("shop-{logical_id}-0123456789AB"),
        account: AccountId::default_account(),
        region: Region::default_region(),
        prove_updates: false,
    }
}

/// The properties of a Node function with inline code.
pub(crate) fn function_properties(source: &str) -> Properties {
    let properties = json!({
        "Runtime": "nodejs20.x", "Handler": "index.handler", "Role": ROLE, "Code": {"ZipFile": source},
    });
    properties.as_object().unwrap().clone()
}

/// Takes what is sent to any resource of a service but those called `gone`.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Vec<(String, Message)>>);

impl Mailbox {
    /// One for queues, topics and buses.
    pub(crate) fn connect(router: &Router) -> Arc<Self> {
        let mailbox = Arc::new(Self::default());
        for service in ["sqs", "sns", "events"] {
            router.connect(service, mailbox.clone());
        }
        mailbox
    }

    /// The last message, and the ARN it was sent to.
    pub(crate) fn last(&self) -> (String, Message) {
        self.0.lock().unwrap().last().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Receiver for Mailbox {
    fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        let target = target.to_string();
        if target.ends_with("gone") {
            return Err(Undeliverable::NotFound { target });
        }
        Ok(())
    }

    fn accept(&self, _routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        self.find(target)?;
        self.0.lock().unwrap().push((target.to_string(), message));
        Ok(())
    }
}
