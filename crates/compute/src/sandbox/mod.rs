//! What confines an instance, and how its process is started and ended.
//!
//! A [`SpawnPlan`] says what runs and what it may see and use; a [`Sandbox`] makes a [`Process`] of
//! it. `process` is a plain child with a session and process group of its own, resource limits, a
//! cleared environment, and a parent-death signal. [`crate::guards`] tells what that does and does
//! not hold.
//!
//! Everything unsafe in the workspace is below this folder: [`process`](self::process) and
//! `network/link.rs`.

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "for the jail, which is about to join these networks")]
pub(crate) mod network;
mod process;
mod spawner;
mod usage;

pub(crate) use process::raise_open_files;
pub(crate) use spawner::SpawnError;
pub(crate) use usage::ProcessUsage;

use spawner::Spawner;

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// The descriptor numbers under which a function finds its ends of the channel: events come from the
/// first, answers go to the second.
pub(crate) const CHANNEL_FDS: [i32; 2] = [3, 4];

/// A function's ends of its channel.
#[derive(Debug)]
pub(crate) struct ChannelEnds {
    /// Events.
    pub(crate) input: OwnedFd,
    /// Answers.
    pub(crate) output: OwnedFd,
}

/// Which sandbox instances run in (`--sandbox`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SandboxChoice {
    /// The strongest that works here; the node says at its start which that is.
    #[default]
    Auto,
    /// Plain child processes: for code that is trusted.
    Process,
}

/// The folders of an instance, on this machine or as its processes see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folders {
    /// The package.
    pub(crate) task_root: PathBuf,
    /// What the layers together hold.
    pub(crate) layers: Option<PathBuf>,
    /// The bootstrap of the managed runtime.
    pub(crate) runtime: PathBuf,
    /// Temporary files.
    pub(crate) tmp: PathBuf,
}

/// What an instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// `memorySize`, which is also its share of the processors.
    pub(crate) memory_mib: u32,
    /// `ephemeralStorageSize`.
    pub(crate) tmp_mib: u32,
    /// Thousandths of a processor it may use at most.
    pub(crate) cpu_millis: Option<u32>,
}

/// A process to be started. Program, arguments, environment and working folder are as seen inside the
/// sandbox: [`Sandbox::inside`] says where the folders are there.
#[derive(Debug)]
pub(crate) struct SpawnPlan {
    /// The instance's folders on this machine. The temporary one is made just before it starts.
    pub(crate) folders: Folders,
    /// Folders of this machine that the program needs besides the system's own.
    #[allow(dead_code, reason = "for the jail, which shows nothing else")]
    pub(crate) tools: Vec<PathBuf>,
    /// The executable.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Its whole environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub(crate) working_dir: PathBuf,
    /// What it may use.
    #[allow(dead_code, reason = "for the jail, which enforces them")]
    pub(crate) limits: Limits,
    /// Its ends of the channel, if it speaks frames.
    pub(crate) channel: Option<ChannelEnds>,
    /// Where its standard output and error go.
    pub(crate) output: OwnedFd,
}

/// What instances run in.
#[derive(Debug)]
pub(crate) enum Sandbox {
    /// Plain child processes.
    Process(Spawner),
}

impl Sandbox {
    /// Prepares the chosen sandbox. Processes belong to the runtime behind `handle`.
    ///
    /// # Errors
    /// When it cannot be made here.
    pub(crate) fn start(choice: SandboxChoice, handle: Handle) -> io::Result<Self> {
        match choice {
            SandboxChoice::Auto | SandboxChoice::Process => Ok(Self::Process(Spawner::start(handle)?)),
        }
    }

    /// Where an instance sees its folders.
    pub(crate) fn inside(&self, outside: &Folders) -> Folders {
        match self {
            Self::Process(_) => outside.clone(),
        }
    }

    /// Starts a process.
    pub(crate) async fn spawn(&self, plan: SpawnPlan) -> Result<Process, SpawnError> {
        match self {
            Self::Process(spawner) => spawner.spawn(plan).await.map(Process::Plain),
        }
    }

    /// Ends whatever it started, and itself.
    pub(crate) async fn stop(&self) {
        match self {
            Self::Process(spawner) => spawner.stop().await,
        }
    }
}

/// A started process and all its descendants. Killed, with them, when dropped.
#[derive(Debug)]
pub(crate) enum Process {
    /// Of the `process` sandbox.
    Plain(process::Process),
}

impl Process {
    /// Ready when the process has ended, by itself or not. What it leaves behind is killed then.
    pub(crate) fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<ExitStatus> {
        match self {
            Self::Plain(process) => process.poll_exit(cx),
        }
    }

    /// Kills it with all its descendants, frozen or not. They have ended when
    /// [`Process::poll_exit`] says so.
    pub(crate) fn kill(&mut self) {
        match self {
            Self::Plain(process) => process.kill(),
        }
    }

    /// Kills, and waits for the end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        self.kill();
        std::future::poll_fn(|cx| self.poll_exit(cx)).await
    }

    /// Takes the processor away from it and its descendants until [`thaw`](Self::thaw).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn freeze(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(process) => process.freeze(),
        }
    }

    /// Lets it run again.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn thaw(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(process) => process.thaw(),
        }
    }

    /// What it uses and has used. None when it is gone or the system does not say.
    pub(crate) fn usage(&self) -> Option<ProcessUsage> {
        match self {
            Self::Plain(process) => process.usage(),
        }
    }

    /// Whether something of it was killed because its memory was used up. Only a sandbox that limits
    /// memory knows.
    #[allow(dead_code, reason = "for the driver, which is about to name it")]
    pub(crate) fn oom_killed(&self) -> bool {
        match self {
            Self::Plain(_) => false,
        }
    }
}

/// How long an interpreter may take to say its version.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// Runs a program of the machine and returns what it printed, or nothing when it failed.
///
/// # Blocking
/// Until the program ends, at most ten seconds.
pub(crate) fn probe(program: &Path, args: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let limit = Instant::now() + PROBE_LIMIT;
    let status = loop {
        match child.try_wait().ok()? {
            Some(status) => break status,
            None if Instant::now() > limit => {
                child.kill().ok()?;
                return None;
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let mut text = String::new();
    child
        .stdout
        .take()?
        .take(64 * 1024)
        .read_to_string(&mut text)
        .ok()?;
    status.success().then_some(text)
}
