//! SQS: messages through a queue a second, ours on disk against peers in memory, and the queue without a
//! wire (goals Q1–Q4).

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::peers;
use super::report::{Goal, Report};
use super::{Options, median};
use crate::command::{command, root};
use crate::http::Client;
use crate::node::{Node, Setup};
use crate::server::{Server, free_port};

const CLIENTS: [usize; 3] = [1, 16, 64];
/// Goals are set for these; the others are measured in the first round only.
const GOAL_CLIENTS: usize = 16;
const BATCH: usize = 10;
const MILLION: usize = 1_000_000;
/// Who signs does not matter to any of them; they tell the service from the scope.
const HEADERS: &str = "content-type: application/x-amz-json-1.0\r\nx-amz-date: 20260101T000000Z\r\n\
    authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, \
    SignedHeaders=host, Signature=0\r\n";

/// One message a call, or ten.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Calls {
    Single,
    Batch,
}

struct Subject<'s> {
    name: &'static str,
    server: &'s Server,
    queue: String,
    /// By calls and clients: messages a second that were sent, received and deleted.
    rates: Vec<((Calls, usize), Vec<f64>)>,
    /// Messages it gave out and then would not delete.
    failed: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = options.binary()?;
    let mut report = Report::start("sqs", options);
    let node = Node::start(&binary, &Setup::default())?;
    let moto = peers::moto()?;
    let ministack = peers::bare_ministack()?;
    let elasticmq = peers::elasticmq()?;
    let mut subjects = [
        Subject::new("tradewind", &node.server)?,
        Subject::new("moto server", &moto)?,
        Subject::new("MiniStack", &ministack)?,
        Subject::new("ElasticMQ", &elasticmq)?,
    ];
    for subject in &subjects {
        subject.warm_up(options.seconds())?;
    }
    for round in 1..=options.rounds() {
        println!("round {round} of {}", options.rounds());
        for subject in &mut subjects {
            subject.measure(options.seconds(), round == 1)?;
        }
    }
    for subject in &subjects {
        println!(
            "{}: {} messages could not be deleted",
            subject.name, subject.failed
        );
        for ((calls, clients), rates) in &subject.rates {
            let what = format!("{} {calls:?}, {clients} clients", subject.name);
            report.figure(&what, median(rates), "messages/s");
        }
    }
    let [us, moto, ministack, elasticmq] = &subjects;
    ensure!(us.failed == 0, "{} messages could not be deleted", us.failed);
    for (id, peer, least) in [
        ("Q1", moto, 10.0),
        ("Q1", ministack, 10.0),
        ("Q2", elasticmq, 2.0),
    ] {
        for (calls, what) in [(Calls::Batch, "batches"), (Calls::Single, "single messages")] {
            let what = format!("{GOAL_CLIENTS} clients, {what} × {}", peer.name);
            let times = us.rate(calls, GOAL_CLIENTS) / peer.rate(calls, GOAL_CLIENTS);
            report.goal(id, &what, times, Goal::AtLeast(least));
        }
    }
    without_a_wire(options, &binary, &mut report)?;
    report.finish()
}

impl<'s> Subject<'s> {
    fn new(name: &'static str, server: &'s Server) -> Result<Self> {
        let mut caller = Caller::connect(server.port)?;
        let made = caller.call("CreateQueue", &json!({ "QueueName": "bench" }))?;
        let queue = made["QueueUrl"]
            .as_str()
            .with_context(|| format!("{name}: {made}"))?;
        let modes = [Calls::Single, Calls::Batch];
        let each = modes
            .iter()
            .flat_map(|calls| CLIENTS.map(|clients| ((*calls, clients), Vec::new())));
        Ok(Self {
            name,
            server,
            queue: queue.to_owned(),
            rates: each.collect(),
            failed: 0,
        })
    }

    /// Load that is not counted: a virtual machine for Java compiles what it runs often, and needs its time.
    fn warm_up(&self, seconds: u32) -> Result<()> {
        for calls in [Calls::Single, Calls::Batch] {
            let warmed = load(self.server.port, &self.queue, calls, GOAL_CLIENTS, 2 * seconds);
            warmed.with_context(|| format!("{} cannot be warmed up", self.name))?;
        }
        Ok(())
    }

    fn measure(&mut self, seconds: u32, all: bool) -> Result<()> {
        let measured = self
            .rates
            .iter_mut()
            .filter(|((_, clients), _)| all || *clients == GOAL_CLIENTS);
        for ((calls, clients), rates) in measured {
            let rate = load(self.server.port, &self.queue, *calls, *clients, seconds);
            let (rate, failed) = rate.with_context(|| format!("{} with {clients} clients", self.name))?;
            rates.push(rate);
            self.failed += failed;
        }
        Ok(())
    }

    fn rate(&self, calls: Calls, clients: usize) -> f64 {
        let found = self.rates.iter().find(|(key, _)| *key == (calls, clients));
        found.map_or(f64::NAN, |(_, rates)| median(rates))
    }
}

