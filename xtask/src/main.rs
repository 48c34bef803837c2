//! `cargo xtask`: what a developer and CI run. One file a command.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command's progress is its output"
)]

mod apps;
mod bench;
mod chaos;
mod command;
mod fixtures;
mod forget;
mod fuzz;
mod gates;
mod hostile;
mod http;
mod java;
mod kafka;
mod maven;
mod neighbour;
mod node;
mod postgres;
mod process;
mod server;
mod soak;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what tests need, then run every gate: fmt, clippy, deny, unit, end-to-end and doc tests
    Test {
        /// Only the gate of this name
        #[arg(long)]
        only: Option<gates::Gate>,
    },
    /// Only install what the end-to-end tests drive, so that `cargo test` can run them
    Setup,
    /// Compile the Java bootstrap and write `runtimes/java/bootstrap.jar`, which is checked in
    Java,
    /// Run Apache Kafka on loopback until Ctrl-C: one broker, whose records go with it
    Kafka(kafka::Options),
    /// Measure us and our peers side by side; prints ratios and writes bench/results/
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Kill the node under load, and account for everything that was acknowledged
    #[command(subcommand)]
    Chaos(chaos::Chaos),
    /// Try hostile input on the parsers that are ours
    Fuzz(fuzz::Options),
    /// Load a node with well-behaved and faulty functions, and account for what is left over
    Soak(soak::Options),
    /// Erase people from the customer view while it ingests, and search everything for what is left of them
    Forget(forget::Options),
    /// Run the suite of hostile functions, and measure what a neighbour notices of them
    Hostile(hostile::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Test { only } => gates::pass(only),
        Task::Setup => fixtures::install(),
        Task::Java => java::build(),
        Task::Kafka(options) => kafka::serve(&options),
        Task::Bench(bench) => bench::run(&bench),
        Task::Chaos(chaos) => chaos::run(&chaos),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Forget(options) => forget::run_with(&options),
        Task::Hostile(options) => hostile::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
