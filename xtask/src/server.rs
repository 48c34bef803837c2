//! A server as a child process that ends with its handle.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::http::Client;
use crate::process;

const START_LIMIT: Duration = Duration::from_secs(90);
const END_LIMIT: Duration = Duration::from_secs(15);

/// A server; it and what it started ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// From the start of the process to its first answer.
    pub(crate) ready: Duration,
}

impl Server {
    /// Starts it and waits until `probe` is answered with a success.
    pub(crate) fn start(command: &mut Command, port: u16, probe: &str) -> Result<Self> {
        let begun = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let mut server = Self {
            child,
            port,
            ready: Duration::ZERO,
        };
        while !server.answers(probe) {
            if let Some(status) = server.child.try_wait()? {
                bail!("{command:?} ended before it answered ({status})");
            }
            if begun.elapsed() > START_LIMIT {
                bail!("{command:?} did not answer at {probe} in time");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        server.ready = begun.elapsed();
        Ok(server)
    }

    pub(crate) fn answers(&self, probe: &str) -> bool {
        let answer = Client::connect(self.port).and_then(|mut client| client.send("GET", probe, b""));
        answer.is_ok_and(|answer| (200..300).contains(&answer.status))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn client(&self) -> Result<Client> {
        Client::connect(self.port)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory of the process itself, in MB.
    pub(crate) fn resident_mb(&self) -> Result<f64> {
        process::resident_mb(self.pid())
    }

    /// Waits so long for its end: the exit code, which a killed process has not; none while it runs.
    pub(crate) fn ended_within(&mut self, limit: Duration) -> Result<Option<Option<i32>>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status.code()));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it as a power cut would: it notices nothing.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it, unless it has ended.
    pub(crate) fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }

    /// Asks it to end, and waits; false when it had to be killed.
    pub(crate) fn stop(&mut self) -> bool {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").arg(&pid).status();
        let deadline = Instant::now() + END_LIMIT;
        while asked.as_ref().is_ok_and(|status| status.success()) && Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.child.kill().is_ok() && self.child.wait().is_err() {
            eprintln!("process {pid} could not be ended");
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
