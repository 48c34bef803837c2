//! Running a tool: in its own process group, with a deadline, its output kept for the message when it fails.
//!
//! Invariant: whatever ends the wait (exit, deadline, the caller's future dropped by Ctrl-C), no process of
//! the tool's group is left running.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::Command;

use super::Tools;

/// Lines of a failed tool's output that are shown.
const SHOWN_LINES: usize = 30;
/// Bytes of output that are kept; of more, the end.
const KEPT_BYTES: usize = 256 * 1024;
/// Characters of one line that are shown.
const SHOWN_WIDTH: usize = 400;

/// One run of a tool.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    /// The command as a user would type it, for messages.
    pub(crate) shown: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    directory: PathBuf,
    environment: Vec<(OsString, OsString)>,
    deadline: Duration,
}

/// Why a tool did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// It could not be started.
    #[error("`{shown}` could not be started: {cause}")]
    Start { shown: String, cause: io::Error },
    /// It ended with a failure.
    #[error("`{shown}` failed ({status}){}", tail(output))]
    Failed {
        shown: String,
        status: ExitStatus,
        output: String,
    },
    /// It did not end in time.
    #[error("`{shown}` did not end within {} s{}", deadline.as_secs(), tail(output))]
    TimedOut {
        shown: String,
        deadline: Duration,
        output: String,
    },
}

impl ToolError {
    /// Everything that was kept of the tool's output.
    pub(crate) fn output(&self) -> &str {
        match self {
            Self::Start { .. } => "",
            Self::Failed { output, .. } | Self::TimedOut { output, .. } => output,
        }
    }
}

impl Invocation {
    /// Runs `program` in `directory`; `shown` is how messages call the command.
    pub(crate) fn new(shown: impl Into<String>, program: &Path, directory: &Path) -> Self {
        Self {
            shown: shown.into(),
            program: program.to_owned(),
            arguments: Vec::new(),
            directory: directory.to_owned(),
            environment: Vec::new(),
            deadline: Duration::from_secs(600),
        }
    }

    /// Adds arguments.
    pub(crate) fn args<S: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the tool's environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Allows this much time instead of ten minutes.
    pub(crate) fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs the tool to its end and gives what it wrote to its two outputs, in order.
    ///
    /// Dropping the future kills the tool and everything it started.
    pub(crate) async fn run(self, tools: &Tools) -> Result<String, ToolError> {
        let (shown, deadline) = (self.shown.clone(), self.deadline);
        let failed = |cause| ToolError::Start {
            shown: shown.clone(),
            cause,
        };
        let (mut running, reader) = self.start(tools).map_err(failed)?;
        let mut output = Output::default();
        let ended = tokio::time::timeout(deadline, finish(&mut running, reader, &mut output)).await;
        running.kill_rest();
        let output = output.text();
        match ended {
            Err(_elapsed) => Err(ToolError::TimedOut {
                shown,
                deadline,
                output,
            }),
            Ok(Err(cause)) => Err(failed(cause)),
            Ok(Ok(status)) if status.success() => Ok(output),
            Ok(Ok(status)) => Err(ToolError::Failed {
                shown,
                status,
                output,
            }),
        }
    }

    fn start(self, tools: &Tools) -> io::Result<(Running, pipe::Receiver)> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.directory)
            .env("PATH", tools.path())
            .env("NO_COLOR", "1")
            .env_remove("FORCE_COLOR")
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let reader = pipe::Receiver::from_owned_fd(reader.into())?;
        Ok((Running { child, group }, reader))
    }
}

/// A started tool; its whole group dies with it.
struct Running {
    child: tokio::process::Child,
    group: Option<Pid>,
}

