//! A jail from within: what its first process does, from the moment it exists.
//!
//! ```text
//! enter cgroup, network ─▶ mount, pivot ─▶ become nobody ─▶ fork ─▶ wait for the program, reap
//!                                                             └─▶ Landlock, seccomp, exec
//! ```
//!
//! The first process stays, as the init of its process namespace: the program is not process 1, so that
//! signals and crashes do to it what they do elsewhere. When the program ends, it says how and ends too,
//! and the kernel ends everything else in the jail.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions, getrlimit, pivot_root,
    set_dumpable_behavior, set_parent_process_death_signal, setrlimit, setsid,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use seccompiler::BpfProgram;
use tradewind_model::limits::OPEN_FILES;

use super::super::CHANNEL_FDS;
use super::identity::Identity;
use super::root::{
    self, LAYERS, PREPARED, READ_ONLY, RESOLVER, RUNTIME, Root, SHARED_MEMORY, TASK_ROOT, TMP,
};
use super::sys::{self, Forked};
use super::trouble::{Step, Trouble};
use super::wire::{Launch, News};
use super::{landlock, seccomp};

/// What it shares with other processes on the node when they need it: `/dev/shm`.
const SHARED_MEMORY_OPTIONS: &std::ffi::CStr = c"size=64m,nr_inodes=4096,mode=1777";
/// Lambda's limit of processes and threads; our first process is one more.
const PROCESSES: u64 = 1024 + 1;
/// When the machine runs out of memory, a function goes before the node does.
const OOM_SCORE: &str = "500";
/// Descriptor numbers of the first process: its own come after the program's.
const NEWS_FD: RawFd = 5;
const SPAWNER_FD: RawFd = 6;

/// What a jail is made of.
pub(super) struct Jail<'a> {
    pub(super) launch: &'a Launch,
    /// Shown as `/etc/resolv.conf`.
    pub(super) resolver: Option<PathBuf>,
    pub(super) root: &'a Root,
    pub(super) identity: Identity,
    pub(super) entrances: Vec<PathBuf>,
    pub(super) filters: &'a [BpfProgram; 2],
    pub(super) fds: Descriptors,
    /// Readable, by its end, when the spawner is gone.
    pub(super) spawner: &'a OwnedFd,
}

/// What came with the launch.
pub(super) struct Descriptors {
    pub(super) news: OwnedFd,
    pub(super) output: OwnedFd,
    pub(super) channel: Option<[OwnedFd; 2]>,
    pub(super) network: Option<OwnedFd>,
}

