//! S3: puts and gets of three sizes by 1, 16 and 64 clients, against MinIO, moto and MiniStack.

mod minio;
mod sign;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use super::report::{Goal, Report};
use super::{Options, median, peers};
use crate::command::command;
use crate::http::Client;
use crate::node::{Node, Setup};
use crate::server::Server;
use sign::Signer;

const SIZES: [(&str, usize); 3] = [("1 KB", 1024), ("64 KB", 64 * 1024), ("8 MB", 8 * 1024 * 1024)];
const CLIENTS: [usize; 3] = [1, 16, 64];
/// Keys that one client writes in turn, and that all read.
const KEYS: u64 = 8;

/// A server with S3's API.
struct Subject {
    name: &'static str,
    port: u16,
    pid: u32,
}

/// One kind of request.
#[derive(Clone, Copy)]
struct Load {
    method: &'static str,
    size: usize,
    clients: usize,
    time: Duration,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = options.binary()?;
    let mut report = Report::start("s3", options);
    let node = Node::start(&binary, &Setup::default())?;
    let minio = minio::start(sign::KEY_ID, sign::SECRET)?;
    let mut subjects = vec![
        Subject::new("tradewind", &node.server),
        Subject::new("MinIO", &minio.server),
    ];
    let emulators = [("moto", peers::moto()), ("MiniStack", peers::bare_ministack())];
    for (name, server) in &emulators {
        match server.as_ref().map(|server| Subject::new(name, server)) {
            Ok(subject) => subjects.push(subject),
            Err(error) => report.pending("S1", name, &format!("{error:#}")),
        }
    }
    for subject in &subjects {
        subject.make_bucket()?;
    }
    for (name, size) in SIZES {
        for clients in CLIENTS {
            for method in ["PUT", "GET"] {
                let load = Load {
                    method,
                    size,
                    clients,
                    time: Duration::from_secs(options.seconds().into()),
                };
                compare(&subjects, load, name, options, &mut report)?;
            }
        }
    }
    for subject in &subjects {
        let resident = crate::process::resident_mb(subject.pid)?;
        report.figure(
            &format!("{}: resident memory after all of it", subject.name),
            resident,
            "MB",
        );
    }
    report.finish()
}

fn compare(
    subjects: &[Subject],
    load: Load,
    size: &str,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let mut rates = vec![Vec::new(); subjects.len()];
    for _round in 0..options.rounds() {
        for (subject, rates) in subjects.iter().zip(&mut rates) {
            rates.push(subject.rate(load)?);
        }
    }
    let medians: Vec<f64> = rates.iter().map(|rates| median(rates)).collect();
    let what = format!("{} {size}, {} clients", load.method, load.clients);
    for (subject, &rate) in subjects.iter().zip(&medians) {
        report.figure(&format!("{what}: {}", subject.name), rate, "requests/s");
        report.figures(json!({ "load": what, "subject": subject.name, "rate": rate }));
    }
    let ratio = medians[0] / medians[1];
    let what = format!("{what}: ratio to MinIO");
    match (load.method, size) {
        ("PUT", "1 KB" | "64 KB") => report.goal("S1", &what, ratio, Goal::AtLeast(2.0)),
        (_, "8 MB") => report.goal("S2", &what, ratio, Goal::AtLeast(1.0)),
        (_, _) => report.figure(&what, ratio, "×"),
    }
    Ok(())
}

impl Subject {
    fn new(name: &'static str, server: &Server) -> Self {
        Self {
            name,
            port: server.port,
            pid: server.pid(),
        }
    }

    fn signer(&self) -> Result<Signer> {
        let date = command("date").args(["-u", "+%Y%m%dT%H%M%SZ"]).output()?;
        Ok(Signer::new(
            self.port,
            String::from_utf8_lossy(&date.stdout).trim(),
        ))
    }

    fn make_bucket(&self) -> Result<()> {
        let signed = self.signer()?.headers("PUT", "/bench");
        let answer = Client::connect(self.port)?.send_with("PUT", "/bench", &signed, b"")?;
        answer.success(self.name)?;
        Ok(())
    }

    /// Requests a second.
    fn rate(&self, load: Load) -> Result<f64> {
        let (signer, done) = (self.signer()?, AtomicU64::new(0));
        let body: Vec<u8> = (0_u32..)
            .map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0])
            .take(load.size)
            .collect();
        if load.method == "GET" {
            self.fill(&signer, &body)?;
        }
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..load.clients)
                .map(|number| {
                    let (signer, body, done) = (&signer, &body, &done);
                    scope.spawn(move || self.client(number, load, signer, body, begun, done))
                })
                .collect();
            for client in clients {
                match client.join() {
                    Ok(result) => result?,
                    Err(_panic) => bail!("a client of {} panicked", self.name),
                }
            }
            Ok(())
        })?;
        #[expect(clippy::cast_precision_loss, reason = "far fewer requests than 2^52")]
        let done = done.into_inner() as f64;
        Ok(done / begun.elapsed().as_secs_f64())
    }

    /// Puts what clients will get.
    fn fill(&self, signer: &Signer, body: &[u8]) -> Result<()> {
        let mut client = Client::connect(self.port)?;
        for key in 0..KEYS {
            let path = format!("/bench/{}-{key}", body.len());
            client
                .send_with("PUT", &path, &signer.headers("PUT", &path), body)?
                .success(self.name)?;
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
        let mut client = Client::connect(self.port)?;
        let body = if load.method == "PUT" { body } else { b"" };
        let mut key = 0;
        while begun.elapsed() < load.time {
            let path = match load.method {
                "PUT" => format!("/bench/{}-{number}-{key}", load.size),
                _ => format!("/bench/{}-{key}", load.size),
            };
            let answer = client.send_with(load.method, &path, &signer.headers(load.method, &path), body)?;
            let answer = answer.success(self.name)?;
            if load.method == "GET" && answer.body.len() != load.size {
                bail!("{} gave {} bytes of {}", self.name, answer.body.len(), load.size);
            }
            done.fetch_add(1, Ordering::Relaxed);
            key = (key + 1) % KEYS;
        }
        Ok(())
    }
}
