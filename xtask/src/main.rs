//! `cargo xtask`: what a developer and CI run. One file a command.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command's progress is its output"
)]

mod bench;
mod command;
mod fixtures;
mod gates;
mod http;
mod neighbour;
mod node;
mod process;
mod server;
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
    /// Measure us and our peers side by side; prints ratios and writes bench/results/
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Test { only } => gates::pass(only),
        Task::Setup => fixtures::install(),
        Task::Bench(bench) => bench::run(&bench),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
