//! A jail as the node sees it: a handle on its first process, news of the program, and its cgroup.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use rustix::net::RecvFlags;
use rustix::process::{Pid, Signal, kill_process_group, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::super::SpawnError;
use super::super::usage::{self, ProcessUsage};
use super::cgroup::Cgroup;
use super::sys;
use super::trouble::Trouble;
use super::wire::{self, News};

/// The largest news: a step's name.
const NEWS_BYTES: usize = 4096;

/// An instance in its jail. Killed, with all that is in it, when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    number: u64,
    /// Readable when the first process, and with it everything, has ended.
    handle: AsyncFd<OwnedFd>,
    /// The way to hear how the program ended. Closing it lets the spawner clean up.
    news: OwnedFd,
    cgroup: Cgroup,
    memory_limit_bytes: u64,
    /// The program's process id on this machine.
    program: OnceLock<u32>,
    exited: Option<ExitStatus>,
    frozen: bool,
}

impl Process {
    /// Waits until the program of a launch runs.
    pub(super) async fn started(
        number: u64,
        news: OwnedFd,
        cgroup: Cgroup,
        memory_limit_bytes: u64,
    ) -> Result<Self, SpawnError> {
        let news = sys::watched(news, Interest::READABLE)?;
        let mut handle = None;
        let mut started = false;
        while handle.is_none() || !started {
            let (said, fd) = next(&news).await?;
            match said {
                News::Made => handle = fd,
                News::Started => started = true,
                News::Failed { step, errno } => return Err(refused(step, errno)),
                News::Exited(_) => return Err(gone().into()),
            }
        }
        let handle = handle.ok_or_else(gone)?;
        Ok(Self {
            number,
            handle: sys::watched(handle, Interest::READABLE)?,
            news: news.into_inner(),
            cgroup,
            memory_limit_bytes,
            program: OnceLock::new(),
            exited: None,
            frozen: false,
        })
    }

    /// By which the spawner knows it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Ready when everything in the jail has ended.
    pub(crate) fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<ExitStatus> {
        if let Some(status) = self.exited {
            return Poll::Ready(status);
        }
        // the handle stays readable: its readiness is never cleared
        if self.handle.poll_read_ready(cx).is_pending() {
            return Poll::Pending;
        }
        let status = self.last_news();
        self.exited = Some(status);
        Poll::Ready(status)
    }

    /// How the program ended. A jail that was killed said nothing.
    fn last_news(&self) -> ExitStatus {
        let mut buffer = [0; NEWS_BYTES];
        while let Ok((length, _fds)) = wire::receive(self.news.as_fd(), &mut buffer, RecvFlags::DONTWAIT)
            && length > 0
        {
            let said = buffer.get(..length).unwrap_or_default();
            if let Ok(News::Exited(status)) = News::read(said) {
                return ExitStatus::from_raw(status);
            }
        }
        ExitStatus::from_raw(libc::SIGKILL)
    }

    /// Kills everything in the jail, frozen or not.
    pub(crate) fn kill(&mut self) {
        if self.exited.is_some() {
            return;
        }
        if let Err(error) = pidfd_send_signal(self.handle.get_ref(), Signal::KILL) {
            // it has ended already (ESRCH), which is what was wanted
            tracing::trace!(%error, "nothing to kill");
        }
        // a frozen group of version 1 does not die
        if self.frozen
            && let Err(error) = self.thaw()
        {
            tracing::debug!(%error, "cannot thaw an instance that is to end");
        }
    }

    /// Stops everything in the jail.
    pub(crate) fn freeze(&mut self) -> io::Result<()> {
        if !self.cgroup.set_frozen(true)? {
            self.signal_program(Signal::STOP)?;
        }
        self.frozen = true;
        Ok(())
    }

    /// Lets everything in the jail go on.
    pub(crate) fn thaw(&mut self) -> io::Result<()> {
        if !self.cgroup.set_frozen(false)? {
            self.signal_program(Signal::CONT)?;
        }
        self.frozen = false;
        Ok(())
    }

    /// What all processes of the jail use. Where nothing counts that, what the program uses.
    pub(crate) fn usage(&self) -> Option<ProcessUsage> {
        let program = self.program().and_then(usage::of_process);
        let Some(memory_bytes) = self.cgroup.memory_bytes() else {
            return program;
        };
        // the group's own peak has files in it that it has read; of a program that is gone it is all there is
        let peak = match program {
            Some(program) => program.peak_bytes.max(memory_bytes),
            None => self.cgroup.peak_bytes()?,
        };
        let peak_bytes = if self.oom_killed() {
            self.memory_limit_bytes
        } else {
            peak
        };
        Some(ProcessUsage {
            memory_bytes,
            peak_bytes: peak_bytes.min(self.memory_limit_bytes),
            cpu: self.cgroup.cpu().or(program.map(|program| program.cpu))?,
        })
    }

    /// Whether something in the jail was killed because the memory was used up.
    pub(crate) fn oom_killed(&self) -> bool {
        self.cgroup.oom_kills() > 0
    }

    fn signal_program(&self, signal: Signal) -> io::Result<()> {
        let leader = self.program().and_then(|id| Pid::from_raw(id.cast_signed()));
        let leader = leader.ok_or(io::ErrorKind::NotFound)?;
        Ok(kill_process_group(leader, signal)?)
    }

    /// The program is the first child that the first process had.
    fn program(&self) -> Option<u32> {
        if let Some(id) = self.program.get() {
            return Some(*id);
        }
        let first = first_process(&self.handle)?;
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).ok()?;
        let id = children.split_whitespace().next()?.parse().ok()?;
        Some(*self.program.get_or_init(|| id))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until something that was asked for is done.
pub(super) async fn done(news: OwnedFd) -> Result<(), SpawnError> {
    let news = sys::watched(news, Interest::READABLE)?;
    match next(&news).await? {
        (News::Failed { step, errno }, _) => Err(refused(step, errno)),
        (News::Made | News::Started | News::Exited(_), _) => Ok(()),
    }
}

async fn next(news: &AsyncFd<OwnedFd>) -> io::Result<(News, Option<OwnedFd>)> {
    let mut buffer = [0; NEWS_BYTES];
    let receive = |socket: &OwnedFd| wire::receive(socket.as_fd(), &mut buffer, RecvFlags::DONTWAIT);
    let mut receive = receive;
    loop {
        let mut ready = news.readable().await?;
        let Ok(received) = ready.try_io(|socket| receive(socket.get_ref())) else {
            continue;
        };
        let (length, mut fds) = received?;
        if length == 0 {
            return Err(gone());
        }
        let said = News::read(buffer.get(..length).unwrap_or_default())?;
        return Ok((said, fds.pop()));
    }
}

/// A handle's process id, as `/proc` has it.
fn first_process(handle: &AsyncFd<OwnedFd>) -> Option<u32> {
    use std::os::fd::AsRawFd;
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd())).ok()?;
    let id = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    id.trim().parse().ok()
}

/// The kernel's word about the program itself is the function's business; about the jail, the node's.
fn refused(step: String, errno: i32) -> SpawnError {
    if step.is_empty() {
        return io::Error::from_raw_os_error(errno).into();
    }
    io::Error::other(Trouble { step, errno }).into()
}

fn gone() -> io::Error {
    io::Error::other("the jail ended before its program started")
}
