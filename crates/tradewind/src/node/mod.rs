//! A node: the services over one data folder, behind one listening address.
//!
//! Start: listener → data folder → database → logs → function engine → services → accept loop.
//! Stop: the other way round, each step with what is left of the deadline.

mod code;
mod content;
mod dispatch;
mod engine;
mod error;
mod functions;
mod manage;
mod objects;
mod owners;
mod scrub;
mod server;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tradewind_apigateway::ApiGatewayService;
use tradewind_compute::{Engine, Interpreters, SandboxChoice, SpawnerProgram};
use tradewind_connect::{Clusters, Topics};
use tradewind_deploy::stack::{ApplyError, ApplyRequest, StackEngine, StackEvent, StackOutcome};
use tradewind_eventbridge::{EventBridgeConfig, EventBridgeService};
use tradewind_events::Router;
use tradewind_events::delivery::{Deliveries, DeliveriesConfig, Jitter};
use tradewind_events::journey::Journal;
use tradewind_events::mail::MailRelay;
use tradewind_events::schedule::timer::{self, Timers};
use tradewind_gateway::{Gateway, GatewayConfig};
use tradewind_iam::IamService;
use tradewind_lambda::{KafkaConfig, LambdaConfig, LambdaService};
use tradewind_logs::{LogGroupOf, LogsConfig, LogsService};
use tradewind_model::resource::ResourceType;
use tradewind_model::{AccountId, Clock, Region};
use tradewind_observe::usage::{self, Ledger, Meter, UsageSink};
use tradewind_observe::{LogOptions, LogStore};
use tradewind_pipes::{PipesConfig, PipesService};
use tradewind_s3::{S3Config, S3Service};
use tradewind_scheduler::{SchedulerConfig, SchedulerService};
use tradewind_secretsmanager::{SecretsManagerConfig, SecretsManagerService};
use tradewind_ses::{SesConfig, SesService};
use tradewind_sns::{SnsConfig, SnsService};
use tradewind_sqs::{SqsConfig, SqsService};
use tradewind_store::blobs::Blobs;
use tradewind_store::queue::Queues;
use tradewind_store::{DataFolder, Database, DatabaseError, Migration, PostgresUrl};

pub(crate) use content::ContentConfig;
#[cfg(test)]
pub(crate) use dispatch::{Present, present};
pub(crate) use error::StartNodeError;

/// What a node is told when it starts.
#[derive(Clone, Debug)]
pub(crate) struct NodeConfig {
    /// Where it listens; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// The folder that holds all its state.
    pub(crate) data_dir: PathBuf,
    /// The account of unsigned requests and of stacks.
    pub(crate) account: AccountId,
    /// The region of unsigned requests and of stacks.
    pub(crate) region: Region,
    /// Whether runtimes boot before a function needs them.
    pub(crate) stems: bool,
    /// Whether packages are compiled when they are deployed.
    pub(crate) prepare: bool,
    /// `$PATH`, where interpreters are looked for.
    pub(crate) path: OsString,
    /// What functions run in.
    pub(crate) sandbox: SandboxChoice,
    /// Where its rows are, if not in the data folder.
    pub(crate) database: Option<PostgresUrl>,
    /// Where the content of objects is.
    pub(crate) content: ContentConfig,
    /// What takes mail.
    pub(crate) mail: Option<MailRelay>,
    /// The Kafka clusters that it knows by name.
    pub(crate) kafka: Clusters,
}

/// A running node.
#[derive(Debug)]
pub(crate) struct Node {
    state: Arc<State>,
    address: SocketAddr,
    accepting: CancellationToken,
    background: CancellationToken,
    connections: TaskTracker,
    workers: TaskTracker,
    _folder: DataFolder,
}

/// What requests are answered from.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) clock: Clock,
    pub(crate) engine: Engine,
    pub(crate) logs: LogStore,
    pub(crate) cloudwatch_logs: LogsService,
    pub(crate) database: Database,
    pub(crate) usage: UsageSink,
    pub(crate) ledger: Ledger,
    pub(crate) gateway: Gateway,
    pub(crate) lambda: LambdaService,
    pub(crate) iam: IamService,
    pub(crate) queues: Queues,
    pub(crate) router: Router,
    pub(crate) timers: Timers,
    pub(crate) deliveries: Deliveries,
    pub(crate) ses: SesService,
    pub(crate) sns: SnsService,
    pub(crate) sqs: SqsService,
    pub(crate) event_bridge: EventBridgeService,
    pub(crate) scheduler: SchedulerService,
    pub(crate) secrets_manager: SecretsManagerService,
    pub(crate) topics: Topics,
    pub(crate) pipes: PipesService,
    pub(crate) api_gateway: ApiGatewayService,
    pub(crate) stacks: StackEngine,
    pub(crate) blobs: Blobs,
    pub(crate) s3: S3Service,
    pub(crate) base_url: String,
    /// Work that must outlive the client that asked for it.
    pub(crate) detached: TaskTracker,
    pub(crate) stopping: CancellationToken,
}

