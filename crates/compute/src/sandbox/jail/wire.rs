//! What node, spawner and jails tell each other: datagrams on sequenced-packet sockets, with descriptors.
//!
//! The node asks for a [`Launch`] on the control socket and sends along one end of a socket for this
//! instance alone. On that, the spawner and then the jail's first process tell [`News`]. Each other
//! [`Request`] has a socket of its own, too, and one piece of news for an answer.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use super::super::Limits;
use super::cgroup::{Controller, Hierarchies, Hierarchy};
use super::trouble::Trouble;

/// The largest request: environment (4 KB), paths and arguments leave room for much more.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// Descriptors that go with one message at most.
const MAX_FDS: usize = 5;

/// What the node asks for. The first descriptor beside it is for the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Start an instance.
    Launch(Box<Launch>),
    /// Show `package` at `/var/task` of instance `number`, in the place of what was there. The news is that
    /// it is there, or why it is not. `prepared` goes to its own place.
    Specialise {
        number: u64,
        package: PathBuf,
        prepared: Option<PathBuf>,
    },
}

/// An instance to be started, as the spawner is told. Descriptors travel beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Launch {
    /// Unique for the node: names the instance's cgroup, and gives it a user of its own.
    pub(super) number: u64,
    /// Shown at `/var/task`.
    pub(super) package: PathBuf,
    /// Shown at `/opt`.
    pub(super) layers: Option<PathBuf>,
    /// Shown at `/var/runtime`.
    pub(super) runtime: PathBuf,
    /// Shown at `/var/prepared`.
    pub(super) prepared: Option<PathBuf>,
    /// Shown where they are.
    pub(super) tools: Vec<PathBuf>,
    /// The executable. None runs nothing: whether a jail can be made is all that is to be known.
    pub(super) program: Option<PathBuf>,
    pub(super) args: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) working_dir: PathBuf,
    pub(super) limits: Limits,
    /// Whether the ends of the channel are among the descriptors.
    pub(super) has_channel: bool,
    /// `/etc/resolv.conf` of a network namespace that is among the descriptors.
    pub(super) resolv_conf: Option<String>,
}

/// What the spawner is told first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    /// A folder that the spawner may mount over, where nobody but it sees that.
    pub(super) folder: PathBuf,
}

/// What the spawner can do here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hello {
    /// Whether each instance gets a user of its own.
    pub(super) own_users: bool,
    /// Whether an instance can be shown its package after its start.
    pub(super) specialises: bool,
    /// The version of Landlock; 0 is none.
    pub(super) landlock: u32,
    pub(super) hierarchies: Hierarchies,
}

/// What became of a launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The jail's first process exists; a handle on it comes along.
    Made,
    /// The program runs.
    Started,
    /// It could not be: the step, the kernel's error number. Nothing is left.
    Failed { step: String, errno: i32 },
    /// The program has ended with this wait status, and everything else in the jail ends now.
    Exited(i32),
}

/// A pair of connected sockets.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

/// Sends one message. Does not block when the socket does not.
pub(super) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Receives one message into `buffer`; no bytes at all mean that the other end is closed.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut ancillary, flags)?;
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    Ok((received.bytes, fds))
}

impl News {
    /// Tells it. That the node does not listen any more is no error: it will kill the jail.
    pub(super) fn tell(&self, socket: BorrowedFd<'_>, handle: Option<&OwnedFd>) {
        let mut text = Writer::default();
        match self {
            Self::Made => text.number(0),
            Self::Started => text.number(1),
            Self::Failed { step, errno } => {
                text.number(2);
                text.number(u64::from(errno.unsigned_abs()));
                text.bytes(step.as_bytes());
            }
            Self::Exited(status) => {
                text.number(3);
                text.number(u64::from(status.cast_unsigned()));
            }
        }
        let fds: Vec<_> = handle.iter().map(|handle| handle.as_fd()).collect();
        drop(send(socket, &text.0, &fds));
    }

    pub(super) fn read(bytes: &[u8]) -> io::Result<Self> {
        let mut text = Reader(bytes);
        let number = |text: &mut Reader<'_>| -> io::Result<i32> {
            let number = u32::try_from(text.number()?).map_err(io::Error::other)?;
            Ok(number.cast_signed())
        };
        match text.number()? {
            0 => Ok(Self::Made),
            1 => Ok(Self::Started),
            2 => Ok(Self::Failed {
                errno: number(&mut text)?,
                step: String::from_utf8_lossy(text.bytes()?).into_owned(),
            }),
            3 => Ok(Self::Exited(number(&mut text)?)),
            _ => Err(malformed()),
        }
    }
}

