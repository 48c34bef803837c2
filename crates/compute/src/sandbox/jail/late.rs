//! What a jail is shown after it was made: the code of the function that its stem becomes.
//!
//! A copy of the spawner enters the jail's mount namespace, which is still the spawner's to change, with a
//! copies of the mounts in its hands, and puts them in their places. The jail's own processes have no
//! part in it, and no way to do or undo it.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use rustix::thread::{CapabilitySet, ThreadNameSpaceType, capabilities, move_into_thread_name_spaces};

use super::root::READ_ONLY;
use super::sys::{self, Forked};
use super::trouble::{Step, Trouble};
use super::wire::News;

/// Whether this process may enter the jails it makes: their first processes hide from everybody else.
pub(super) fn is_possible() -> bool {
    rustix::process::geteuid().is_root()
        && capabilities(None).is_ok_and(|own| own.effective.contains(CapabilitySet::SYS_PTRACE))
}

/// Shows folders at places of the jail whose first process is behind `handle`, and tells `answer` when
/// they are there.
pub(super) fn show(
    shown: &[(PathBuf, &str)],
    handle: BorrowedFd<'_>,
    answer: &OwnedFd,
) -> Result<(), Trouble> {
    match sys::fork().step("start a process")? {
        Forked::Parent(_id) => Ok(()),
        Forked::Child => {
            // a panic must not go on into the spawner's own frames
            let done = catch_unwind(AssertUnwindSafe(|| move_in(shown, handle)));
            match done {
                Ok(Ok(())) => News::Started.tell(answer.as_fd(), None),
                Ok(Err(Trouble { step, errno })) => News::Failed { step, errno }.tell(answer.as_fd(), None),
                Err(_panic) => {}
            }
            sys::exit_now(0)
        }
    }
}

fn move_in(shown: &[(PathBuf, &str)], handle: BorrowedFd<'_>) -> Result<(), Trouble> {
    let trees = shown
        .iter()
        .map(|(folder, place)| Ok((tree(folder, place)?, *place)));
    let trees = trees.collect::<Result<Vec<_>, Trouble>>()?;
    // after it, every path is the jail's
    move_into_thread_name_spaces(handle, ThreadNameSpaceType::MOUNT).step("enter the jail")?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    for (tree, place) in trees {
        move_mount(tree.as_fd(), c"", CWD, place, flags).step(format!("mount {place}"))?;
    }
    Ok(())
}

/// A copy of the mount of `folder`, read-only, that is nowhere yet.
fn tree(folder: &Path, place: &str) -> Result<OwnedFd, Trouble> {
    let copy =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let name = CString::new(folder.as_os_str().as_bytes());
    let name = name.map_err(std::io::Error::from).step("name a folder")?;
    let tree = open_tree(CWD, &name, copy).step(format!("show {}", folder.display()))?;
    let itself = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    sys::add_mount_attributes(tree.as_fd(), c"", READ_ONLY, itself).step(format!("protect {place}"))?;
    Ok(tree)
}
