//! Clients that put and get as fast as they are answered, each over a connection of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::sign::Signer;
use crate::command::command;
use crate::http::{Answer, Client};
use crate::process;
use crate::server::Server;

/// Keys that one client writes in turn, and that all read.
const KEYS: u64 = 8;

/// A server with S3's API.
pub(super) struct Subject {
    name: &'static str,
    port: u16,
    pid: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Put,
    Get,
}

impl Method {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Put => "PUT",
            Self::Get => "GET",
        }
    }
}

/// One kind of request, for a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) method: Method,
    pub(super) size: usize,
    pub(super) clients: usize,
    pub(super) time: Duration,
}

/// What came of a load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// Requests a second.
    pub(super) rate: f64,
    /// Processor time of the server for a request, in µs.
    pub(super) cpu_us: f64,
}

/// A request that is sent again and again.
struct Request {
    path: String,
    headers: String,
}

impl Subject {
    pub(super) fn new(name: &'static str, server: &Server) -> Self {
        Self {
            name,
            port: server.port,
            pid: server.pid(),
        }
    }

    fn signer(&self) -> Result<Signer> {
        let date = command("date").args(["-u", "+%Y%m%dT%H%M%SZ"]).output()?;
        let date = String::from_utf8_lossy(&date.stdout);
        Ok(Signer::new(self.port, date.trim()))
    }

    pub(super) fn make_bucket(&self) -> Result<()> {
        let request = request(&self.signer()?, "PUT", "/bench".to_owned());
        self.connect().send("PUT", &request, b"").map(drop)
    }

    pub(super) fn measure(&self, load: Load) -> Result<Measured> {
        let signer = self.signer()?;
        let body: Vec<u8> = (0_u32..)
            .map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0])
            .take(load.size)
            .collect();
        if load.method == Method::Get {
            self.fill(&signer, &body)?;
        }
        let done = AtomicU64::new(0);
        let (begun, cpu) = (Instant::now(), process::cpu(self.pid)?);
        std::thread::scope(|scope| {
            let client = |number| {
                let (signer, body, done) = (&signer, &body, &done);
                scope.spawn(move || self.client(number, load, signer, body, begun, done))
            };
            let clients: Vec<_> = (0..load.clients).map(client).collect();
            let ended = clients.into_iter().map(|client| match client.join() {
                Ok(result) => result,
                Err(_panic) => bail!("a client panicked"),
            });
            ended.collect::<Result<()>>()
        })
        .with_context(|| format!("{} with {load:?}", self.name))?;
        let (time, cpu) = (begun.elapsed(), process::cpu(self.pid)?.saturating_sub(cpu));
        #[expect(clippy::cast_precision_loss, reason = "far fewer requests than 2^52")]
        let done = done.into_inner() as f64;
        Ok(Measured {
            rate: done / time.as_secs_f64(),
            cpu_us: cpu.as_secs_f64() * 1e6 / done,
        })
    }

    fn connect(&self) -> Caller {
        Caller {
            port: self.port,
            client: None,
        }
    }

    /// Puts what clients will get.
    fn fill(&self, signer: &Signer, body: &[u8]) -> Result<()> {
        let mut caller = self.connect();
        for key in 0..KEYS {
            let request = request(signer, "PUT", format!("/bench/{}-{key}", body.len()));
            caller.send("PUT", &request, body)?;
        }
        Ok(())
    }

    fn client(
        &self,
        number: usize,
        load: Load,
        signer: &Signer,
        body: &[u8],
        begun: Instant,
        done: &AtomicU64,
    ) -> Result<()> {
        let method = load.method.name();
        let path = |key| match load.method {
            Method::Put => format!("/bench/{}-{number}-{key}", load.size),
            Method::Get => format!("/bench/{}-{key}", load.size),
        };
        let requests: Vec<_> = (0..KEYS).map(|key| request(signer, method, path(key))).collect();
        let body = if load.method == Method::Put { body } else { b"" };
        let mut caller = self.connect();
        for request in requests.iter().cycle() {
            if begun.elapsed() >= load.time {
                break;
            }
            let answer = caller.send(method, request, body)?;
            if load.method == Method::Get && answer.body.len() != load.size {
                bail!("{} bytes came of {}", answer.body.len(), load.size);
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn request(signer: &Signer, method: &str, path: String) -> Request {
    Request {
        headers: signer.headers(method, &path),
        path,
    }
}

/// A client; a server that closes the connection after an answer gets a new one.
struct Caller {
    port: u16,
    client: Option<Client>,
}

impl Caller {
    fn send(&mut self, method: &str, request: &Request, body: &[u8]) -> Result<Answer> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(self.port)?,
        };
        let answer = client.send_with(method, &request.path, &request.headers, body)?;
        let closes = answer
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !closes && !answer.head.starts_with("HTTP/1.0") {
            self.client = Some(client);
        }
        answer.success(method)
    }
}