impl Setup {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut text = Writer::default();
        text.path(&self.folder);
        text.0
    }

    pub(super) fn read(bytes: &[u8]) -> io::Result<Self> {
        let mut text = Reader(bytes);
        Ok(Self { folder: text.path()? })
    }
}

impl Hello {
    /// What it can do, or why it can do nothing.
    pub(super) fn write(hello: &Result<Self, Trouble>) -> Vec<u8> {
        let mut text = Writer::default();
        text.number(hello.is_ok().into());
        match hello {
            Ok(hello) => {
                text.number(hello.own_users.into());
                text.number(hello.specialises.into());
                text.number(hello.landlock.into());
                text.list(&hello.hierarchies.0, |text, hierarchy| {
                    text.number(hierarchy.unified.into());
                    text.path(&hierarchy.folder);
                    text.list(&hierarchy.controllers, |text, controller| {
                        text.number(*controller as u64);
                    });
                });
            }
            Err(Trouble { step, errno }) => {
                text.number(errno.unsigned_abs().into());
                text.bytes(step.as_bytes());
            }
        }
        text.0
    }

    pub(super) fn read(bytes: &[u8]) -> io::Result<Result<Self, Trouble>> {
        let mut text = Reader(bytes);
        if text.number()? == 0 {
            let errno = text.small()?.cast_signed();
            let step = String::from_utf8_lossy(text.bytes()?).into_owned();
            return Ok(Err(Trouble { step, errno }));
        }
        let controller = |text: &mut Reader<'_>| {
            let index = usize::try_from(text.number()?).map_err(|_too_large| malformed())?;
            Controller::ALL.get(index).copied().ok_or_else(malformed)
        };
        Ok(Ok(Self {
            own_users: text.number()? != 0,
            specialises: text.number()? != 0,
            landlock: text.small()?,
            hierarchies: Hierarchies(text.list(|text| {
                Ok(Hierarchy {
                    unified: text.number()? != 0,
                    folder: text.path()?,
                    controllers: text.list(controller)?,
                })
            })?),
        }))
    }
}

impl Request {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut text = Writer::default();
        match self {
            Self::Launch(launch) => {
                text.number(0);
                launch.write(&mut text);
            }
            Self::Specialise {
                number,
                package,
                prepared,
            } => {
                text.number(1);
                text.number(*number);
                text.path(package);
                text.option(prepared.as_ref(), |text, path| text.path(path));
            }
        }
        text.0
    }

    pub(super) fn read(bytes: &[u8]) -> io::Result<Self> {
        let mut text = Reader(bytes);
        let request = match text.number()? {
            0 => Self::Launch(Box::new(Launch::read(&mut text)?)),
            1 => Self::Specialise {
                number: text.number()?,
                package: text.path()?,
                prepared: text.option(Reader::path)?,
            },
            _ => return Err(malformed()),
        };
        if text.0.is_empty() {
            Ok(request)
        } else {
            Err(malformed())
        }
    }
}

impl Launch {
    fn write(&self, text: &mut Writer) {
        text.number(self.number);
        text.path(&self.package);
        text.option(self.layers.as_ref(), |text, path| text.path(path));
        text.path(&self.runtime);
        text.option(self.prepared.as_ref(), |text, path| text.path(path));
        text.list(&self.tools, |text, path| text.path(path));
        text.option(self.program.as_ref(), |text, path| text.path(path));
        text.list(&self.args, |text, arg| text.bytes(arg.as_bytes()));
        text.list(&self.environment, |text, (name, value)| {
            text.bytes(name.as_bytes());
            text.bytes(value.as_bytes());
        });
        text.path(&self.working_dir);
        text.number(self.limits.memory_mib.into());
        text.number(self.limits.tmp_mib.into());
        text.option(self.limits.cpu_millis.as_ref(), |text, millis| {
            text.number((*millis).into());
        });
        text.number(self.has_channel.into());
        text.option(self.resolv_conf.as_ref(), |text, content| {
            text.bytes(content.as_bytes());
        });
    }

    fn read(text: &mut Reader<'_>) -> io::Result<Self> {
        Ok(Self {
            number: text.number()?,
            package: text.path()?,
            layers: text.option(Reader::path)?,
            runtime: text.path()?,
            prepared: text.option(Reader::path)?,
            tools: text.list(Reader::path)?,
            program: text.option(Reader::path)?,
            args: text.list(Reader::text)?,
            environment: text.list(|text| Ok((text.text()?, text.text()?)))?,
            working_dir: text.path()?,
            limits: Limits {
                memory_mib: text.small()?,
                tmp_mib: text.small()?,
                cpu_millis: text.option(Reader::small)?,
            },
            has_channel: text.number()? != 0,
            resolv_conf: text.option(|text| {
                let content = String::from_utf8(text.bytes()?.to_vec());
                content.map_err(|_no_text| malformed())
            })?,
        })
    }
}

