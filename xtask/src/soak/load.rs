//! The callers of a soak.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use serde_json::json;

use super::faults::{self, FAULTS};
use super::name;
use crate::http::{Answer, Client};
use crate::node::{Node, call, invocations};
use crate::process;

const EXAMPLES: usize = 3;
const SAMPLE: Duration = Duration::from_secs(2);
/// One call in so many hangs up before its answer; one in so many is a deploy instead.
const HANG_UP_EVERY: u64 = 50;
const REDEPLOY_EVERY: u64 = 200;

/// What the callers saw.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) calls: usize,
    pub(crate) of_fault: Vec<Seen>,
    pub(crate) redeployed: usize,
    pub(crate) deploys_failed: usize,
    pub(crate) hung_up: usize,
    /// The node's memory, every few seconds.
    pub(crate) resident_mb: Vec<f64>,
}

/// What was answered by functions of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) calls: usize,
    pub(crate) unexpected: usize,
    pub(crate) examples: Vec<String>,
}

impl Tally {
    fn new() -> Self {
        Self {
            calls: 0,
            of_fault: vec![Seen::default(); FAULTS.len()],
            redeployed: 0,
            deploys_failed: 0,
            hung_up: 0,
            resident_mb: Vec::new(),
        }
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.redeployed += other.redeployed;
        self.deploys_failed += other.deploys_failed;
        self.hung_up += other.hung_up;
        for (own, other) in self.of_fault.iter_mut().zip(other.of_fault) {
            own.calls += other.calls;
            own.unexpected += other.unexpected;
            own.examples.extend(other.examples);
            own.examples.truncate(EXAMPLES);
        }
    }

    fn saw(&mut self, at: usize, answer: &Answer) {
        self.calls += 1;
        let seen = &mut self.of_fault[at];
        seen.calls += 1;
        let error_type = error_type(answer);
        if !FAULTS[at].expects(&error_type) {
            seen.unexpected += 1;
            if seen.examples.len() < EXAMPLES {
                let text: String = answer.text().chars().take(120).collect();
                seen.examples.push(format!("{} {text}", answer.status));
            }
        }
    }
}

/// The `errorType` of an answer: empty for a success, the status for what is no function's error.
fn error_type(answer: &Answer) -> String {
    if answer.status != 200 {
        return answer.status.to_string();
    }
    if answer.header("x-amz-function-error").is_none() {
        return String::new();
    }
    let body = answer.json().unwrap_or_default();
    body["errorType"].as_str().unwrap_or("without a type").to_owned()
}

/// Runs the callers for so long.
pub(crate) fn run(node: &Node, functions: usize, callers: usize, period: Duration) -> Result<Tally> {
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..callers)
        .map(|caller| {
            let (stop, port) = (stop.clone(), node.server.port);
            std::thread::spawn(move || Caller::new(caller, port, functions).call_until(&stop))
        })
        .collect();
    let mut tally = Tally::new();
    let begun = Instant::now();
    while begun.elapsed() < period {
        std::thread::sleep(SAMPLE.min(period));
        tally.resident_mb.push(node.server.resident_mb()?);
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        tally.add(thread.join().map_err(|_panic| anyhow!("a caller panicked"))??);
    }
    let below = process::below(node.server.pid()).len();
    println!("{below} processes below the node when the load ends");
    Ok(tally)
}

struct Caller {
    random: u64,
    port: u16,
    functions: usize,
    tally: Tally,
}

impl Caller {
    fn new(number: usize, port: u16, functions: usize) -> Self {
        Self {
            random: 0x9e37_79b9_7f4a_7c15 ^ number as u64,
            port,
            functions,
            tally: Tally::new(),
        }
    }

    fn call_until(mut self, stop: &AtomicBool) -> Result<Tally> {
        let mut client = Client::connect(self.port)?;
        while !stop.load(Ordering::Relaxed) {
            #[expect(clippy::cast_possible_truncation, reason = "any number will do")]
            let number = self.next() as usize % self.functions;
            match self.next() {
                r if r.is_multiple_of(REDEPLOY_EVERY) => self.redeploy(&mut client, number)?,
                r if r.is_multiple_of(HANG_UP_EVERY) => self.hang_up(number)?,
                _ => {
                    let answer = client.send("POST", &invocations(&name(number)), b"{\"soak\":true}")?;
                    self.tally.saw(faults::of(number), &answer);
                }
            }
        }
        Ok(self.tally)
    }

    fn hang_up(&mut self, number: usize) -> Result<()> {
        let mut client = Client::connect(self.port)?;
        client.write("POST", &invocations(&name(number)), b"{}")?;
        self.tally.hung_up += 1;
        Ok(())
    }

    fn redeploy(&mut self, client: &mut Client, number: usize) -> Result<()> {
        self.tally.redeployed += 1;
        let code = FAULTS[faults::of(number)].redeployed(self.tally.redeployed)?;
        let path = format!("/2015-03-31/functions/{}/code", name(number));
        if let Err(error) = call(client, "PUT", &path, &json!({ "ZipFile": code })) {
            println!("deploy: {error:#}");
            self.tally.deploys_failed += 1;
        }
        Ok(())
    }

    /// xorshift: good enough to spread calls, and the same in each run.
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 11
    }
}