impl Jail<'_> {
    /// Lives and ends as the first process of a jail.
    pub(super) fn run(self) -> ! {
        // the spawner ignores its children; this process waits for its own
        sys::reset_signals();
        let mut news = self.fds.news.as_raw_fd();
        let Err(Trouble { step, errno }) = self.live(&mut news) else {
            sys::exit_now(0)
        };
        News::Failed { step, errno }.tell(sys::borrow(news), None);
        sys::exit_now(1)
    }

    /// `news_at` is the number under which the node can be told of trouble.
    fn live(self, news_at: &mut RawFd) -> Result<(), Trouble> {
        self.join()?;
        self.mount()?;
        let (launch, filters) = (self.launch, self.filters);
        let program = Program::of(launch)?;
        self.identity.assume()?;
        // not before: the limit of processes is the user namespace's own
        limit()?;
        // ends with the spawner, which ends with the node
        set_parent_process_death_signal(Some(Signal::KILL)).step("end with the node")?;
        // closes this process's copy of the pipe's other end, too
        self.descriptors()?;
        *news_at = NEWS_FD;
        spawner_lives()?;
        let (reading, writing) = pipe_above_all().step("make a pipe")?;
        match sys::fork().step("start a process")? {
            Forked::Child => {
                drop(reading);
                let Err(trouble) = program.become_it(filters) else {
                    sys::exit_now(0)
                };
                let mut text = trouble.errno.to_le_bytes().to_vec();
                text.extend(trouble.step.as_bytes());
                drop((&writing).write_all(&text));
                sys::exit_now(1)
            }
            Forked::Parent(id) => {
                drop(writing);
                // the program's own descriptors are to be closed when it closes them
                sys::close_range(0, NEWS_FD.unsigned_abs() - 1).step("close what is the program's")?;
                watch(id, reading, sys::borrow(NEWS_FD))
            }
        }
    }

    fn join(&self) -> Result<(), Trouble> {
        for entrance in &self.entrances {
            fs::write(entrance, "0").step(format!("enter {}", entrance.display()))?;
        }
        sys::unshare(libc::CLONE_NEWCGROUP).step("make a cgroup namespace")?;
        fs::write("/proc/self/oom_score_adj", OOM_SCORE).step("set the oom score")?;
        if let Some(network) = &self.fds.network {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
                .step("enter the network")?;
        }
        Ok(())
    }

    fn mount(&self) -> Result<(), Trouble> {
        let (launch, root) = (self.launch, self.root);
        let own = [
            (Some(&launch.package), TASK_ROOT),
            (launch.layers.as_ref(), LAYERS),
            (Some(&launch.runtime), RUNTIME),
            (launch.prepared.as_ref(), PREPARED),
        ];
        for (outside, inside) in own {
            if let Some(outside) = outside {
                root.bind(outside, Path::new(inside), READ_ONLY)?;
            }
        }
        if let Some(resolver) = &self.resolver {
            root.bind(resolver, Path::new(RESOLVER), READ_ONLY)?;
        }
        for tool in launch.tools.iter().filter(|tool| !Root::shows(tool)) {
            root.bind(tool, tool, READ_ONLY)?;
        }
        self.mount_writable()?;
        self.mount_proc()?;
        rustix::system::sethostname(b"tradewind").step("set the host name")?;
        rustix::process::chdir(root.path("/")).step("enter the root")?;
        pivot_root(".", ".").step("change the root")?;
        unmount(".", UnmountFlags::DETACH).step("let the old root go")?;
        rustix::process::chdir("/").step("enter the new root")?;
        let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID;
        root::add_attributes(Path::new("/"), attributes, 0).step("protect the root")
    }

    fn mount_writable(&self) -> Result<(), Trouble> {
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        let mib = self.launch.limits.tmp_mib;
        // a file takes a page at least
        let options = format!("size={mib}m,nr_inodes={},mode=1777", u64::from(mib) * 256);
        let options = CString::new(options)
            .map_err(io::Error::from)
            .step("mount /tmp")?;
        mount("tmp", self.root.path(TMP), "tmpfs", flags, options.as_c_str()).step("mount /tmp")?;
        let shared = self.root.path(SHARED_MEMORY);
        mount("shm", shared, "tmpfs", flags, SHARED_MEMORY_OPTIONS).step("mount /dev/shm")
    }

    fn mount_proc(&self) -> Result<(), Trouble> {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("proc", self.root.path("/proc"), "proc", flags, None).step("mount /proc")?;
        for masked in &self.root.masked {
            mount_bind("/dev/null", self.root.path(masked)).step(format!("hide {masked}"))?;
        }
        Ok(())
    }

    /// Puts the descriptors where they belong and closes all others.
    fn descriptors(self) -> Result<(), Trouble> {
        let null: OwnedFd = fs::File::open("/dev/null").step("open /dev/null")?.into();
        let mut wanted: Vec<(BorrowedFd<'_>, RawFd)> = vec![
            (null.as_fd(), 0),
            (self.fds.output.as_fd(), 1),
            (self.fds.output.as_fd(), 2),
        ];
        if let Some([input, output]) = &self.fds.channel {
            wanted.push((input.as_fd(), CHANNEL_FDS[0]));
            wanted.push((output.as_fd(), CHANNEL_FDS[1]));
        }
        wanted.push((self.fds.news.as_fd(), NEWS_FD));
        wanted.push((self.spawner.as_fd(), SPAWNER_FD));
        let placed = place(&wanted);
        let Descriptors {
            news,
            output,
            channel,
            network,
        } = self.fds;
        let channel = channel.into_iter().flatten();
        abandon([null, news, output].into_iter().chain(channel).chain(network));
        placed
    }
}

/// A pipe with descriptors that are neither the program's, nor its channel's where it has none.
fn pipe_above_all() -> io::Result<(PipeReader, PipeWriter)> {
    let (reading, writing) = io::pipe()?;
    let reading = sys::duplicate_above(reading.as_fd(), SPAWNER_FD + 1)?;
    let writing = sys::duplicate_above(writing.as_fd(), SPAWNER_FD + 1)?;
    Ok((reading.into(), writing.into()))
}

/// The spawner may have ended before its end was asked to be told.
fn spawner_lives() -> Result<(), Trouble> {
    let spawner = sys::borrow(SPAWNER_FD);
    let mut ended = [PollFd::new(&spawner, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match poll(&mut ended, Some(&now)).step("look for the spawner")? {
        0 => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::ESRCH)).step("find the spawner"),
    }
}