/// Numbers of eight bytes; texts and lists with their length before them.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn path(&mut self, path: impl AsRef<Path>) {
        self.bytes(path.as_ref().as_os_str().as_bytes());
    }

    fn list<T>(&mut self, all: &[T], write: impl Fn(&mut Self, &T)) {
        self.number(all.len() as u64);
        all.iter().for_each(|item| write(self, item));
    }

    fn option<T>(&mut self, one: Option<&T>, write: impl Fn(&mut Self, &T)) {
        self.number(one.is_some().into());
        if let Some(item) = one {
            write(self, item);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> io::Result<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*number))
    }

    fn small(&mut self) -> io::Result<u32> {
        u32::try_from(self.number()?).map_err(|_too_large| malformed())
    }

    fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let length = usize::try_from(self.number()?).map_err(|_too_large| malformed())?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> io::Result<OsString> {
        Ok(OsString::from_vec(self.bytes()?.to_vec()))
    }

    fn path(&mut self) -> io::Result<PathBuf> {
        self.text().map(PathBuf::from)
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        let length = self.number()?;
        (0..length).map(|_index| read(self)).collect()
    }

    fn option<T>(&mut self, read: impl Fn(&mut Self) -> io::Result<T>) -> io::Result<Option<T>> {
        match self.number()? {
            0 => Ok(None),
            _ => read(self).map(Some),
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a malformed message of the spawner")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch() -> Launch {
        Launch {
            number: 7,
            package: "/p/1".into(),
            layers: Some("/p/2".into()),
            runtime: "/r".into(),
            prepared: Some("/p/3".into()),
            tools: vec!["/root/.pyenv/versions/3.11.7".into()],
            program: Some("/usr/bin/node".into()),
            args: vec!["--x".into(), "".into()],
            environment: vec![
                ("A".into(), "1=2".into()),
                ("B".into(), OsString::from_vec(vec![0xff])),
            ],
            working_dir: "/var/task".into(),
            limits: Limits {
                memory_mib: 128,
                tmp_mib: 512,
                cpu_millis: Some(500),
            },
            has_channel: true,
            resolv_conf: Some("nameserver 169.254.1.1\n".into()),
        }
    }

    #[test]
    fn requests_arrive_as_they_were_sent() {
        let sparse = Launch {
            layers: None,
            prepared: None,
            program: None,
            tools: Vec::new(),
            ..launch()
        };
        let specialise = Request::Specialise {
            number: 7,
            package: "/p/1".into(),
            prepared: Some("/p/3".into()),
        };
        let launches = [launch(), sparse].map(|launch| Request::Launch(Box::new(launch)));
        for sent in launches.into_iter().chain([specialise]) {
            assert_eq!(Request::read(&sent.write()).unwrap(), sent);
        }
    }

    #[test]
    fn a_hello_arrives_as_it_was_sent() {
        let hello = Ok(Hello {
            own_users: true,
            specialises: true,
            landlock: 7,
            hierarchies: Hierarchies(vec![Hierarchy {
                unified: true,
                controllers: Controller::ALL.into(),
                folder: "/sys/fs/cgroup/x".into(),
            }]),
        });
        assert_eq!(Hello::read(&Hello::write(&hello)).unwrap(), hello);
        let trouble = Err(Trouble {
            step: "mount the root".into(),
            errno: libc::EPERM,
        });
        assert_eq!(Hello::read(&Hello::write(&trouble)).unwrap(), trouble);
    }

    #[test]
    fn what_is_cut_or_too_long_is_refused() {
        let whole = Request::Launch(Box::new(launch())).write();
        for length in 0..whole.len() {
            assert!(Request::read(&whole[..length]).is_err(), "{length}");
        }
        assert!(Request::read(&[&whole[..], &[0]].concat()).is_err());
    }

    #[test]
    fn news_come_with_their_handle() {
        let (one, other) = pair().unwrap();
        let (handle, _) = pair().unwrap();
        let failed = News::Failed {
            step: "mount `/var/task`".into(),
            errno: libc::EPERM,
        };
        News::Made.tell(one.as_fd(), Some(&handle));
        failed.tell(one.as_fd(), None);
        News::Exited(0x8b).tell(one.as_fd(), None);
        let mut buffer = [0; 256];
        let mut next = || {
            let (length, fds) = receive(other.as_fd(), &mut buffer, RecvFlags::empty()).unwrap();
            (News::read(&buffer[..length]).unwrap(), fds.len())
        };
        assert_eq!(next(), (News::Made, 1));
        assert_eq!(next(), (failed, 0));
        assert_eq!(next(), (News::Exited(0x8b), 0));
    }
}
