//! The command line: one file a command, `arguments` and `output` for all of them.
//!
//! Data goes to standard output, everything else to standard error, and both only through
//! [`output`]. A command returns a [`Failure`](failure::Failure) or nothing; what it is worth as an
//! exit code is decided in one place. The environment is read once, into [`Surroundings`].
//!
//! All commands but `up`, `serve`, `package`, `doctor` and `init` speak to a running node, over
//! HTTP ([`client`]).

mod arguments;
mod client;
mod completions;
mod content;
mod cost;
mod deploy;
mod doctor;
mod failure;
mod functions;
mod init;
mod interrupts;
mod invoke;
mod kafka;
mod list;
mod log_lines;
mod log_text;
mod logs;
mod mail;
mod nearest;
mod output;
mod package;
mod project;
mod remove;
mod scrub;
mod serve;
mod stack_events;
mod surroundings;
mod trace;
mod up;

use std::process::ExitCode;

use clap::Parser;

pub(crate) use arguments::Cli;
use arguments::Command;
use failure::Failure;
use surroundings::Surroundings;

/// Runs the command that was typed.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let surroundings = Surroundings::read();
    output::start_tracing(
        cli.verbose,
        surroundings.variables.get("TRADEWIND_LOG").map(String::as_str),
    );
    let ended = match runtime() {
        Ok(runtime) => {
            let ended = runtime.block_on(Box::pin(run(&cli.command, &surroundings)));
            // A command that was told twice to stop does not wait for what still runs.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(Failure::new("cannot start").because(&error)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("tradewind")
        .build()
}

async fn run(command: &Command, surroundings: &Surroundings) -> Result<(), Failure> {
    match command {
        Command::Up(arguments) => up::run(arguments, surroundings).await,
        Command::Serve(arguments) => serve::run(arguments, surroundings).await,
        Command::Deploy(arguments) => deploy::run(arguments, surroundings).await,
        Command::Remove(arguments) => remove::run(arguments, surroundings).await,
        Command::Package(arguments) => package::run(arguments, surroundings).await,
        Command::Invoke(arguments) => invoke::run(arguments, surroundings).await,
        Command::Logs(arguments) => logs::run(arguments, surroundings).await,
        Command::Trace(arguments) => trace::run(arguments).await,
        Command::Cost(arguments) => cost::run(arguments, surroundings).await,
        Command::Scrub(arguments) => scrub::run(arguments).await,
        Command::List(arguments) => list::run(arguments).await,
        Command::Doctor(arguments) => doctor::run(arguments, surroundings).await,
        Command::Init(arguments) => init::run(arguments, surroundings),
        Command::Completions(arguments) => completions::run(arguments),
    }
}
