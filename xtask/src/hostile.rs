//! `cargo xtask hostile`: the suite of hostile functions, then what their neighbour notices of them.
//!
//! The suite (tests named `hostile` in `compute`) proves what a function cannot do. Here a node runs real
//! bombs, without any restraint of their own, beside a warm function whose p99 is compared with its quiet
//! one. It therefore insists on the jail: elsewhere the bombs would go off.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::bench::{median, quantile};
use crate::command::{command, run as run_command};
use crate::neighbour::Neighbour;
use crate::node::{self, Function, Node, Setup, invocations};

/// What to run.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Seconds of quiet, and of each attack
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Calls of the attacker at a time
    #[arg(long, default_value_t = 4)]
    attackers: usize,
    /// Leave out the suite, and only measure the neighbour
    #[arg(long)]
    only_neighbour: bool,
    /// The `tradewind` to attack, instead of a release build of this tree
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// What the neighbour's p99 may become.
const RATIO: f64 = 2.0;

struct Attack {
    name: &'static str,
    runtime: &'static str,
    file: &'static str,
    code: &'static str,
}

const ATTACKS: [Attack; 8] = [
    Attack {
        name: "spins",
        runtime: "nodejs20.x",
        file: "handler.js",
        code: "exports.handler = async () => { for (;;); };",
    },
    Attack {
        name: "fork bomb",
        runtime: "python3.11",
        file: "handler.py",
        code: "import os\n\ndef handler(event, context):\n    while True:\n        try:\n            os.fork()\n        \
               except OSError:\n            pass\n",
    },
    Attack {
        name: "memory bomb",
        runtime: "python3.11",
        file: "handler.py",
        code: "def handler(event, context):\n    kept = []\n    while True:\n        kept.append(bytearray(b'x') * (1 << 20))\n",
    },
    Attack {
        name: "fills the disk",
        runtime: "python3.11",
        file: "handler.py",
        code: "import tempfile\n\ndef handler(event, context):\n    kept = []\n    while True:\n        try:\n            file = \
               tempfile.TemporaryFile()\n            kept.append(file)\n            while True:\n                \
               file.write(b'x' * (1 << 20))\n        except OSError:\n            pass\n",
    },
    Attack {
        name: "floods its log",
        runtime: "nodejs20.x",
        file: "handler.js",
        code: "exports.handler = async () => { const line = 'x'.repeat(4000); for (;;) console.log(line); };",
    },
    Attack {
        name: "hogs descriptors",
        runtime: "python3.11",
        file: "handler.py",
        code: "import os\n\ndef handler(event, context):\n    kept = []\n    while True:\n        try:\n            \
               kept.append(os.open('/dev/null', os.O_RDONLY))\n        except OSError:\n            pass\n",
    },
    Attack {
        name: "starts threads",
        runtime: "python3.11",
        file: "handler.py",
        code: "import threading\n\ndef handler(event, context):\n    while True:\n        try:\n            \
               threading.Thread(target=handler, args=(event, context), daemon=True).start()\n        except \
               RuntimeError:\n            pass\n",
    },
    Attack {
        name: "floods the node's API",
        runtime: "python3.11",
        file: "handler.py",
        code: "import os, socket\nfrom urllib.parse import urlparse\n\ndef handler(event, context):\n    node = \
               urlparse(os.environ['AWS_ENDPOINT_URL'])\n    kept = []\n    while True:\n        try:\n            peer = \
               socket.create_connection((node.hostname, node.port), 1)\n            peer.sendall(b'GET \
               /2015-03-31/functions HTTP/1.1\\r\\nhost: 127.0.0.1\\r\\n\\r\\n')\n            kept.append(peer)\n        \
               except OSError:\n            kept.clear()\n",
    },
];

/// Runs the suite and measures the neighbour; fails when either is not as it must be.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !options.only_neighbour {
        run_command(
            command("cargo")
                .args(["test", "--locked", "-p", "tradewind-compute", "hostile"])
                .args(["--", "--include-ignored", "--test-threads=1"]),
        )?;
    }
    let binary = match &options.binary {
        Some(binary) => std::fs::canonicalize(binary)?,
        None => node::build()?,
    };
    let setup = Setup {
        arguments: ["--sandbox", "jail"].map(str::to_owned).into(),
        ..Setup::default()
    };
    let node = Node::start(&binary, &setup)?;
    Neighbour::settle(&node)?;
    let period = Duration::from_secs(options.seconds);
    let quiet = Neighbour::calls_for(&node, period)?;
    let quiet_p99 = quantile(&quiet, 0.99);
    println!(
        "neighbour, quiet: p50 {:.2} ms, p99 {quiet_p99:.2} ms",
        median(&quiet)
    );
    let mut worse = 0;
    for (number, attack) in ATTACKS.iter().enumerate() {
        let name = format!("attack-{number}");
        let mut function = Function::of_file(attack.runtime, attack.file, attack.code)?;
        function.timeout_s = 3;
        node.create(&name, &function)?;
        let (calls, outcomes) = attacked(&node, &name, options.attackers, period)?;
        let ratio = quantile(&calls, 0.99) / quiet_p99;
        worse += usize::from(ratio > RATIO);
        println!(
            "neighbour, beside one that {:<24} p50 {:>7.2} ms, p99 {:>7.2} ms: {ratio:>5.2} × quiet (≤ {RATIO}); \
             {outcomes:?}",
            attack.name,
            median(&calls),
            quantile(&calls, 0.99)
        );
    }
    if worse > 0 {
        bail!("the neighbour notices {worse} of {} attacks", ATTACKS.len());
    }
    Ok(())
}

/// The neighbour's calls while the attacker is called all the time, and what its callers were told.
fn attacked(
    node: &Node,
    name: &str,
    attackers: usize,
    period: Duration,
) -> Result<(Vec<f64>, BTreeMap<String, usize>)> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for _ in 0..attackers {
        let (mut client, path, stop) = (node.server.client()?, invocations(name), stop.clone());
        callers.push(std::thread::spawn(move || -> Result<Vec<String>> {
            let mut outcomes = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let answer = client.send("POST", &path, b"{}")?;
                let body = answer.json().unwrap_or_default();
                let error = body["errorType"].as_str().or(body["__type"].as_str());
                outcomes.push(error.unwrap_or("no error").to_owned());
            }
            Ok(outcomes)
        }));
    }
    let calls = Neighbour::calls_for(node, period);
    stop.store(true, Ordering::Relaxed);
    let mut outcomes = BTreeMap::new();
    for caller in callers {
        let told = caller.join().map_err(|_panic| anyhow!("a caller panicked"))??;
        for outcome in told {
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    Ok((calls?, outcomes))
}
