//! `tradewind`: the command line ([`cli`]) and the composition of a node ([`node`]). No logic of its own.

mod cli;
#[cfg(test)]
mod docs;
mod node;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request allocates on one thread what another one frees: what the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // before anything is allocated or started: what forks is small and has one thread
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == node::SPAWNER_ARGUMENT)
    {
        return tradewind_compute::run_spawner();
    }
    cli::main()
}
