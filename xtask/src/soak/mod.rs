//! `cargo xtask soak`: 200 functions, most of them well-behaved, the others not, under load for a while;
//! then an account of what is left over, which must be nothing.
//!
//! The load is closed: so many callers, each with one call at a time, that pick the next function by a
//! generator with a fixed seed. Now and then one hangs up before its answer, or deploys other code.

mod faults;
mod load;
mod remains;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;

use crate::node::{self, Node, Setup};
use crate::process;
use faults::{FAULTS, Fault};
use load::Tally;
use remains::Remains;

/// How long to soak.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Minutes of load
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// How many functions to deploy
    #[arg(long, default_value_t = 200)]
    functions: usize,
    /// How many callers to run
    #[arg(long, default_value_t = 16)]
    callers: usize,
    /// The `tradewind` to soak, instead of a release build of this tree
    #[arg(long)]
    binary: Option<PathBuf>,
    /// A further argument for `tradewind serve`; may be repeated
    #[arg(long = "serve", value_name = "ARGUMENT", allow_hyphen_values = true)]
    serve: Vec<String>,
}

/// How long instances may take to go after their functions are deleted.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// What resident memory may grow by from the second quarter of the run to its last, and what that is
/// allowed besides: caches fill slowly.
const GROWTH: f64 = 1.1;
const GROWTH_MB: f64 = 3.0;
/// Descriptors that a node may have more of at the end, besides files of its data folder: connections to
/// its database, and the networks that wait for instances, once there has been one.
const MORE_DESCRIPTORS: usize = 40;

/// Soaks, prints the account, and fails when something is left over or went wrong.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => std::fs::canonicalize(binary)?,
        None => node::build()?,
    };
    let setup = Setup {
        arguments: options.serve.clone(),
        ..Setup::default()
    };
    let mut node = Node::start(&binary, &setup)?;
    let remains = Remains::before(node.data(), node.server.pid());
    let period = Duration::from_secs_f64(options.minutes * 60.0);
    println!(
        "{} functions, {} callers, {:.0} s",
        options.functions,
        options.callers,
        period.as_secs_f64()
    );
    create_all(&node, options.functions, remains.mark())?;
    // instances and pools that exist once are no growth
    let begun = Begin::of(&node)?;
    let tally = load::run(&node, options.functions, options.callers, period)?;
    let mut account = Account::default();
    account.answers(&tally);
    account.memory(&tally.resident_mb);
    delete_all(&node, options.functions)?;
    account.idle(&node, &begun);
    let clean = node.server.stop();
    account.line("the node ended when asked", usize::from(!clean), "");
    remains.account(&mut account);
    account.verdict()
}

fn name(number: usize) -> String {
    format!("soak-{number}")
}

fn create_all(node: &Node, count: usize, mark: &str) -> Result<()> {
    let packages = FAULTS.iter().map(Fault::package).collect::<Result<Vec<_>>>()?;
    let mut client = node.server.client()?;
    for number in 0..count {
        let at = faults::of(number);
        let request = FAULTS[at].create(&name(number), &packages[at], mark);
        node::call(&mut client, "POST", "/2015-03-31/functions", &request)?;
    }
    Ok(())
}

fn delete_all(node: &Node, count: usize) -> Result<()> {
    let mut client = node.server.client()?;
    for number in 0..count {
        let path = format!("/2015-03-31/functions/{}", name(number));
        node::call(&mut client, "DELETE", &path, &Value::Null)?;
    }
    Ok(())
}

/// What the node has before any load.
struct Begin {
    processes: usize,
    descriptors: usize,
}

impl Begin {
    fn of(node: &Node) -> Result<Self> {
        Ok(Self {
            processes: process::below(node.server.pid()).len(),
            descriptors: process::descriptors_outside(node.server.pid(), node.data())?,
        })
    }
}

/// The account: each line is something that must be zero.
#[derive(Debug, Default)]
pub(crate) struct Account {
    wrong: usize,
}

impl Account {
    /// One line; `count` is what should not be there.
    pub(crate) fn line(&mut self, what: &str, count: usize, detail: &str) {
        let verdict = if count == 0 { "ok" } else { "NOT OK" };
        println!("  {what:<58}{count:>8}  {verdict}  {detail}");
        self.wrong += usize::from(count > 0);
    }

    fn answers(&mut self, tally: &Tally) {
        println!("account of {} calls:", tally.calls);
        for (at, fault) in FAULTS.iter().enumerate() {
            let seen = &tally.of_fault[at];
            let detail = format!("of {} calls; {}", seen.calls, seen.examples.join("; "));
            self.line(
                &format!("{}: other answers than expected", fault.name),
                seen.unexpected,
                &detail,
            );
        }
        let detail = format!("{} redeployed, {} hung up", tally.redeployed, tally.hung_up);
        self.line("deploys that failed", tally.deploys_failed, &detail);
    }

    fn memory(&mut self, resident_mb: &[f64]) {
        let quarter = resident_mb.len() / 4;
        let early = crate::bench::median(resident_mb.get(quarter..quarter * 2).unwrap_or_default());
        let late = crate::bench::median(resident_mb.get(quarter * 3..).unwrap_or_default());
        let grew = late > early * GROWTH + GROWTH_MB;
        let detail = format!("second quarter {early:.1} MB, last {late:.1} MB");
        self.line("the node's memory grows", usize::from(grew), &detail);
    }

    /// What a node without functions may not have any more.
    fn idle(&mut self, node: &Node, begun: &Begin) {
        let pid = node.server.pid();
        let deadline = Instant::now() + DRAIN_LIMIT;
        let processes = || process::below(pid).len().saturating_sub(begun.processes);
        let descriptors = || {
            let open = process::descriptors_outside(pid, node.data()).unwrap_or(usize::MAX);
            open.saturating_sub(begun.descriptors + MORE_DESCRIPTORS)
        };
        while (processes() > 0 || descriptors() > 0) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(200));
        }
        let left = process::below(pid);
        let names: Vec<&str> = left.values().map(|stat| stat.name.as_str()).collect();
        let detail = format!("{} below it: {}", left.len(), names.join(" "));
        self.line(
            "processes of the idle node, more than before",
            processes(),
            &detail,
        );
        let detail = format!("{} before", begun.descriptors);
        self.line(
            "descriptors of the idle node, more than before",
            descriptors(),
            &detail,
        );
        let dead = left.values().filter(|stat| stat.state == 'Z').count();
        self.line("zombies", dead, "");
    }

    fn verdict(&self) -> Result<()> {
        if self.wrong > 0 {
            bail!("{} lines of the account are not in order", self.wrong);
        }
        println!("nothing is left over");
        Ok(())
    }
}
