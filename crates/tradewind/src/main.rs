//! `tradewind`: the command line ([`cli`]) and the composition of a node ([`node`]). No logic of its own.

mod cli;
#[cfg(test)]
mod docs;
mod node;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
