//! A service over a database in memory, a relay that keeps what it gets, and requests to the service.

use std::sync::{Arc, Mutex};

use http::Request;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tradewind_events::Router;
use tradewind_events::delivery::{Deliveries, DeliveriesConfig, Jitter};
use tradewind_events::mail::MailRelay;
use tradewind_model::{AccountId, Clock, Region, Timestamp};
use tradewind_store::{Database, queue};
use tradewind_wire::{Body, Caller, read_body};

use crate::{SesConfig, SesService};

/// A mail as the relay got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) content: String,
}

/// A relay that refuses recipients whose address begins with `refused`.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    mails: Mutex<Vec<Mail>>,
    arrived: Notify,
}

impl Relay {
    /// Waits until it has this many mails; gives them by recipient.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Mail> {
        loop {
            let arrived = self.arrived.notified();
            let mut mails = self.mails.lock().unwrap().clone();
            if mails.len() >= count {
                mails.sort_by(|one, other| one.to.cmp(&other.to));
                return mails;
            }
            arrived.await;
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.mails.lock().unwrap().len()
    }

    async fn run(self: Arc<Self>, listener: TcpListener) {
        let mut sessions = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            sessions.spawn(Arc::clone(&self).session(stream));
        }
    }

    async fn session(self: Arc<Self>, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut from, mut to, mut content) = (String::new(), String::new(), None::<String>);
        let mut answer = "220 relay";
        loop {
            stream
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .unwrap();
            let mut line = String::new();
            while let Some(kept) = &mut content {
                line.clear();
                stream.read_line(&mut line).await.unwrap();
                if line == ".\r\n" {
                    break;
                }
                kept.push_str(&line);
            }
            if let Some(content) = content.take() {
                let mail = Mail {
                    from: from.clone(),
                    to: to.clone(),
                    content,
                };
                self.mails.lock().unwrap().push(mail);
                self.arrived.notify_waiters();
                answer = "250 taken";
                continue;
            }
            if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
                return;
            }
            let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
            answer = match line.get(..4) {
                Some("MAIL") => {
                    from = address;
                    "250 ok"
                }
                Some("RCPT") if address.starts_with("refused") => "550 no such mailbox",
                Some("RCPT") => {
                    to = address;
                    "250 ok"
                }
                Some("DATA") => {
                    content = Some(String::new());
                    "354 go on"
                }
                Some("QUIT") => "221 bye",
                _ => "250 ok",
            };
        }
    }
}

/// A service, its relay, and deliveries that run until this is dropped.
pub(crate) struct World {
    pub(crate) service: SesService,
    pub(crate) relay: Arc<Relay>,
    pub(crate) database: Database,
    deliveries: Deliveries,
    clock: Clock,
    running: JoinSet<()>,
}

impl World {
    /// With a relay; nothing is handed in before [`World::deliver`].
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let relay = Arc::new(Relay::default());
        let mut world = Self::open(Some(MailRelay::new(&url, "Node <node@example.com>").unwrap())).await;
        world.running.spawn(Arc::clone(&relay).run(listener));
        world.relay = relay;
        world
    }

    /// Without one.
    pub(crate) async fn mute() -> Self {
        Self::open(None).await
    }

    async fn open(mail: Option<MailRelay>) -> Self {
        let database = Database::in_memory_for_tests(&[crate::MIGRATIONS, queue::MIGRATIONS]);
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let deliveries = Deliveries::new(DeliveriesConfig {
            database: database.clone(),
            queues: queue::Queues::new(database.clone(), clock.clone()),
            router: Router::new(),
            clock: clock.clone(),
            jitter: Jitter::fixed(1.0),
        });
        let service = open(&database, &deliveries, mail, &clock).await;
        Self {
            service,
            relay: Arc::default(),
            database,
            deliveries,
            clock,
            running: JoinSet::new(),
        }
    }

    /// Begins to hand in what is owed.
    pub(crate) fn deliver(&mut self) {
        let deliveries = self.deliveries.clone();
        self.running
            .spawn(async move { deliveries.run(CancellationToken::new()).await });
    }

    /// The same database, in a service that was just started.
    pub(crate) async fn restart(&mut self) {
        let relay = self.service.relay().cloned();
        self.service = open(&self.database, &self.deliveries, relay, &self.clock).await;
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::full(body.to_string())).unwrap();
        let (parts, body) = self.service.handle(request, caller()).await.into_parts();
        let body = read_body(body, 1024 * 1024).await.unwrap();
        (parts.status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    /// A `SendEmail` that succeeds; gives the id.
    pub(crate) async fn send(&self, body: Value) -> String {
        let (status, answer) = self.call("POST", "/v2/email/outbound-emails", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["MessageId"].as_str().unwrap().to_owned()
    }

    /// One that is refused: what it says.
    pub(crate) async fn refused(&self, body: Value) -> String {
        let (status, answer) = self.call("POST", "/v2/email/outbound-emails", body).await;
        assert_eq!(status, 400, "{answer}");
        answer["message"].as_str().unwrap().to_owned()
    }

    /// A request of the query API.
    pub(crate) async fn query(&self, form: &str) -> (u16, String) {
        let request = Request::post("/").body(Body::full(form.to_owned())).unwrap();
        let (parts, body) = self.service.handle_query(request, caller()).await.into_parts();
        let body = read_body(body, 1024 * 1024).await.unwrap();
        (parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }
}

fn caller() -> Caller {
    Caller {
        account: AccountId::default_account(),
        region: Region::default_region(),
        access_key: Some("AKIDEXAMPLE".into()),
        service: Some("ses".into()),
    }
}

async fn open(
    database: &Database,
    deliveries: &Deliveries,
    mail: Option<MailRelay>,
    clock: &Clock,
) -> SesService {
    let config = SesConfig {
        database: database.clone(),
        deliveries: deliveries.clone(),
        mail,
        clock: clock.clone(),
    };
    SesService::open(config).await.unwrap()
}