const MIGRATIONS: &[&[Migration]] = &[
    tradewind_store::queue::MIGRATIONS,
    tradewind_store::blobs::MIGRATIONS,
    timer::MIGRATIONS,
    tradewind_deploy::stack::MIGRATIONS,
    tradewind_lambda::MIGRATIONS,
    tradewind_lambda::MAPPING_MIGRATIONS,
    tradewind_apigateway::MIGRATIONS,
    tradewind_iam::MIGRATIONS,
    tradewind_logs::MIGRATIONS,
    tradewind_s3::MIGRATIONS,
    tradewind_sqs::MIGRATIONS,
    tradewind_sns::MIGRATIONS,
    tradewind_eventbridge::MIGRATIONS,
    tradewind_scheduler::MIGRATIONS,
    tradewind_pipes::MIGRATIONS,
    tradewind_s3::CONFIGURATION_MIGRATIONS,
    tradewind_secretsmanager::MIGRATIONS,
    usage::MIGRATIONS,
    tradewind_ses::MIGRATIONS,
];

impl Node {
    /// Starts a node; it answers requests when this returns.
    ///
    /// # Errors
    /// When the address is taken or the data folder cannot be used; nothing is left running.
    pub(crate) async fn start(config: NodeConfig) -> Result<Self, StartNodeError> {
        error::refuse_beyond_loopback(config.listen)?;
        let (listener, address) = bind(config.listen).await?;
        let folder = DataFolder::open(&config.data_dir)?;
        let database = open_database(&config, &folder).await?;
        let background = CancellationToken::new();
        let state = Arc::new(compose(&config, &folder, database, address, background.child_token()).await?);
        let node = Self {
            state,
            address,
            accepting: CancellationToken::new(),
            background,
            connections: TaskTracker::new(),
            workers: TaskTracker::new(),
            _folder: folder,
        };
        node.begin(listener);
        Ok(node)
    }

    fn begin(&self, listener: TcpListener) {
        let lambda = self.state.lambda.clone();
        let stop = self.background.clone();
        let (blobs, blobs_stop) = (self.state.blobs.clone(), stop.clone());
        self.workers.spawn(async move { blobs.run(blobs_stop).await });
        let (s3, s3_stop) = (self.state.s3.clone(), stop.clone());
        self.workers.spawn(async move { s3.run(s3_stop).await });
        let (mappings, mappings_stop) = (lambda.clone(), stop.clone());
        self.workers
            .spawn(async move { mappings.run_mappings(mappings_stop).await });
        let (logs, logs_stop) = (self.state.cloudwatch_logs.clone(), stop.clone());
        self.workers.spawn(async move { logs.run(logs_stop).await });
        self.workers.spawn(async move { lambda.run(stop).await });
        let queues = self.state.queues.clone();
        let stop = self.background.clone();
        self.workers.spawn(async move { queues.run(stop).await });
        let (deliveries, stop) = (self.state.deliveries.clone(), self.background.clone());
        self.workers.spawn(async move { deliveries.run(stop).await });
        let (sns, stop) = (self.state.sns.clone(), self.background.clone());
        self.workers.spawn(async move { sns.run(stop).await });
        let (timers, stop) = (self.state.timers.clone(), self.background.clone());
        self.workers.spawn(async move { timers.run(stop).await });
        let (event_bridge, stop) = (self.state.event_bridge.clone(), self.background.clone());
        self.workers.spawn(async move { event_bridge.run(stop).await });
        let (topics, stop) = (self.state.topics.clone(), self.background.clone());
        self.workers.spawn(async move { topics.run(stop).await });
        let (pipes, stop) = (self.state.pipes.clone(), self.background.clone());
        self.workers.spawn(async move { pipes.run(stop).await });
        let (secrets, stop) = (self.state.secrets_manager.clone(), self.background.clone());
        self.workers.spawn(async move { secrets.run(stop).await });
        let (ledger, stop) = (self.state.ledger.clone(), self.background.clone());
        self.workers.spawn(async move { ledger.run(stop).await });
        let (state, stop) = (Arc::clone(&self.state), self.background.clone());
        self.workers.spawn(async move { scrub::run(&state, stop).await });
        let accept = server::accept(
            listener,
            Arc::clone(&self.state),
            self.connections.clone(),
            self.accepting.clone(),
        );
        self.workers.spawn(accept);
    }

