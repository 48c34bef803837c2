//! The process that starts instances, so that the node never forks: one thread, little memory, and the
//! only one that mounts. It lives as long as the node's end of its control socket is open.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::net::RecvFlags;
use rustix::process::{Signal, WaitOptions, getrlimit, pidfd_send_signal, setrlimit, setsid};
use seccompiler::BpfProgram;

use super::cgroup::{Cgroup, Hierarchies};
use super::identity::{self, Identity};
use super::inside::{Descriptors, Jail};
use super::late;
use super::root::{self, PREPARED, Root, TASK_ROOT};
use super::seccomp;
use super::sys::{self, Forked};
use super::trouble::{Step, Trouble};
use super::wire::{self, Hello, Launch, MAX_BYTES, News, Request, Setup};

/// The namespaces that each jail has from its beginning; the others are entered on the way.
const NAMESPACES: libc::c_int =
    libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
/// The control socket among what is waited for; instances have their numbers.
const CONTROL: u64 = 0;
/// How long a group that is not empty yet is left alone.
const REMOVE_AGAIN: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};
/// How long jails have to be gone at the end.
const LAST_WAIT: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// What a program does when it is started to be the spawner: its standard input is the control socket.
/// Returns when the node is gone.
#[must_use]
pub fn run_spawner() -> ExitCode {
    let control = match io::stdin().as_fd().try_clone_to_owned() {
        Ok(control) => control,
        Err(_no_input) => return ExitCode::FAILURE,
    };
    if !rustix::process::geteuid().is_root() {
        // only a process with one thread may enter a user namespace, and a test's has two
        match sys::fork() {
            Ok(Forked::Child) => {}
            Ok(Forked::Parent(_)) => {
                let ended = rustix::process::wait(WaitOptions::empty());
                return ended.map_or(ExitCode::FAILURE, |_ended| ExitCode::SUCCESS);
            }
            Err(_none) => return ExitCode::FAILURE,
        }
    }
    let hello = Spawner::prepare(&control);
    let said = Hello::write(&hello.as_ref().map(Spawner::hello).map_err(Clone::clone));
    if wire::send(control.as_fd(), &said, &[]).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(mut spawner) = hello else {
        return ExitCode::FAILURE;
    };
    let served = spawner.serve(&control);
    spawner.end();
    served.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

struct Spawner {
    root: Root,
    hierarchies: Hierarchies,
    filters: [BpfProgram; 2],
    epoll: OwnedFd,
    instances: HashMap<u64, Instance>,
    /// Groups of instances that have ended, not empty yet.
    emptying: Vec<Cgroup>,
    /// Both ends of a pipe: jails keep the first, and see when the second is closed with this process.
    alive: (OwnedFd, OwnedFd),
}

struct Instance {
    /// Closed by the node when it is done with the instance.
    news: OwnedFd,
    handle: OwnedFd,
    cgroup: Cgroup,
}

impl Spawner {
    fn prepare(control: &OwnedFd) -> Result<Self, Trouble> {
        let mut buffer = vec![0; MAX_BYTES];
        let (length, _fds) =
            wire::receive(control.as_fd(), &mut buffer, RecvFlags::empty()).step("hear from the node")?;
        let setup = Setup::read(buffer.get(..length).unwrap_or_default()).step("understand the node")?;
        // out of reach of the terminal's signals; the leader of a session is that already
        let _already: Result<_, _> = setsid();
        root::readable_by_all();
        sys::ignore_children();
        raise_open_files();
        // before the user namespace: what the user may do with cgroups is decided outside
        let hierarchies = Hierarchies::prepare(std::process::id());
        identity::enter_user_namespace()?;
        sys::unshare(libc::CLONE_NEWNS).step("make a mount namespace")?;
        let receive_only = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
        mount_change("/", receive_only).step("keep mounts to itself")?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).step("prepare to wait")?;
        let control_data = epoll::EventData::new_u64(CONTROL);
        epoll::add(&epoll, control, control_data, epoll::EventFlags::IN).step("prepare to wait")?;
        let (reading, writing) = io::pipe().step("make a pipe")?;
        Ok(Self {
            root: Root::build(&setup.folder)?,
            hierarchies,
            filters: seccomp::filters().step("compile the filter of system calls")?,
            epoll,
            instances: HashMap::new(),
            emptying: Vec::new(),
            alive: (reading.into(), writing.into()),
        })
    }

    fn hello(&self) -> Hello {
        Hello {
            own_users: matches!(Identity::of(std::process::id(), 0), Identity::Own(_)),
            specialises: late::is_possible(),
            landlock: sys::landlock_version(),
            hierarchies: self.hierarchies.clone(),
        }
    }

    fn serve(&mut self, control: &OwnedFd) -> io::Result<()> {
        let mut buffer = vec![0; MAX_BYTES];
        loop {
            let timeout = (!self.emptying.is_empty()).then_some(&REMOVE_AGAIN);
            let mut events = Vec::with_capacity(64);
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout) {
                Ok(_count) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            self.emptying.retain(|cgroup| !cgroup.remove());
            for event in events {
                match event.data.u64() {
                    CONTROL => {
                        let (length, fds) = wire::receive(control.as_fd(), &mut buffer, RecvFlags::empty())?;
                        if length == 0 {
                            return Ok(());
                        }
                        self.answer(buffer.get(..length).unwrap_or_default(), fds);
                    }
                    number => self.forget(number),
                }
            }
        }
    }

    fn answer(&mut self, request: &[u8], fds: Vec<OwnedFd>) {
        let mut fds = fds.into_iter();
        let Some(news) = fds.next() else { return };
        let request = Request::read(request).step("understand the node");
        let done = request.and_then(|request| match request {
            Request::Launch(launch) => self.start(&launch, &news, fds),
            Request::Specialise {
                number,
                package,
                prepared,
            } => {
                let instance = self.instances.get(&number);
                let instance = instance
                    .ok_or(io::ErrorKind::NotFound)
                    .step("find the instance")?;
                let mut shown = vec![(package, TASK_ROOT)];
                shown.extend(prepared.map(|prepared| (prepared, PREPARED)));
                late::show(&shown, instance.handle.as_fd(), &news)
            }
        });
        if let Err(Trouble { step, errno }) = done {
            News::Failed { step, errno }.tell(news.as_fd(), None);
        }
    }

    fn start(
        &mut self,
        launch: &Launch,
        news: &OwnedFd,
        mut fds: impl Iterator<Item = OwnedFd>,
    ) -> Result<(), Trouble> {
        let mut next = || {
            fds.next()
                .ok_or(io::ErrorKind::UnexpectedEof)
                .step("find the descriptors")
        };
        let fds = Descriptors {
            news: news.try_clone().step("copy descriptors")?,
            output: next()?,
            channel: launch.has_channel.then(|| Ok([next()?, next()?])).transpose()?,
            network: launch.resolv_conf.as_ref().map(|_content| next()).transpose()?,
        };
        for tool in launch.tools.iter().filter(|tool| !Root::shows(tool)) {
            self.root.place(tool).step(format!("create {}", tool.display()))?;
        }
        let resolver = launch.resolv_conf.as_ref();
        let resolver = resolver.map(|content| self.root.resolver(content)).transpose()?;
        let cgroup = self.hierarchies.group(launch.number);
        if let Err(error) = cgroup.create(&launch.limits) {
            cgroup.remove();
            return Err(error).step("make a cgroup");
        }
        let made = self.make(launch, resolver, &cgroup, fds);
        let handle = made.inspect_err(|_trouble| {
            cgroup.remove();
        })?;
        News::Made.tell(news.as_fd(), Some(&handle));
        let instance = Instance {
            news: news.try_clone().step("copy descriptors")?,
            handle,
            cgroup,
        };
        let data = epoll::EventData::new_u64(launch.number);
        // the end of the node's interest is always told
        epoll::add(&self.epoll, &instance.news, data, epoll::EventFlags::RDHUP).step("prepare to wait")?;
        self.instances.insert(launch.number, instance);
        Ok(())
    }

    fn make(
        &self,
        launch: &Launch,
        resolver: Option<PathBuf>,
        cgroup: &Cgroup,
        fds: Descriptors,
    ) -> Result<OwnedFd, Trouble> {
        // in the new process namespace, this process's id is another
        let identity = Identity::of(std::process::id(), launch.number);
        match sys::clone(NAMESPACES).step("make namespaces")? {
            (Forked::Parent(_id), handle) => handle.ok_or(io::ErrorKind::NotFound).step("get a handle"),
            (Forked::Child, _) => {
                let jail = Jail {
                    launch,
                    resolver,
                    root: &self.root,
                    identity,
                    entrances: cgroup.entrances().collect(),
                    filters: &self.filters,
                    fds,
                    spawner: &self.alive.0,
                };
                // a panic must not go on into the spawner's own frames
                drop(catch_unwind(AssertUnwindSafe(|| jail.run())));
                sys::exit_now(101)
            }
        }
    }

    /// The node is done with an instance: nothing of it stays.
    fn forget(&mut self, number: u64) {
        let Some(instance) = self.instances.remove(&number) else {
            return;
        };
        instance.kill();
        // closing it would do, were there no copy of it
        let _none: Result<_, _> = epoll::delete(&self.epoll, &instance.news);
        if !instance.cgroup.remove() {
            self.emptying.push(instance.cgroup);
        }
    }

    fn end(mut self) {
        for instance in self.instances.values() {
            instance.kill();
        }
        for instance in self.instances.into_values() {
            let mut gone = [PollFd::new(&instance.handle, PollFlags::IN)];
            // one that stays keeps its group, which the next node removes
            let _late: Result<_, _> = poll(&mut gone, Some(&LAST_WAIT));
            self.emptying.push(instance.cgroup);
        }
        for _attempt in 0..100 {
            self.emptying.retain(|cgroup| !cgroup.remove());
            if self.emptying.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.hierarchies.remove();
    }
}

impl Instance {
    /// Kills everything in the jail, frozen or not.
    fn kill(&self) {
        // one that has ended already is what was wanted
        let _gone: Result<_, _> = pidfd_send_signal(&self.handle, Signal::KILL);
        drop(self.cgroup.set_frozen(false));
    }
}

/// Two descriptors an instance.
fn raise_open_files() {
    let mut limit = getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    // fewer instances are possible then
    let _fewer: Result<_, _> = setrlimit(rustix::process::Resource::Nofile, limit);
}
