//! What confines an instance, and how its process is started and ended.
//!
//! A [`SpawnPlan`] says what runs and what it may see and use; a [`Sandbox`] makes a [`Process`] of
//! it. There are two. `jail` (Linux) confines code that nobody trusts: namespaces, a root of its own,
//! cgroups, filtered system calls, its own network. `process` is a plain child with a session and process
//! group of its own, resource limits, a cleared environment, and a parent-death signal.
//! [`crate::guards`] tells what holds.
//!
//! Everything unsafe in the workspace is below this folder.

#[cfg(target_os = "linux")]
mod jail;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
pub(crate) mod jail;
#[cfg(target_os = "linux")]
#[allow(
    dead_code,
    reason = "for the usage records, which are about to tell the traffic"
)]
pub(crate) mod network;
#[cfg(not(target_os = "linux"))]
pub(crate) use jail as network;
mod process;
mod spawner;
mod usage;

pub(crate) use jail::Facts;
#[cfg(all(test, target_os = "linux"))]
pub(crate) use jail::tests::spawner as test_spawner;
pub use jail::{SpawnerProgram, run_spawner};
pub(crate) use process::raise_open_files;
pub(crate) use spawner::SpawnError;
pub(crate) use usage::ProcessUsage;

use jail::{Connection, Jail};
use network::{InstanceNetwork, Networks};
use spawner::Spawner;

use std::ffi::OsString;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::spec::Egress;

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
    /// Namespaces, a root of their own, cgroups, filtered system calls. Linux only; refused where it
    /// cannot be made.
    Jail,
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
    /// The package's compiled code, if it was prepared.
    pub(crate) prepared: Option<PathBuf>,
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
    pub(crate) limits: Limits,
    /// Its ends of the channel, if it speaks frames.
    pub(crate) channel: Option<ChannelEnds>,
    /// Where its standard output and error go.
    pub(crate) output: OwnedFd,
    /// Its network; the machine's own if there is none.
    pub(crate) network: Option<NetworkPlan>,
}

/// The network of a process to be started.
#[derive(Debug)]
pub(crate) struct NetworkPlan {
    /// The namespace.
    pub(crate) namespace: OwnedFd,
    /// What `/etc/resolv.conf` says.
    pub(crate) resolv_conf: String,
}

/// What a sandbox is made from.
#[derive(Debug)]
pub(crate) struct SandboxConfig<'a> {
    pub(crate) choice: SandboxChoice,
    /// Becomes the process that starts instances; without it there is no jail.
    pub(crate) spawner: Option<&'a SpawnerProgram>,
    /// A folder in which the sandbox keeps nothing, but which it may hide from its processes.
    pub(crate) folder: &'a Path,
    /// The node's API endpoint, which functions reach.
    pub(crate) api: Option<SocketAddr>,
}

/// What instances run in.
#[derive(Debug)]
pub(crate) enum Sandbox {
    /// Plain child processes.
    Process {
        spawner: Spawner,
        /// Why it is not a jail, when that was not asked for.
        instead: Option<String>,
    },
    /// Jails.
    Jail {
        jail: Jail,
        /// None where instances share the machine's.
        networks: Option<Box<Networks>>,
    },
}

impl Sandbox {
    /// Prepares the chosen sandbox. Processes belong to the runtime behind `handle`, which the caller is in.
    ///
    /// # Blocking
    /// For some milliseconds.
    ///
    /// # Errors
    /// When it cannot be made here.
    pub(crate) fn start(config: &SandboxConfig<'_>, handle: Handle) -> io::Result<Self> {
        let instead = match config.choice {
            SandboxChoice::Process => None,
            SandboxChoice::Jail => return Self::jail(config),
            SandboxChoice::Auto => match Self::jail(config) {
                Ok(jail) => return Ok(jail),
                Err(error) => Some(error.to_string()),
            },
        };
        Ok(Self::Process {
            spawner: Spawner::start(handle)?,
            instead,
        })
    }

    fn jail(config: &SandboxConfig<'_>) -> io::Result<Self> {
        let jail = Jail::new(connect(config)?)?;
        // without a user of its own, the node may make no network either
        let networks = jail.facts().own_users().then(|| Networks::start(config.api));
        Ok(Self::Jail {
            networks: networks.transpose()?.map(Box::new),
            jail,
        })
    }