    /// The address it listens on.
    #[must_use]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it must not go on, because its disk no longer confirms what is written.
    pub(crate) async fn failure(&self) -> DatabaseError {
        self.state.database.failure().await
    }

    /// What confines functions, in a line for people; true when it is a jail.
    pub(crate) fn isolation(&self) -> (bool, String) {
        self.state.engine.isolation()
    }

    /// Its functions.
    #[must_use]
    pub(crate) fn engine(&self) -> &Engine {
        &self.state.engine
    }

    /// Its logs.
    #[must_use]
    pub(crate) fn logs(&self) -> &LogStore {
        &self.state.logs
    }

    /// Its stacks.
    #[cfg(test)]
    pub(crate) fn stacks(&self) -> &StackEngine {
        &self.state.stacks
    }

    /// Applies a template in a task of its own: a caller that leaves does not interrupt it. What it
    /// replaced of the code kept on disk goes.
    ///
    /// # Errors
    /// See [`StackEngine::apply`].
    pub(crate) async fn apply(
        &self,
        request: ApplyRequest,
        events: mpsc::Sender<StackEvent>,
    ) -> Result<StackOutcome, ApplyError> {
        let outcome = self.state.apply(request, events).await;
        code::collect_packages(&self.state.engine, &self.state.lambda, &self.state.stacks).await;
        outcome
    }

    /// The functions and URLs it serves, as `GET /_tradewind/functions` gives them.
    ///
    /// # Errors
    /// When the stacks cannot be read.
    pub(crate) async fn functions(&self) -> Result<serde_json::Value, DatabaseError> {
        manage::functions(&self.state).await
    }

    /// Stops: no new connections, running requests end, then workers, functions and logs. What is
    /// not finished at `deadline` is ended.
    pub(crate) async fn stop(self, deadline: Duration) {
        let end = tokio::time::Instant::now() + deadline;
        self.accepting.cancel();
        self.state.stopping.cancel();
        self.connections.close();
        wait_until(end, self.connections.wait()).await;
        self.state.detached.close();
        wait_until(end, self.state.detached.wait()).await;
        self.background.cancel();
        self.workers.close();
        wait_until(end, self.workers.wait()).await;
        wait_until(end, self.state.lambda.shutdown()).await;
        let left = end
            .saturating_duration_since(tokio::time::Instant::now())
            .max(Duration::from_millis(200));
        self.state.engine.shutdown(left).await;
        if let Err(error) = self.state.ledger.flush().await {
            tracing::warn!(%error, "the usage of the last second is lost");
        }
        self.state.logs.shutdown().await;
        if let Some(journal) = self.state.router.journal() {
            journal.shutdown().await;
        }
        self.state.router.disconnect();
    }
}

async fn wait_until(end: tokio::time::Instant, work: impl Future<Output = ()>) {
    if tokio::time::timeout_at(end, work).await.is_err() {
        tracing::warn!("work was still running at the deadline and is ended");
    }
}

async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), StartNodeError> {
    let unavailable = |source| StartNodeError::Listen {
        address: listen,
        source,
    };
    let listener = TcpListener::bind(listen).await.map_err(unavailable)?;
    let address = listener.local_addr().map_err(unavailable)?;
    Ok((listener, address))
}

async fn open_database(config: &NodeConfig, folder: &DataFolder) -> Result<Database, StartNodeError> {
    let database = match &config.database {
        Some(url) => Database::open_postgres(url, MIGRATIONS).await?,
        None => Database::open(&folder.path().join("node.db"), MIGRATIONS)?,
    };
    Ok(database)
}

