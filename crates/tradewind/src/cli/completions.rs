//! `tradewind completions`: what a shell needs to complete our commands.

use clap::CommandFactory as _;

use super::arguments::{Cli, Completions};
use super::failure::Failure;
use super::output;

/// Runs the command.
pub(crate) fn run(arguments: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "tradewind", &mut script);
    output::bytes(&script)
}
