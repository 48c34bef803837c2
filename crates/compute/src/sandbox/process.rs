//! The `process` sandbox: a child with limits, and the end of all its descendants in the group.
#![expect(unsafe_code, reason = "sessions, limits and signals are system calls")]

use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::task::{Context, Poll};

use tokio::process::{Child, Command};
use tradewind_model::limits::OPEN_FILES;

use super::usage::{ProcessUsage, of_process};
use super::{CHANNEL_FDS, ChannelEnds, SpawnPlan};

/// A started process and its group. Killed, with the group, when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// The process id of the leader, which is the id of its group.
    group: libc::pid_t,
    exited: Option<ExitStatus>,
}

impl Process {
    /// The process id of the leader.
    pub(crate) fn id(&self) -> u32 {
        self.group.unsigned_abs()
    }

    /// Ready when the leader has ended, by itself or not. What it leaves behind is killed then.
    pub(crate) fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<ExitStatus> {
        if let Some(status) = self.exited {
            return Poll::Ready(status);
        }
        let Poll::Ready(waited) = pin!(self.child.wait()).poll(cx) else {
            return Poll::Pending;
        };
        let status = waited.unwrap_or_default();
        self.exited = Some(status);
        kill_group(self.group);
        Poll::Ready(status)
    }

    /// Kills the leader and its group. They have ended when [`Process::poll_exit`] says so.
    pub(crate) fn kill(&mut self) {
        if self.exited.is_none() {
            kill_group(self.group);
        }
    }

    /// Stops the group.
    pub(crate) fn freeze(&mut self) -> io::Result<()> {
        signal_group(self.group, libc::SIGSTOP)
    }

    /// Lets the group go on.
    pub(crate) fn thaw(&mut self) -> io::Result<()> {
        signal_group(self.group, libc::SIGCONT)
    }

    /// What the leader uses; its children are not counted.
    pub(crate) fn usage(&self) -> Option<ProcessUsage> {
        of_process(self.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a process. Must run on a thread that lives as long as the process may: the kernel takes
/// the end of that thread for the death of the parent.
pub(super) fn spawn(plan: SpawnPlan) -> io::Result<Process> {
    let stderr = plan.output.try_clone()?;
    let mut command = Command::new(&plan.program);
    command
        .args(&plan.args)
        .env_clear()
        .envs(plan.environment)
        .current_dir(&plan.working_dir)
        .stdin(Stdio::null())
        .stdout(plan.output)
        .stderr(stderr);
    confine(&mut command, plan.channel);
    let child = command.spawn()?;
    let id = child.id().and_then(|id| libc::pid_t::try_from(id).ok());
    let group = id.ok_or_else(|| io::Error::other("the child has no process id"))?;
    Ok(Process {
        child,
        group,
        exited: None,
    })
}

fn confine(command: &mut Command, channel: Option<ChannelEnds>) {
    let parent = libc::pid_t::try_from(std::process::id()).unwrap_or_default();
    let in_child = move || {
        new_session()?;
        die_with_parent(parent)?;
        limit(libc::RLIMIT_CORE, 0)?;
        limit(libc::RLIMIT_NOFILE, OPEN_FILES)?;
        close_inherited();
        let Some(channel) = &channel else {
            return Ok(());
        };
        let [input, output] = CHANNEL_FDS;
        inherit(channel.input.as_raw_fd(), input)?;
        inherit(channel.output.as_raw_fd(), output)
    };
    // SAFETY: between fork and exec the closure makes system calls only: it takes no lock,
    // allocates nothing (errors are bare numbers) and touches no state of the other threads.
    unsafe { command.pre_exec(in_child) };
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// A session of its own: out of reach of the terminal's signals, in a group that can be killed.
fn new_session() -> io::Result<()> {
    // SAFETY: setsid takes nothing and changes only the calling process.
    checked(unsafe { libc::setsid() })
}

#[cfg(target_os = "linux")]
fn die_with_parent(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: prctl with PR_SET_PDEATHSIG reads one integer argument.
    checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
    // SAFETY: getppid takes nothing and cannot fail.
    let now = unsafe { libc::getppid() };
    // the parent may have died before the signal was asked for
    if now == parent {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_parent: libc::pid_t) -> io::Result<()> {
    Ok(())
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
type Resource = libc::c_int;

/// Sets a limit, or keeps the lower one that already holds.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let most = most.min(limits_of(resource)?.rlim_max);
    set_limits(
        resource,
        libc::rlimit {
            rlim_cur: most,
            rlim_max: most,
        },
    )
}

/// Lets this process have as many open files as it is allowed to ask for: each instance takes three
/// or more of the node's.
pub(crate) fn raise_open_files() -> io::Result<()> {
    let limits = limits_of(libc::RLIMIT_NOFILE)?;
    set_limits(
        libc::RLIMIT_NOFILE,
        libc::rlimit {
            rlim_cur: limits.rlim_max,
            ..limits
        },
    )
}

fn limits_of(resource: Resource) -> io::Result<libc::rlimit> {
    let mut limits = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limits` is a valid rlimit to write to.
    checked(unsafe { libc::getrlimit(resource, &raw mut limits) })?;
    Ok(limits)
}

fn set_limits(resource: Resource, limits: libc::rlimit) -> io::Result<()> {
    // SAFETY: `limits` is a valid rlimit to read from.
    checked(unsafe { libc::setrlimit(resource, &raw const limits) })
}

/// Whatever descriptors the node itself was started with are not for functions. An old kernel
/// without the call keeps them: they are the user's own doing.
#[cfg(target_os = "linux")]
fn close_inherited() {
    let first: libc::c_uint = 3;
    // SAFETY: the call only marks descriptors of this process, to be closed by exec.
    let _marked: libc::c_long = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
}

#[cfg(not(target_os = "linux"))]
fn close_inherited() {}

/// Makes `from` the descriptor `to` of the program to come.
fn inherit(from: RawFd, to: RawFd) -> io::Result<()> {
    if from == to {
        // SAFETY: clears the close-on-exec flag of a descriptor this process owns.
        return checked(unsafe { libc::fcntl(to, libc::F_SETFD, 0) });
    }
    // SAFETY: `from` is open; the copy has no close-on-exec flag. `to` is not in use by anything
    // that is needed before exec: `spawner::reserve_low_descriptors` keeps the node off it.
    checked(unsafe { libc::dup2(from, to) })
}

fn kill_group(group: libc::pid_t) {
    if let Err(error) = signal_group(group, libc::SIGKILL) {
        // it is gone already (ESRCH), which is what was wanted
        tracing::trace!(%error, group, "nothing to kill");
    }
}

fn signal_group(group: libc::pid_t, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: sends a signal; `group` is a positive id of a group that this process made.
    checked(unsafe { libc::kill(-group, signal) })
}