async fn compose(
    config: &NodeConfig,
    folder: &DataFolder,
    database: Database,
    address: SocketAddr,
    stopping: CancellationToken,
) -> Result<State, StartNodeError> {
    let clock = Clock::system();
    let base_url = format!("http://{address}");
    let blobs = content::open(&config.content, folder, &database, &clock).await?;
    let secrets_manager = SecretsManagerService::open(SecretsManagerConfig {
        database: database.clone(),
        blobs: blobs.clone(),
        clock: clock.clone(),
    });
    let secrets_manager = secrets_manager.await.map_err(StartNodeError::service)?;
    let topics = Topics::new(config.kafka.clone(), Arc::new(secrets_manager.clone()));
    let logs = LogStore::open(folder.path().join("logs"), clock.clone(), LogOptions::default())?;
    let (usage, meter) = (UsageSink::default(), Meter::default());
    logs.count_in(meter.clone(), owners::home(config));
    let interpreters = Interpreters::discover(&config.path);
    let engine = Engine::start(engine::config(
        config,
        folder,
        &base_url,
        &clock,
        &logs,
        &usage,
        &interpreters,
    ))?;
    let gateway = Gateway::new(
        engine.clone(),
        GatewayConfig {
            base_domain: format!("localhost:{}", address.port()),
            region: config.region.clone(),
            account: config.account.clone(),
            clock: clock.clone(),
        },
    );
    gateway.count_in(meter.clone());
    let router = Router::new();
    router.count_in(meter.clone());
    let queues = Queues::new(database.clone(), clock.clone());
    let sqs = SqsService::open(SqsConfig {
        database: database.clone(),
        queues: queues.clone(),
        blobs: blobs.clone(),
        clock: clock.clone(),
        base_url: base_url.clone(),
    });
    let sqs = sqs.await.map_err(StartNodeError::service)?;
    sqs.count_in(meter.clone());
    let traces = LogStore::open(folder.path().join("traces"), clock.clone(), Journal::options())?;
    router.record(Journal::new(traces, clock.clone()));
    let s3 = S3Service::open(S3Config {
        database: database.clone(),
        blobs: blobs.clone(),
        router: router.clone(),
        clock: clock.clone(),
        account: config.account.clone(),
        region: config.region.clone(),
    });
    let kafka = KafkaConfig {
        clusters: config.kafka.clone(),
        secrets: Arc::new(secrets_manager.clone()),
    };
    let lambda = LambdaService::open(LambdaConfig {
        queues: queues.clone(),
        queue_source: Arc::new(sqs.clone()),
        database: database.clone(),
        router: router.clone(),
        engine: engine.clone(),
        gateway: gateway.clone(),
        interpreters,
        clock: clock.clone(),
        base_url: base_url.clone(),
        kafka,
        objects: Arc::new(objects::Buckets(s3.clone())),
    });
    let lambda = lambda.await.map_err(StartNodeError::service)?;
    if config.database.is_some() {
        code::refuse_other_folder(folder, &engine, &lambda)?;
    }
    let api_gateway = ApiGatewayService::open(database.clone(), gateway.clone());
    let api_gateway = api_gateway.await.map_err(StartNodeError::service)?;
    let iam = IamService::open(database.clone());
    let timers = Timers::new(database.clone(), clock.clone());
    router.connect("sqs", Arc::new(sqs.clone()));
    router.connect("lambda", Arc::new(lambda.clone()));
    let deliveries = Deliveries::new(DeliveriesConfig {
        database: database.clone(),
        queues: queues.clone(),
        router: router.clone(),
        clock: clock.clone(),
        jitter: Jitter::random(),
    });
    let sns = SnsService::open(SnsConfig {
        database: database.clone(),
        router: router.clone(),
        deliveries: deliveries.clone(),
        clock: clock.clone(),
        mail: config.mail.clone(),
        base_url: base_url.clone(),
    });
    let sns = sns.await.map_err(StartNodeError::service)?;
    router.connect("sns", Arc::new(sns.clone()));
    let ses = SesService::open(SesConfig {
        database: database.clone(),
        deliveries: deliveries.clone(),
        mail: config.mail.clone(),
        clock: clock.clone(),
    });
    let ses = ses.await.map_err(StartNodeError::service)?;
    let scheduler = SchedulerService::open(SchedulerConfig {
        database: database.clone(),
        timers: timers.clone(),
        router: router.clone(),
        clock: clock.clone(),
    });
    let scheduler = scheduler.await.map_err(StartNodeError::service)?;
    let event_bridge = EventBridgeService::open(EventBridgeConfig {
        database: database.clone(),
        router: router.clone(),
        timers: timers.clone(),
        deliveries: deliveries.clone(),
        topics: topics.clone(),
        blobs: blobs.clone(),
        clock: clock.clone(),
    });
    let event_bridge = event_bridge.await.map_err(StartNodeError::service)?;
    let pipes = PipesService::open(PipesConfig {
        database: database.clone(),
        queues: queues.clone(),
        source: Arc::new(sqs.clone()),
        functions: Arc::new(functions::Called(lambda.clone())),
        destinations: Arc::new(event_bridge.clone()),
        router: router.clone(),
        topics: topics.clone(),
        clock: clock.clone(),
    });
    let pipes = pipes.await.map_err(StartNodeError::service)?;
    event_bridge.connect();
    let (account, region) = (config.account.clone(), config.region.clone());
    let functions = lambda.clone();
    let cloudwatch_logs = LogsService::open(LogsConfig {
        database: database.clone(),
        logs: logs.clone(),
        clock: clock.clone(),
        home: owners::home(config),
        router: router.clone(),
        log_group_of: LogGroupOf::new(move |function| functions.log_group_of(function)),
    });
    let cloudwatch_logs = cloudwatch_logs.await.map_err(StartNodeError::service)?;
    router.connect("logs", Arc::new(cloudwatch_logs.clone()));
    let mut types = resource_types(&cloudwatch_logs, &lambda, &api_gateway, &iam, (&sqs, &s3));
    types.extend(pipes.resource_types());
    types.extend(scheduler.resource_types());
    types.extend(event_bridge.resource_types());
    types.extend(sns.resource_types());
    types.extend(secrets_manager.resource_types());
    types.extend(ses.resource_types());
    let secrets = Arc::new(secrets_manager.clone());
    let stacks = StackEngine::new(
        database.clone(),
        types,
        account.clone(),
        region.clone(),
        clock.clone(),
        secrets,
    );
    stacks.recover().await?;
    let ledger = owners::ledger(database.clone(), clock.clone(), (&usage, meter), &lambda, &stacks);
    let ledger = ledger.await?;
    code::collect_packages(&engine, &lambda, &stacks).await;
    let detached = TaskTracker::new();
    Ok(State {
        account,
        region,
        clock,
        engine,
        logs,
        cloudwatch_logs,
        database,
        usage,
        ledger,
        gateway,
        lambda,
        iam,
        queues,
        router,
        timers,
        deliveries,
        ses,
        sns,
        sqs,
        event_bridge,
        scheduler,
        secrets_manager,
        topics,
        pipes,
        api_gateway,
        stacks,
        blobs,
        s3,
        base_url,
        detached,
        stopping,
    })
}