    /// What confines instances; none are jails. With the reason, if that is not what was asked for.
    pub(crate) fn facts(&self) -> Result<&Facts, Option<&str>> {
        match self {
            Self::Process { instead, .. } => Err(instead.as_deref()),
            Self::Jail { jail, .. } => Ok(jail.facts()),
        }
    }

    /// Where an instance sees its folders.
    pub(crate) fn inside(&self, outside: &Folders) -> Folders {
        match self {
            Self::Process { .. } => outside.clone(),
            Self::Jail { .. } => Jail::inside(outside),
        }
    }

    /// A network of its own for an instance, which must outlive it; none where it shares the machine's.
    ///
    /// # Errors
    /// When the kernel makes none.
    pub(crate) async fn network(&self, egress: Egress) -> io::Result<Option<InstanceNetwork>> {
        match self {
            Self::Jail {
                networks: Some(networks),
                ..
            } => networks.take(egress).await.map(Some),
            Self::Process { .. } | Self::Jail { networks: None, .. } => Ok(None),
        }
    }

    /// Whether packages are prepared here: their code runs for that, confined and without a network.
    pub(crate) fn prepares(&self) -> bool {
        matches!(
            self,
            Self::Jail {
                networks: Some(_),
                ..
            }
        )
    }

    /// Whether a process may be told after its start which function it runs.
    pub(crate) fn keeps_stems(&self) -> bool {
        match self {
            Self::Process { .. } => true,
            Self::Jail { jail, .. } => jail.facts().specialises(),
        }
    }

    /// Shows a process that runs already the package of the function that it becomes, and what was prepared
    /// of it, where [`inside`](Self::inside) says.
    ///
    /// # Errors
    /// When the process has ended, or the kernel refuses.
    pub(crate) async fn specialise(&self, process: &Process, folders: &Folders) -> Result<(), SpawnError> {
        match (self, process) {
            (Self::Jail { jail, .. }, Process::Jailed(process)) => jail.specialise(process, folders).await,
            // it sees whatever there is
            _ => Ok(()),
        }
    }

    /// Starts a process.
    pub(crate) async fn spawn(&self, plan: SpawnPlan) -> Result<Process, SpawnError> {
        match self {
            Self::Process { spawner, .. } => spawner.spawn(plan).await.map(Process::Plain),
            Self::Jail { jail, .. } => jail.spawn(plan).await.map(Process::Jailed),
        }
    }

    /// Ends whatever it started, and itself.
    pub(crate) async fn stop(&self) {
        match self {
            Self::Process { spawner, .. } => spawner.stop().await,
            Self::Jail { jail, networks } => {
                jail.stop().await;
                if let Some(networks) = networks {
                    networks.stop().await;
                }
            }
        }
    }
}

/// Starts the spawner, which sees whether jails can be made.
pub(crate) fn connect(config: &SandboxConfig<'_>) -> io::Result<Connection> {
    match config.spawner {
        Some(program) => Connection::start(program, config.folder),
        None => Err(io::Error::other("there is no program to start jails with")),
    }
}

/// A started process and all its descendants. Killed, with them, when dropped.
#[derive(Debug)]
pub(crate) enum Process {
    /// Of the `process` sandbox.
    Plain(process::Process),
    /// In a jail.
    Jailed(jail::Process),
}

impl Process {
    /// Ready when the process has ended, by itself or not. What it leaves behind is killed then.
    pub(crate) fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<ExitStatus> {
        match self {
            Self::Plain(process) => process.poll_exit(cx),
            Self::Jailed(process) => process.poll_exit(cx),
        }
    }

    /// Kills it with all its descendants, frozen or not. They have ended when
    /// [`Process::poll_exit`] says so.
    pub(crate) fn kill(&mut self) {
        match self {
            Self::Plain(process) => process.kill(),
            Self::Jailed(process) => process.kill(),
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
            Self::Jailed(process) => process.freeze(),
        }
    }

    /// Lets it run again.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn thaw(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(process) => process.thaw(),
            Self::Jailed(process) => process.thaw(),
        }
    }

    /// What it uses and has used. None when it is gone or the system does not say.
    pub(crate) fn usage(&self) -> Option<ProcessUsage> {
        match self {
            Self::Plain(process) => process.usage(),
            Self::Jailed(process) => process.usage(),
        }
    }

    /// Whether something of it was killed because its memory was used up. Only a sandbox that limits
    /// memory knows.
    pub(crate) fn oom_killed(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Jailed(process) => process.oom_killed(),
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
