//! The `jail` sandbox: every instance in namespaces of its own, with nothing in sight but its runtime, its
//! code and a `/tmp`, within limits that the kernel enforces.
//!
//! ```text
//! node ── control ──▶ spawner ── clone3 ──▶ first process ── fork ──▶ program
//!   ▲                 (mounts, cgroups)     (init of the jail)        (no privileges, filtered)
//!   └───────────────── news, handle ─────────────┘
//! ```
//!
//! # Invariants
//! - The node never forks: the spawner does, which is small and has one thread.
//! - A jail ends with its program, with its first process, with the node's interest in it, with the
//!   spawner, and with the node; and then nothing of it is left.
//! - The program has no privilege in any namespace, and cannot get one.
//!
//! # Where to look
//! `spawner` (the process), `root` (what all jails see), `inside` (the first process), `identity`,
//! `seccomp`, `landlock`, `cgroup`; `late` (what a jail is shown later); `process` (the node's view); `wire` (what they tell each other).

mod cgroup;
mod identity;
mod inside;
mod landlock;
mod late;
mod process;
mod root;
mod seccomp;
mod spawner;
mod sys;
#[cfg(test)]
pub(crate) mod tests;
mod trouble;
mod wire;

pub(crate) use process::Process;
pub use spawner::run_spawner;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::io::ioctl_fionbio;
use rustix::net::RecvFlags;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Folders, Limits, SpawnError, SpawnPlan};
use wire::{Hello, Launch, MAX_BYTES, News, Request, Setup};

/// How long the spawner may take to prepare, and to make the first jail.
const PATIENCE: Duration = Duration::from_secs(5);
const MIB: u64 = 1024 * 1024;

/// The program that becomes the spawner: it must call [`run_spawner`] when it is started like this.
#[derive(Clone, Debug)]
pub struct SpawnerProgram {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// What a jail on this machine is made of.
#[derive(Clone, Debug)]
pub(crate) struct Facts(Hello);

impl Facts {
    pub(crate) fn own_users(&self) -> bool {
        self.0.own_users
    }

    /// Whether an instance can be shown its package after its start.
    pub(crate) fn specialises(&self) -> bool {
        self.0.specialises
    }

    /// 0 is none.
    pub(crate) fn landlock(&self) -> u32 {
        self.0.landlock
    }

    pub(crate) fn limits_memory(&self) -> bool {
        self.0.hierarchies.has(cgroup::Controller::Memory)
    }

    pub(crate) fn shares_cpu(&self) -> bool {
        self.0.hierarchies.has(cgroup::Controller::Cpu)
    }

    pub(crate) fn limits_processes(&self) -> bool {
        self.0.hierarchies.has(cgroup::Controller::Pids)
    }

    pub(crate) fn freezes(&self) -> bool {
        self.0.hierarchies.has(cgroup::Controller::Freezer)
    }
}

/// A spawner that has shown that it can make jails.
#[derive(Debug)]
pub(crate) struct Connection {
    control: OwnedFd,
    spawner: Child,
    facts: Facts,
}

/// The way to the spawner.
#[derive(Debug)]
pub(crate) struct Jail {
    /// None once it was told to stop.
    control: Mutex<Option<Arc<AsyncFd<OwnedFd>>>>,
    spawner: Mutex<Option<Child>>,
    facts: Facts,
    next: AtomicU64,
}

impl Connection {
    /// Starts the spawner and lets it make one jail, to see that it can. `folder` is an empty one that it
    /// may mount over, where nobody else sees that.
    ///
    /// # Blocking
    /// For some milliseconds.
    ///
    /// # Errors
    /// When a jail cannot be made here: the step that failed.
    pub(crate) fn start(program: &SpawnerProgram, folder: &Path) -> io::Result<Self> {
        let (control, theirs) = wire::pair()?;
        let spawner = Command::new(&program.program)
            .args(&program.args)
            .env_clear()
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null())
            .spawn()?;
        set_socket_timeout(&control, Timeout::Recv, Some(PATIENCE))?;
        let setup = Setup {
            folder: folder.to_owned(),
        };
        wire::send(control.as_fd(), &setup.write(), &[])?;
        let mut buffer = vec![0; MAX_BYTES];
        let (length, _fds) = wire::receive(control.as_fd(), &mut buffer, RecvFlags::empty())?;
        if length == 0 {
            return Err(io::Error::other("the spawner ended before it was ready"));
        }
        let hello = Hello::read(buffer.get(..length).unwrap_or_default())?.map_err(io::Error::other)?;
        try_one(&control)?;
        Ok(Self {
            control,
            spawner,
            facts: Facts(hello),
        })
    }

    /// What its jails are made of. The spawner ends.
    ///
    /// # Blocking
    /// Until it has ended.
    pub(crate) fn into_facts(self) -> io::Result<Facts> {
        let Self {
            control,
            mut spawner,
            facts,
        } = self;
        drop(control);
        spawner.wait()?;
        Ok(facts)
    }
}

impl Jail {
    /// Makes jails by a spawner that can. The caller is inside a runtime.
    pub(crate) fn new(connection: Connection) -> io::Result<Self> {
        let Connection {
            control,
            spawner,
            facts,
        } = connection;
        ioctl_fionbio(&control, true)?;
        let control = sys::watched(control, Interest::WRITABLE)?;
        Ok(Self {
            control: Mutex::new(Some(control.into())),
            spawner: Mutex::new(Some(spawner)),
            facts,
            next: AtomicU64::new(FIRST + 1),
        })
    }