impl Running {
    /// Kills what the tool left behind; the group is gone afterwards.
    fn kill_rest(&mut self) {
        if let Some(group) = self.group.take() {
            // An error means that nothing of the group is left, which is what we want.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_rest();
    }
}

/// Reads the output until the tool has ended and everything it wrote has been read.
async fn finish(
    running: &mut Running,
    mut reader: pipe::Receiver,
    output: &mut Output,
) -> io::Result<ExitStatus> {
    let mut chunk = vec![0; 16 * 1024];
    let mut open = true;
    let status = loop {
        tokio::select! {
            read = reader.read(&mut chunk), if open => match read? {
                0 => open = false,
                count => output.add(chunk.get(..count).unwrap_or_default()),
            },
            status = running.child.wait() => break status?,
        }
    };
    // Grandchildren may hold the pipe open for ever; the tool has ended, so must they.
    running.kill_rest();
    while open {
        match reader.read(&mut chunk).await? {
            0 => open = false,
            count => output.add(chunk.get(..count).unwrap_or_default()),
        }
    }
    Ok(status)
}

/// The end of what a tool wrote.
#[derive(Debug, Default)]
struct Output(VecDeque<u8>);

impl Output {
    fn add(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        let excess = self.0.len().saturating_sub(KEPT_BYTES);
        self.0.drain(..excess);
    }

    fn text(self) -> String {
        without_escapes(&String::from_utf8_lossy(&Vec::from(self.0)))
    }
}

/// The text without terminal control sequences.
fn without_escapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            clean.push(c);
        } else if chars.next() == Some('[') {
            // A control sequence ends at its first letter.
            chars.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    clean
}

/// The last lines of `output`, indented below a message; nothing when there are none.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let from = lines.len().saturating_sub(SHOWN_LINES);
    let shown = lines.iter().skip(from).map(|line| {
        let line: String = line.chars().take(SHOWN_WIDTH).collect();
        format!("\n    {line}")
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Tools {
        Tools::new("/usr/local/bin:/usr/bin:/bin", "/nowhere")
    }

    fn shell(script: &str) -> Invocation {
        Invocation::new("script", Path::new("/bin/sh"), Path::new("/")).args(["-c", script])
    }

    #[tokio::test]
    async fn both_outputs_are_kept_in_order() {
        let output = shell("echo one; echo two >&2; echo three")
            .run(&tools())
            .await
            .unwrap();
        assert_eq!(output, "one\ntwo\nthree\n");
    }

    #[tokio::test]
    async fn a_failure_shows_the_last_lines() {
        let error = shell("seq 1 100; exit 3").run(&tools()).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("`script` failed (exit status: 3)\n    71\n"),
            "{text}"
        );
        assert!(text.ends_with("\n    100"), "{text}");
        assert!(error.output().starts_with("1\n2\n"));
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let missing = Invocation::new("gone", Path::new("/nowhere/gone"), Path::new("/"));
        let error = missing.run(&tools()).await.unwrap_err();
        assert!(matches!(error, ToolError::Start { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_tool_that_hangs_is_stopped() {
        let hanging = shell("sleep 1000").within(Duration::ZERO);
        let error = hanging.run(&tools()).await.unwrap_err();
        assert!(error.to_string().contains("did not end within 0 s"), "{error}");
    }

    #[tokio::test]
    async fn what_a_tool_leaves_behind_does_not_hold_us_up() {
        let output = shell("sleep 1000 & echo done").run(&tools()).await.unwrap();
        assert_eq!(output, "done\n");
    }

    #[tokio::test]
    async fn dropping_the_run_kills_the_whole_group() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("alive");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let script = format!("(sleep 1000) > {0} & exec sleep 1000", fifo.display());
        let shared = tools();
        let mut run = Box::pin(shell(&script).run(&shared));
        // The grandchild opens the fifo for writing; our end sees its death as the end of the file.
        let opened = tokio::task::spawn_blocking(move || std::fs::File::open(fifo));
        let mut alive = tokio::select! {
            _ = &mut run => panic!("the script ended by itself"),
            file = opened => file.unwrap().unwrap(),
        };
        drop(run);
        let read = tokio::task::spawn_blocking(move || io::Read::read(&mut alive, &mut [0; 1]));
        assert_eq!(read.await.unwrap().unwrap(), 0);
    }

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(without_escapes("a\u{1b}[1;31mred\u{1b}[0m b"), "ared b");
    }
}
