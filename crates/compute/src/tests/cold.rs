//! How long a start takes, jail and process side by side. It measures, and judges nothing.

use std::time::{Duration, Instant};

use super::node::{Node, Settings};
use crate::SandboxChoice;

const ROUNDS: usize = 20;

async fn starts(sandbox: SandboxChoice, runtime: &str, file: (&str, &str)) -> Vec<Duration> {
    let node = Node::start_with(Settings {
        sandbox,
        ..Settings::default()
    });
    let spec = node.spec(runtime, "index.handler", &[file]).await;
    let mut times = Vec::new();
    for _round in 0..ROUNDS {
        let function = node.deploy(spec.clone());
        let begun = Instant::now();
        node.invoke(&function, "{}").await;
        times.push(begun.elapsed());
        node.engine.remove(&function);
    }
    node.stop().await;
    times.sort_unstable();
    times
}

#[tokio::test]
#[ignore = "a measurement: run it alone, with --ignored --nocapture"]
async fn cold_starts_jail_and_process() {
    for (runtime, file) in [
        ("nodejs20.x", ("index.js", "exports.handler = async () => 1")),
        (
            "python3.11",
            ("index.py", "def handler(event, context): return 1"),
        ),
    ] {
        for sandbox in [
            SandboxChoice::Process,
            SandboxChoice::Jail,
            SandboxChoice::Process,
            SandboxChoice::Jail,
        ] {
            let times = starts(sandbox, runtime, file).await;
            println!(
                "{runtime} {sandbox:?}: p50 {:?} min {:?}",
                times[ROUNDS / 2],
                times[0]
            );
        }
    }
}