    /// What its jails are made of.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Where every instance sees its folders.
    pub(crate) fn inside(outside: &Folders) -> Folders {
        Folders {
            task_root: root::TASK_ROOT.into(),
            layers: outside.layers.as_ref().map(|_layers| root::LAYERS.into()),
            runtime: root::RUNTIME.into(),
            prepared: outside.prepared.as_ref().map(|_prepared| root::PREPARED.into()),
            tmp: root::TMP.into(),
        }
    }

    /// Starts an instance.
    ///
    /// # Cancel safety
    /// An instance whose future is dropped is killed.
    pub(crate) async fn spawn(&self, plan: SpawnPlan) -> Result<Process, SpawnError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let request = Request::Launch(Box::new(launch(number, &plan)));
        let (news, theirs) = wire::pair()?;
        let mut fds: Vec<BorrowedFd<'_>> = vec![theirs.as_fd(), plan.output.as_fd()];
        if let Some(channel) = &plan.channel {
            fds.extend([channel.input.as_fd(), channel.output.as_fd()]);
        }
        fds.extend(plan.network.iter().map(|network| network.namespace.as_fd()));
        self.ask(&request, &fds).await?;
        // the spawner has its own: the end of the jail is to be heard
        drop(fds);
        drop(theirs);
        let cgroup = self.facts.0.hierarchies.group(number);
        Process::started(number, news, cgroup, u64::from(plan.limits.memory_mib) * MIB).await
    }

    /// Shows an instance that runs already a package as its `/var/task`, and what was prepared of it.
    ///
    /// # Errors
    /// When the instance has ended, or the kernel refuses: the step that failed.
    pub(crate) async fn specialise(&self, process: &Process, folders: &Folders) -> Result<(), SpawnError> {
        let (news, theirs) = wire::pair()?;
        let request = Request::Specialise {
            number: process.number(),
            package: folders.task_root.clone(),
            prepared: folders.prepared.clone(),
        };
        self.ask(&request, &[theirs.as_fd()]).await?;
        drop(theirs);
        process::done(news).await
    }

    async fn ask(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<(), SpawnError> {
        let control = self
            .control
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let control = control.ok_or(SpawnError::Stopped)?;
        let request = request.write();
        if request.len() > MAX_BYTES {
            return Err(io::Error::from_raw_os_error(libc::E2BIG).into());
        }
        let sending = |control: &OwnedFd| wire::send(control.as_fd(), &request, fds);
        Ok(control.async_io(Interest::WRITABLE, sending).await?)
    }

    /// Ends the spawner and with it all jails. Waits until it has ended.
    pub(crate) async fn stop(&self) {
        drop(self.control.lock().unwrap_or_else(PoisonError::into_inner).take());
        let spawner = self.spawner.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut spawner) = spawner else { return };
        let ended = tokio::task::spawn_blocking(move || spawner.wait()).await;
        if !matches!(ended, Ok(Ok(status)) if status.success()) {
            tracing::warn!(?ended, "the process that starts instances did not end well");
        }
    }
}

/// The number of the jail that is made to see whether one can be.
const FIRST: u64 = 1;

fn launch(number: u64, plan: &SpawnPlan) -> Launch {
    Launch {
        number,
        package: plan.folders.task_root.clone(),
        layers: plan.folders.layers.clone(),
        runtime: plan.folders.runtime.clone(),
        prepared: plan.folders.prepared.clone(),
        tools: plan.tools.clone(),
        program: Some(plan.program.clone()),
        args: plan.args.clone(),
        environment: plan.environment.clone(),
        working_dir: plan.working_dir.clone(),
        limits: plan.limits,
        has_channel: plan.channel.is_some(),
        resolv_conf: plan.network.as_ref().map(|network| network.resolv_conf.clone()),
    }
}

/// Makes a jail that runs nothing, and waits for its end.
fn try_one(control: &OwnedFd) -> io::Result<()> {
    let launch = Launch {
        number: FIRST,
        package: "/usr".into(),
        layers: None,
        runtime: "/usr".into(),
        prepared: None,
        tools: Vec::new(),
        program: None,
        args: Vec::new(),
        environment: Vec::new(),
        working_dir: root::TASK_ROOT.into(),
        limits: Limits {
            memory_mib: 128,
            tmp_mib: 1,
            cpu_millis: None,
        },
        has_channel: false,
        resolv_conf: None,
    };
    let (news, theirs) = wire::pair()?;
    let null: OwnedFd = std::fs::OpenOptions::new().write(true).open("/dev/null")?.into();
    let request = Request::Launch(Box::new(launch)).write();
    wire::send(control.as_fd(), &request, &[theirs.as_fd(), null.as_fd()])?;
    drop(theirs);
    set_socket_timeout(&news, Timeout::Recv, Some(PATIENCE))?;
    let mut buffer = vec![0; MAX_BYTES];
    loop {
        let (length, _fds) = wire::receive(news.as_fd(), &mut buffer, RecvFlags::empty())?;
        if length == 0 {
            return Err(io::Error::other("the first jail ended before it said anything"));
        }
        match News::read(buffer.get(..length).unwrap_or_default())? {
            News::Made | News::Started => {}
            News::Exited(_) => return Ok(()),
            News::Failed { step, errno } => return Err(io::Error::other(trouble::Trouble { step, errno })),
        }
    }
}
