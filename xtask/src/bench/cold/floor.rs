//! The floor under a cold start: the interpreter with our bootstrap and the handler, spawned plainly.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::command::{command, root};

/// A frame without a body: its length, and `READY` of `runtimes/README.md`.
const READY: [u8; 5] = [1, 0, 0, 0, 16];

/// What is spawned.
#[derive(Debug)]
pub(super) struct Floor {
    program: PathBuf,
    bootstrap: &'static str,
}

impl Floor {
    /// The interpreter itself: a shim in `$PATH` would cost a start of its own.
    pub(super) fn of(language: &str) -> Result<Self> {
        let (name, say, bootstrap) = match language {
            "node" => (
                "node",
                "console.log(process.execPath)",
                "runtimes/node/bootstrap.cjs",
            ),
            _ => (
                "python3.11",
                "import sys; print(sys.executable)",
                "runtimes/python/bootstrap.py",
            ),
        };
        let flag = if name == "node" { "-e" } else { "-c" };
        let output = command(name).args([flag, say]).output()?;
        Ok(Self {
            program: String::from_utf8(output.stdout)?.trim().into(),
            bootstrap,
        })
    }

    /// From the spawn to READY.
    pub(super) fn measure(&self) -> Result<Duration> {
        let begun = Instant::now();
        let mut child = command(&self.program)
            .arg(root().join(self.bootstrap))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("_TRADEWIND_FD", "0")
            .env("_TRADEWIND_OUT_FD", "1")
            .env("_HANDLER", "handler.handler")
            .env("LAMBDA_TASK_ROOT", root().join("bench/hello"))
            .env("LAMBDA_RUNTIME_DIR", root().join("runtimes"))
            .env("AWS_LAMBDA_FUNCTION_NAME", "floor")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .current_dir(root().join("bench/hello"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut frame = [0; READY.len()];
        let answer = child.stdout.as_mut().map(|out| out.read_exact(&mut frame));
        let took = begun.elapsed();
        child.kill()?;
        child.wait()?;
        ensure!(
            answer.is_some_and(|read| read.is_ok()) && frame == READY,
            "{} did not get ready",
            self.bootstrap
        );
        Ok(took)
    }
}