/// Their numbers are closed, or others' by now.
fn abandon(descriptors: impl Iterator<Item = OwnedFd>) {
    for descriptor in descriptors {
        let _number: RawFd = descriptor.into_raw_fd();
    }
}

/// Gives each descriptor its number, and closes all others.
fn place(wanted: &[(BorrowedFd<'_>, RawFd)]) -> Result<(), Trouble> {
    const ABOVE: RawFd = 128;
    // none may be overwritten before it was copied
    let copies: io::Result<Vec<_>> = wanted
        .iter()
        .map(|(from, to)| Ok((sys::duplicate_above(*from, ABOVE)?, *to)))
        .collect();
    let copies = copies.step("copy descriptors")?;
    sys::close_range(0, ABOVE.unsigned_abs() - 1).step("close descriptors")?;
    for (copy, to) in &copies {
        sys::duplicate_to(copy.as_fd(), *to).step("place descriptors")?;
    }
    sys::close_range(SPAWNER_FD.unsigned_abs() + 1, u32::MAX).step("close descriptors")?;
    abandon(copies.into_iter().map(|(copy, _to)| copy));
    Ok(())
}

/// Waits for the program, and for whatever is left to the init of a namespace.
fn watch(program: Pid, mut reading: PipeReader, news: BorrowedFd<'_>) -> Result<(), Trouble> {
    let mut refused = Vec::new();
    reading.read_to_end(&mut refused).step("hear of the program")?;
    if let Some((errno, step)) = refused.split_first_chunk::<4>() {
        return Err(Trouble {
            step: String::from_utf8_lossy(step).into_owned(),
            errno: i32::from_le_bytes(*errno),
        });
    }
    News::Started.tell(news, None);
    loop {
        let ended = rustix::process::wait(WaitOptions::empty()).step("wait")?;
        if let Some((id, status)) = ended
            && id == program
        {
            News::Exited(status.as_raw()).tell(news, None);
            return Ok(());
        }
    }
}

fn limit() -> Result<(), Trouble> {
    for (resource, most) in [
        (Resource::Nofile, OPEN_FILES),
        (Resource::Core, 0),
        (Resource::Nproc, PROCESSES),
    ] {
        // a limit that is lower already stays
        let most = getrlimit(resource).maximum.map_or(most, |now| now.min(most));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit).step("set limits")?;
    }
    Ok(())
}

/// The program in the form that the kernel takes; nothing is allocated after the fork but by Landlock.
struct Program {
    path: Option<CString>,
    args: Vec<CString>,
    environment: Vec<CString>,
    working_dir: PathBuf,
}

impl Program {
    fn of(launch: &Launch) -> Result<Self, Trouble> {
        let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(io::Error::from);
        let variable = |(name, value): &(_, _)| {
            let mut all = std::ffi::OsString::from(name);
            all.push("=");
            all.push::<&std::ffi::OsString>(value);
            text(&all)
        };
        let path = launch
            .program
            .as_ref()
            .map(|path| text(path.as_os_str()))
            .transpose();
        let path = path.step("name the program")?;
        let args = path.iter().cloned().map(Ok);
        let args = args.chain(launch.args.iter().map(|arg| text(arg)));
        Ok(Self {
            args: args.collect::<io::Result<_>>().step("pass the arguments")?,
            environment: launch
                .environment
                .iter()
                .map(variable)
                .collect::<io::Result<_>>()
                .step("pass the environment")?,
            working_dir: launch.working_dir.clone(),
            path,
        })
    }

    /// Confines this process and becomes the program. Returns only when there is none to become.
    fn become_it(&self, filters: &[BpfProgram; 2]) -> Result<(), Trouble> {
        setsid().step("make a session")?;
        rustix::process::chdir(&self.working_dir).step("enter the working folder")?;
        sys::reset_signals();
        landlock::restrict().step("restrict the file system")?;
        // closed by exec: the program's are 0 to 4, the pipe's end is ours until then
        sys::close_range(NEWS_FD.unsigned_abs(), SPAWNER_FD.unsigned_abs())
            .step("close what is not the program's")?;
        seccomp::install(filters).step("filter system calls")?;
        let Some(path) = &self.path else {
            return Ok(());
        };
        Err(sys::execute(path, &self.args, &self.environment)).step("")
    }
}

/// Nobody may look into this process or trace it.
pub(super) fn hide() -> Result<(), Trouble> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).step("hide the first process")
}
