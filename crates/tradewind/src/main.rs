//! `tradewind`: the command line ([`cli`]) and the composition of a node ([`node`]). No logic of its own.

mod cli;
mod node;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
