//! `cargo xtask kafka`: a broker for whoever has none, from the jars that the tests run.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use tradewind_tests::kafka::{Kafka, Options as Broker};

use crate::command::{cache, command, root, run};
use crate::fixtures::once;
use crate::tools;

/// What `cargo xtask kafka` can be told.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// The port on loopback
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// The partitions of a topic that comes to be by being written to
    #[arg(long, default_value_t = 4)]
    partitions: u16,
}

/// Copies Apache Kafka's jars out of Maven Central.
pub(crate) fn install() -> Result<()> {
    tools::java()?;
    let pom = root().join("tests/kafka/pom.xml");
    once("kafka", &pom, || {
        tools::apt("mvn", &["--version"], &["maven"])?;
        let jars = jars();
        if jars.exists() {
            std::fs::remove_dir_all(&jars)?;
        }
        run(command("mvn")
            .args(["-q", "-B", "-f"])
            .arg(&pom)
            .arg("dependency:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", jars.display())))
    })
}

/// Where they are.
pub(crate) fn jars() -> PathBuf {
    cache().join("kafka")
}

/// Runs a broker until the process ends.
pub(crate) fn serve(options: &Options) -> Result<()> {
    install()?;
    let asked = Broker {
        port: Some(options.port),
        partitions: options.partitions,
        measured: true,
        ..Broker::default()
    };
    let broker =
        Kafka::start(&jars(), &asked).with_context(|| format!("no broker on port {}", options.port))?;
    println!(
        "Apache Kafka: {} (Ctrl-C ends it and drops its records)",
        broker.bootstrap()
    );
    loop {
        std::thread::park();
    }
}
