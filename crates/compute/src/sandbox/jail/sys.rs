//! The system calls that no safe wrapper of ours has. Used in the spawner process and in the processes it
//! makes, which have one thread that counts.
#![expect(
    unsafe_code,
    reason = "clone3, fork, exec and mount_setattr are bare system calls"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::process::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process that was made: itself, or the one it made.
pub(super) enum Forked {
    /// In the new process.
    Child,
    /// In the one that made it.
    Parent(Pid),
}

/// `struct clone_args` of linux/sched.h, as of Linux 5.5.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// Makes a copy of this process in new namespaces (`CLONE_NEW…`), with a handle on it. In the copy, the
/// handle is none.
pub(super) fn clone(namespaces: libc::c_int) -> io::Result<(Forked, Option<OwnedFd>)> {
    let mut pidfd: RawFd = -1;
    let flags = i64::from(namespaces | libc::CLONE_PIDFD);
    let arguments = CloneArguments {
        flags: flags.cast_unsigned(),
        pidfd: ptr::from_mut(&mut pidfd).expose_provenance() as u64,
        exit_signal: libc::SIGCHLD.unsigned_abs().into(),
        ..CloneArguments::default()
    };
    // SAFETY: without CLONE_VM and a stack this is a fork: the child has its own copy of all memory. The
    // structure is as large as is said, and `pidfd` lives until the call is over. Other threads of a test's
    // spawner wait for this one and hold no lock.
    let id = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            ptr::from_ref(&arguments),
            size_of::<CloneArguments>(),
        )
    };
    match id {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok((Forked::Child, None)),
        id => {
            // SAFETY: the kernel has just made this descriptor for us alone.
            let handle = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok((Forked::Parent(pid(id)?), Some(handle)))
        }
    }
}

/// Makes a copy of this process.
pub(super) fn fork() -> io::Result<Forked> {
    // SAFETY: the caller's other threads, if any, hold no lock (see `clone`).
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        id => Ok(Forked::Parent(pid(id.into())?)),
    }
}

fn pid(id: i64) -> io::Result<Pid> {
    i32::try_from(id)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("the kernel returned no process id"))
}

/// Ends this process at once, without anything that was to happen at the end of the copied program.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process; nothing runs after it.
    unsafe { libc::_exit(code) }
}

/// Replaces this program. Returns only the reason why it could not.
pub(super) fn execute(program: &CString, args: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |all: &[CString]| -> Vec<*const libc::c_char> {
        let ends = std::iter::once(ptr::null());
        all.iter().map(|text| text.as_ptr()).chain(ends).collect()
    };
    let (args, environment) = (pointers(args), pointers(environment));
    // SAFETY: all pointers are to strings that outlive the call, and both lists end with null.
    unsafe { libc::execve(program.as_ptr(), args.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Makes `from` the descriptor `to`, which whoever is executed inherits.
pub(super) fn duplicate_to(from: BorrowedFd<'_>, to: RawFd) -> io::Result<()> {
    // SAFETY: `from` is open. The caller has moved everything it needs off `to`.
    checked(unsafe { libc::dup2(from.as_raw_fd(), to) })
}

/// A copy with a number of at least `lowest`, closed by exec.
pub(super) fn duplicate_above(from: BorrowedFd<'_>, lowest: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: `from` is open; the call makes a new descriptor.
    let copy = unsafe { libc::fcntl(from.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) };
    checked(copy)?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Closes all descriptors from `first` to `last`.
pub(super) fn close_range(first: u32, last: u32) -> io::Result<()> {
    let flags: libc::c_int = 0;
    // SAFETY: called in a forked process by code that uses none of these descriptors again and never
    // returns to the code that owned them.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// `struct mount_attr` of linux/mount.h.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Adds `attributes` (`MOUNT_ATTR_…`) to the mount at `path`, seen from `at`; `flags` may be `AT_RECURSIVE`
/// and, for `at` itself, `AT_EMPTY_PATH`.
pub(super) fn add_mount_attributes(
    at: BorrowedFd<'_>,
    path: &CStr,
    attributes: u64,
    flags: libc::c_int,
) -> io::Result<()> {
    let wanted = MountAttributes {
        set: attributes,
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    // SAFETY: `at` is open or the working folder, the path ends with null, and the structure is as large as
    // is said; all outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            path.as_ptr(),
            flags,
            ptr::from_ref(&wanted),
            size_of::<MountAttributes>(),
        )
    };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Takes this process into new namespaces.
pub(super) fn unshare(namespaces: libc::c_int) -> io::Result<()> {
    // SAFETY: only flags of namespaces are passed, which change nothing that other code shares.
    checked(unsafe { libc::unshare(namespaces) })
}

/// A descriptor that is known by its number only.
pub(super) fn borrow(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the first process of a jail has placed its descriptors at numbers that it keeps to its end.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// The version of Landlock's interface; 0 where there is none.
pub(super) fn landlock_version() -> u32 {
    const VERSION: libc::c_int = 1;
    // SAFETY: with this flag the call takes no structure and returns a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            ptr::null::<u8>(),
            0_usize,
            VERSION,
        )
    };
    u32::try_from(version).unwrap_or_default()
}

/// Lets the runtime of the caller wait for a descriptor.
pub(super) fn watched(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor is open, and the same, for as long as it is owned.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}

/// Every signal does what it does by default, and none is blocked.
pub(super) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL is a valid disposition for every signal; those that cannot be changed (KILL,
        // STOP, those of the C library) refuse, which leaves them as they were.
        let _before = unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an all-zero signal set is a valid value to be overwritten.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `none` is a valid set to write to.
    unsafe { libc::sigemptyset(&raw mut none) };
    // SAFETY: `none` is a valid set; the old one is not wanted.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) };
}

/// Children are reaped by the kernel: nobody waits for them.
pub(super) fn ignore_children() {
    // SAFETY: SIG_IGN is a valid disposition for SIGCHLD.
    let _before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