/// Turns this program into the process that starts jails, when it is its first argument.
pub(crate) const SPAWNER_ARGUMENT: &str = "--tradewind-spawner";

/// This program itself, which `main` turns into the spawner.
pub(crate) fn spawner() -> SpawnerProgram {
    SpawnerProgram {
        // the file may be replaced while the node runs, the running program not
        program: "/proc/self/exe".into(),
        args: vec![SPAWNER_ARGUMENT.into()],
    }
}

/// Every resource type of every service.
fn resource_types(
    logs: &LogsService,
    lambda: &LambdaService,
    api_gateway: &ApiGatewayService,
    iam: &IamService,
    (sqs, s3): (&SqsService, &S3Service),
) -> Vec<Arc<dyn ResourceType>> {
    let mut types = lambda.resource_types();
    types.extend(api_gateway.resource_types());
    types.extend(iam.resource_types());
    types.extend(logs.resource_types());
    types.extend(sqs.resource_types());
    types.extend(s3.resource_types());
    types
}

impl State {
    pub(crate) async fn apply(
        &self,
        request: ApplyRequest,
        events: mpsc::Sender<StackEvent>,
    ) -> Result<StackOutcome, ApplyError> {
        let stacks = self.stacks.clone();
        let stack = request.stack.clone();
        let work = self
            .detached
            .spawn(async move { stacks.apply(request, events).await });
        // A panic in an apply leaves the stack as a crash would; it is logged with its backtrace.
        work.await.unwrap_or_else(|failure| {
            tracing::error!(%stack, %failure, "applying a stack failed in an unforeseen way");
            Err(ApplyError::Unforeseen(stack))
        })
    }
}