/// Messages a second that went all the way, and messages received that could not be deleted.
fn load(port: u16, queue: &str, calls: Calls, clients: usize, seconds: u32) -> Result<(f64, usize)> {
    let (stop, count, failures) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Instant::now();
    let client = || -> Result<()> {
        let mut caller = Caller::connect(port)?;
        while !stop.load(Ordering::Relaxed) {
            let (deleted, failed) = cycle(&mut caller, queue, calls)?;
            count.fetch_add(deleted, Ordering::Relaxed);
            failures.fetch_add(failed, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        std::thread::sleep(Duration::from_secs(seconds.into()));
        stop.store(true, Ordering::Relaxed);
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().expect("a client does not panic"));
        ended.collect::<Result<Vec<()>>>()
    })?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let rate = count.into_inner() as f64 / begun.elapsed().as_secs_f64();
    Ok((rate, failures.into_inner()))
}

/// Sends, receives and deletes; how many were deleted, and how many could not be.
fn cycle(caller: &mut Caller, queue: &str, calls: Calls) -> Result<(usize, usize)> {
    let body = "x".repeat(200);
    if calls == Calls::Single {
        caller.call("SendMessage", &json!({ "QueueUrl": queue, "MessageBody": body }))?;
    } else {
        let entry = |id: usize| json!({ "Id": id.to_string(), "MessageBody": body });
        let entries: Vec<_> = (0..BATCH).map(entry).collect();
        caller.call(
            "SendMessageBatch",
            &json!({ "QueueUrl": queue, "Entries": entries }),
        )?;
    }
    let max = if calls == Calls::Single { 1 } else { BATCH };
    let receive = json!({ "QueueUrl": queue, "MaxNumberOfMessages": max });
    let received = caller.call("ReceiveMessage", &receive)?;
    let messages = received["Messages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if let ([message], Calls::Single) = (messages, calls) {
        let delete = json!({ "QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"] });
        caller.call("DeleteMessage", &delete)?;
    } else if !messages.is_empty() {
        let entry = |(id, message): (usize, &Value)| json!({ "Id": id.to_string(), "ReceiptHandle": message["ReceiptHandle"] });
        let entries: Vec<_> = messages.iter().enumerate().map(entry).collect();
        let deleted = caller.call(
            "DeleteMessageBatch",
            &json!({ "QueueUrl": queue, "Entries": entries }),
        )?;
        let failed = deleted["Failed"].as_array().map_or(0, Vec::len);
        return Ok((messages.len() - failed, failed));
    }
    Ok((messages.len(), 0))
}

/// One client of SQS's JSON protocol. A peer that closes the connection after an answer gets a new one.
struct Caller {
    port: u16,
    client: Option<Client>,
}

impl Caller {
    fn connect(port: u16) -> Result<Self> {
        let client = Some(Client::connect(port)?);
        Ok(Self { port, client })
    }

    fn call(&mut self, action: &str, body: &Value) -> Result<Value> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(self.port)?,
        };
        let headers = format!("{HEADERS}x-amz-target: AmazonSQS.{action}\r\n");
        client.write_with("POST", "/", &headers, body.to_string().as_bytes())?;
        let answer = client.read()?.success(action)?;
        let closes = answer
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !closes && !answer.head.starts_with("HTTP/1.0") {
            self.client = Some(client);
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        answer.json()
    }
}

/// The queue itself, with a thousand and with a million messages waiting.
fn without_a_wire(options: &Options, binary: &Path, report: &mut Report) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("tradewind-bench-queue-{}", std::process::id()));
    let few = example(1_000, options, &folder)?;
    std::fs::remove_dir_all(&folder)?;
    let million = example(if options.quick { 10_000 } else { MILLION }, options, &folder)?;
    let slowest = slowest_start(binary, &folder);
    std::fs::remove_dir_all(&folder)?;
    report.goal(
        "Q4",
        "seconds from the start to the first answer, a million waiting, the slowest of five after kills",
        slowest?,
        Goal::AtMost(1.0),
    );
    let rate = |figures: &Value, name: &str| figures[name].as_f64().unwrap_or(f64::NAN);
    for name in ["send_per_s", "receive_ack_per_s", "cycle_per_s"] {
        report.figure(
            &format!("{name}, a thousand waiting"),
            rate(&few, name),
            "messages/s",
        );
        report.figure(
            &format!("{name}, a million waiting"),
            rate(&million, name),
            "messages/s",
        );
    }
    for (figures, waiting) in [(&few, "a thousand"), (&million, "a million")] {
        let what = format!("messages/s all the way in batches of ten, fsync, {waiting} waiting");
        report.goal("Q3", &what, rate(figures, "cycle_per_s"), Goal::AtLeast(40_000.0));
    }
    let times = rate(&million, "cycle_per_s") / rate(&few, "cycle_per_s");
    report.goal(
        "Q3",
        "all the way, a million waiting × a thousand",
        times,
        Goal::AtLeast(0.9),
    );
    Ok(())
}

/// Starts a node on the folder again and again, each time after a kill.
fn slowest_start(binary: &Path, folder: &Path) -> Result<f64> {
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let port = free_port()?;
        let mut serve = command(binary);
        serve
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(folder)
            .stderr(Stdio::null());
        let mut node = Server::start(&mut serve, port, "/_tradewind/health")?;
        slowest = slowest.max(node.ready);
        node.kill()?;
    }
    Ok(slowest.as_secs_f64())
}

fn example(waiting: usize, options: &Options, folder: &Path) -> Result<Value> {
    std::fs::create_dir_all(folder)?;
    let output = command("cargo")
        .current_dir(root())
        .args(["run", "--release", "--locked", "-q", "-p", "tradewind-store"])
        .args(["--example", "queue_throughput", "--"])
        .arg(folder)
        .args([waiting.to_string(), options.seconds().to_string()])
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}
