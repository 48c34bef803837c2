//! `cargo xtask kafka`: a broker for whoever has none, from the jars that the tests run.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use tradewind_tests::kafka::{Kafka, Options as Broker};

use crate::command::{cache, root};
use crate::maven;

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
    maven::install("kafka", &root().join("tests/kafka/pom.xml")).map(drop)
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
