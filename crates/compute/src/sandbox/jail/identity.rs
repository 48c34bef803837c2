//! Who a function is: a user of its own, in a user namespace that owns nothing.

use std::fs;

use rustix::process::{DumpableBehavior, Gid, Uid, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::root::{GROUP_ID, USER_ID};
use super::sys;
use super::trouble::{Step, Trouble};

/// Users of instances start here, far above those of people, containers and services.
const FIRST_USER: u64 = 1_900_000_000;
/// So many different ones.
const USERS: u64 = 200_000_000;

/// The user an instance is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// One that nothing else is.
    Own(u32),
    /// The node's own: without privileges there is no other.
    Nodes { user: u32, group: u32 },
}

impl Identity {
    /// Of instance `number` of spawner `owner`.
    pub(super) fn of(owner: u32, number: u64) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::Nodes {
                user: rustix::process::geteuid().as_raw(),
                group: rustix::process::getegid().as_raw(),
            };
        }
        // nodes of one machine are far from each other
        let offset = (u64::from(owner) * 65_521 + number) % USERS;
        Self::Own(u32::try_from(FIRST_USER + offset).unwrap_or(u32::MAX - 1))
    }

    /// Becomes it, without any privilege and for good.
    pub(super) fn assume(self) -> Result<(), Trouble> {
        let (user, group) = match self {
            Self::Own(id) => {
                become_user(id)?;
                (id, id)
            }
            Self::Nodes { user, group } => (user, group),
        };
        sys::unshare(libc::CLONE_NEWUSER).step("make a user namespace")?;
        map((USER_ID, user), (GROUP_ID, group))?;
        drop_capabilities()?;
        set_no_new_privs(true).step("give up new privileges")?;
        super::inside::hide()
    }
}

/// Enters a user namespace in which this process, whoever it is, may mount. Nothing else changes: it is
/// the same user there.
pub(super) fn enter_user_namespace() -> Result<(), Trouble> {
    let (user, group) = match Identity::of(0, 0) {
        Identity::Own(_) => return Ok(()),
        Identity::Nodes { user, group } => (user, group),
    };
    sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS).step("make a user namespace")?;
    map((user, user), (group, group))
}

/// Changes the user, and keeps the right to make a user namespace even where users have none.
fn become_user(id: u32) -> Result<(), Trouble> {
    set_thread_groups(&[]).step("leave all groups")?;
    set_keep_capabilities(true).step("keep capabilities")?;
    let group = Gid::from_raw(id);
    set_thread_res_gid(group, group, group).step("change the group")?;
    let user = Uid::from_raw(id);
    set_thread_res_uid(user, user, user).step("change the user")?;
    let kept = capabilities(None).step("read capabilities")?;
    let effective = CapabilitySets {
        effective: kept.permitted,
        ..kept
    };
    set_capabilities(None, effective).step("keep capabilities")
}

/// Writes the maps of a new user namespace: the number inside, the number outside.
fn map(user: (u32, u32), group: (u32, u32)) -> Result<(), Trouble> {
    // the files are root's for a process that cannot be dumped
    set_dumpable_behavior(DumpableBehavior::Dumpable).step("map users")?;
    fs::write("/proc/self/setgroups", "deny").step("map groups")?;
    fs::write("/proc/self/uid_map", format!("{} {} 1", user.0, user.1)).step("map users")?;
    fs::write("/proc/self/gid_map", format!("{} {} 1", group.0, group.1)).step("map groups")
}

fn drop_capabilities() -> Result<(), Trouble> {
    for bit in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        // the first that the kernel does not know is beyond the last
        if remove_capability_from_bounding_set(one).is_err() {
            break;
        }
    }
    clear_ambient_capability_set().step("drop capabilities")?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).step("drop capabilities")
}
